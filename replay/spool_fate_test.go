package replay

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

// fated is a store whose next batch fails, each record in its own way: 'n' was not stored,
// 'l' was stored and the answer was lost, 's' was stored. Append answers the first failure
// unless something was stored, as a store does that sends a batch in parts.
type fated struct {
	*outage
	next atomic.Pointer[string]
}

func (f *fated) Open(ns string) (Log, error) {
	l, err := f.outage.Open(ns)
	return &fatedLog{l, f}, err
}

type fatedLog struct {
	Log
	f *fated
}

func (l *fatedLog) Append(ctx context.Context, batch []Record) error {
	fates := l.f.next.Swap(nil)
	if fates == nil {
		return l.Log.Append(ctx, batch)
	}
	var first error
	done := false
	for i, fate := range []byte(*fates) {
		if fate != 'n' {
			if err := l.Log.Append(ctx, batch[i:i+1]); err != nil {
				return err
			}
		}
		switch fate {
		case 'n':
			batch[i].Err = errAway
		case 'l':
			batch[i].Err = &UnavailableError{Reason: reasonAnswerLost, Err: context.DeadlineExceeded}
		default:
			done = true
		}
		if first == nil {
			first = batch[i].Err
		}
	}
	if done {
		return nil
	}
	return first
}

// TestSpool_RecordsOfABatchHaveTheirOwnFates: what was surely not stored waits, and nothing
// else does; so each event is stored once, with no key of the publisher.
func TestSpool_RecordsOfABatchHaveTheirOwnFates(t *testing.T) {
	for _, fates := range []string{"nl", "ln", "nll", "nnl", "snl", "lns", "nn"} {
		t.Run(fates, func(t *testing.T) {
			f := &fated{outage: newOutage()}
			s := newSpool(t, f, vfs.NewMem(), seglog.Always)
			defer s.Close()
			l, err := s.Open("a")
			if err != nil {
				t.Fatal(err)
			}
			f.next.Store(&fates)
			data := []string{"0", "1", "2"}[:len(fates)]
			batch, err := publish(t, l, "", data...)
			if err != nil {
				t.Fatal(err)
			}
			for i, fate := range []byte(fates) {
				r := &batch[i]
				u, _ := errors.AsType[*UnavailableError](r.Err)
				lost := u != nil && u.Reason == reasonAnswerLost
				if (fate == 'n') != (r.Spooled > 0) || (fate == 'l') != lost || fate != 'l' && r.Err != nil {
					t.Errorf("record %d of %s: waits under %d, %v", i, fates, r.Spooled, r.Err)
				}
			}
			f.drained(t, s)
			got := f.texts(t, "a")
			slices.Sort(got)
			if !slices.Equal(got, data) {
				t.Errorf("stored are %q", got)
			}
		})
	}
}

// TestSpool_FullRefusesItsPartOnly: when there is no room for what was not stored, the others
// of the batch keep what the store said of them.
func TestSpool_FullRefusesItsPartOnly(t *testing.T) {
	f := &fated{outage: newOutage()}
	s := newSpool(t, f, vfs.NewMem(), seglog.Always)
	defer s.Close()
	l, err := s.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	s.opts.BytesMax = 0
	for fates, want := range map[string][]string{"snl": {"", "spool_full", reasonAnswerLost}, "ln": {reasonAnswerLost, "spool_full"}} {
		f.next.Store(&fates)
		batch, err := publish(t, l, "", make([]string, len(fates))...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			reason := ""
			if u, ok := errors.AsType[*UnavailableError](batch[i].Err); ok {
				reason = u.Reason
			}
			if reason != want[i] || batch[i].Spooled > 0 {
				t.Errorf("record %d of %s: %v; want %q", i, fates, batch[i].Err, want[i])
			}
		}
	}
	if n, _ := s.Spooled(); n != 0 {
		t.Errorf("%d events wait", n)
	}
}
