package replay

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

// What was taken is sent, dropped or waits. The other store's own counts miss what came by the
// spool, so somebody is told: once of an event that was sent twice, as an answer was lost, and not
// of one that the store knew under its publisher's key.
func TestSpool_CountsWhatBecameOfEvents(t *testing.T) {
	o := newOutage()
	var told atomic.Uint64
	opened, err := NewSpool(o, "/spool", SpoolOptions{FS: vfs.NewMem(), Fsync: seglog.Never, RetryMin: time.Millisecond, RetryMax: 4 * time.Millisecond,
		Sent: func(ns string, stored uint64) {
			if ns != "a" {
				t.Errorf("%d events of %q are told", stored, ns)
			}
			told.Add(stored)
		}})
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*Spool)
	defer s.Close()
	l, err := s.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	take := func(key string, data ...string) {
		t.Helper()
		if _, err := publish(t, l, key, data...); err != nil {
			t.Fatal(err)
		}
	}
	counts := func(taken, sent, dropped uint64, waiting int, wantTold uint64) {
		t.Helper()
		st := s.Stats()
		if st.SpoolTaken != taken || st.SpoolSent != sent || st.SpoolDropped != dropped || st.Spooled != waiting || told.Load() != wantTold {
			t.Errorf("taken, sent, dropped, waiting, told: %d, %d, %d, %d, %d; want %d, %d, %d, %d, %d", st.SpoolTaken, st.SpoolSent, st.SpoolDropped,
				st.Spooled, told.Load(), taken, sent, dropped, waiting, wantTold)
		}
	}
	take("key", "at once")
	counts(0, 0, 0, 0, 0)
	o.away.Store(true)
	take("", "1", "2", "3")
	take("key", "at once") // again
	take("key", "quite another")
	take("new", "4")
	counts(6, 0, 0, 6, 0)
	o.lost.Store(true)
	for begun := time.Now(); len(o.texts(t, "a")) < 4; time.Sleep(time.Millisecond) { // stored, and nobody knows
		if time.Since(begun) > 30*time.Second {
			t.Fatal("the sender does not try")
		}
	}
	counts(6, 0, 0, 6, 0)
	o.away.Store(false)
	o.drained(t, s)
	counts(6, 5, 1, 0, 3)
}
