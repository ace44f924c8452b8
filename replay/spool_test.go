package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
	"throng/sse"
)

// outage is a Memory that can't be reached now and then.
type outage struct {
	*Memory
	away    atomic.Bool
	flaky   atomic.Int32 // of 100 appends, so many fail though it is not away
	lost    atomic.Bool  // failures are lost answers: the events were stored
	only    atomic.Pointer[string]
	changed sync.Cond
}

var errAway = &UnavailableError{Reason: "unreachable", Err: errors.New("connection refused")}

func newOutage() *outage {
	o := &outage{Memory: NewMemory(MemoryOptions{EventsMax: 1 << 20, BytesMax: 1 << 30, TotalBytesMax: 1 << 30, NamespacesMax: 100, KeysMax: 1 << 20, KeyWindow: time.Hour, TombstonesMax: 100})}
	o.changed.L = &sync.Mutex{}
	return o
}

func (o *outage) Open(ns string) (Log, error) {
	l, err := o.Memory.Open(ns)
	if err != nil {
		return nil, err
	}
	return &outageLog{l, o, ns}, nil
}

func (o *outage) Health() error {
	if o.away.Load() {
		return errAway
	}
	return nil
}

// Evict keeps the events, as a store that others share does.
func (o *outage) Evict(string) error { return nil }

// Close leaves the events: a node that ends does not end the store.
func (o *outage) Close() error { return nil }

type outageLog struct {
	Log
	o  *outage
	ns string
}

func (l *outageLog) Append(ctx context.Context, batch []Record) error {
	defer l.o.changed.Broadcast()
	if only := l.o.only.Load(); l.o.away.Load() || only != nil && *only == l.ns || rand.Int32N(100) < l.o.flaky.Load() {
		if l.o.lost.Load() {
			if err := l.Log.Append(ctx, batch); err != nil {
				return err
			}
			return &UnavailableError{Reason: "answer_lost", Err: context.DeadlineExceeded}
		}
		return errAway
	}
	return l.Log.Append(ctx, batch)
}

// texts gives the data of all events of a namespace.
func (o *outage) texts(t testing.TB, ns string) (got []string) {
	t.Helper()
	l, err := o.Memory.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	page := make([]*sse.Event, 1000)
	for at := l.First(); ; {
		n, err := l.After(t.Context(), at, l.Last(), page)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return got
		}
		for _, e := range page[:n] {
			got = append(got, string(e.Data))
		}
		at = page[n-1].ID
	}
}

func newSpool(t testing.TB, inner Store, fs vfs.FS, p seglog.Policy) *Spool {
	t.Helper()
	s, err := NewSpool(inner, "/spool", SpoolOptions{FS: fs, Fsync: p, BytesMax: 4 << 20, RetryMin: time.Millisecond, RetryMax: 4 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Spool)
}

// drained waits until nothing waits any more.
func (o *outage) drained(t testing.TB, s *Spool) {
	t.Helper()
	timer := time.AfterFunc(30*time.Second, o.changed.Broadcast)
	defer timer.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if n, _ := s.Spooled(); n == 0 {
			return
		}
		if time.Now().After(deadline) {
			n, bytes := s.Spooled()
			t.Fatalf("%d events, %d bytes still wait", n, bytes)
		}
		time.Sleep(time.Millisecond) // settled just after the store has answered
	}
}

func publish(t testing.TB, l Log, key string, data ...string) ([]Record, error) {
	t.Helper()
	var batch []Record
	for _, d := range data {
		batch = append(batch, Record{Event: &sse.Event{Topics: []string{"a", "b/c"}, Name: "n", Data: []byte(d)}, Key: key, Sum: [32]byte{byte(len(d))}})
	}
	return batch, l.Append(t.Context(), batch)
}

func TestSpool_QueuesInOrderAndSends(t *testing.T) {
	o := newOutage()
	s := newSpool(t, o, vfs.NewMem(), seglog.Always)
	defer s.Close()
	a, _ := s.Open("a")
	b, _ := s.Open("b")
	if r, err := publish(t, a, "", "1"); err != nil || r[0].Spooled != 0 || r[0].Event.ID == (sse.ID{}) {
		t.Fatalf("%+v, %v", r, err)
	}
	name := "a"
	o.only.Store(&name)
	r, err := publish(t, a, "", "2", "3")
	if err != nil || r[0].Spooled != 1 || r[1].Spooled != 2 || r[0].Event.ID != (sse.ID{}) {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err := publish(t, b, "", "other"); err != nil || r[0].Spooled != 0 {
		t.Fatalf("another namespace waits: %+v, %v", r, err)
	}
	if r, err := publish(t, a, "key", "4"); err != nil || r[0].Spooled != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n, bytes := s.Spooled(); n != 3 || bytes == 0 || s.Stats().Spooled != 3 || s.Health() != nil {
		t.Fatalf("%d events, %d bytes, %v", n, bytes, s.Health())
	}
	o.only.Store(nil)
	o.drained(t, s)
	if r, err := publish(t, a, "key", "4"); err != nil || !r[0].Duplicate {
		t.Fatalf("its key was not kept: %+v, %v", r, err)
	}
	if got := o.texts(t, "a"); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("%q", got)
	}
	if n, bytes := s.Spooled(); n != 0 || bytes != 0 {
		t.Errorf("%d events, %d bytes", n, bytes)
	}
}

func TestSpool_LostAnswerIsNotSpooled(t *testing.T) {
	o := newOutage()
	s := newSpool(t, o, vfs.NewMem(), seglog.Always)
	defer s.Close()
	l, _ := s.Open("a")
	o.away.Store(true)
	o.lost.Store(true)
	_, err := publish(t, l, "k", "1")
	if u, ok := errors.AsType[*UnavailableError](err); !ok || u.Reason != "answer_lost" {
		t.Fatal(err)
	}
	if n, _ := s.Spooled(); n != 0 {
		t.Fatalf("%d events wait", n)
	}
	o.away.Store(false)
	if r, err := publish(t, l, "k", "1"); err != nil || !r[0].Duplicate {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestSpool_SendersLostAnswerStoresOnce(t *testing.T) {
	o := newOutage()
	s := newSpool(t, o, vfs.NewMem(), seglog.Always)
	defer s.Close()
	l, _ := s.Open("a")
	o.away.Store(true)
	var want []string
	for i := range 100 {
		d := fmt.Sprint(i)
		want = append(want, d)
		if r, err := publish(t, l, "", d); err != nil || r[0].Spooled == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	o.lost.Store(true) // what is sent now is stored, and sent again
	o.away.Store(false)
	o.flaky.Store(80)
	o.drained(t, s)
	if got := o.texts(t, "a"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestSpool_FullRefuses(t *testing.T) {
	o := newOutage()
	s, err := NewSpool(o, "/spool", SpoolOptions{FS: vfs.NewMem(), Fsync: seglog.Never, BytesMax: 100 << 10, RetryMin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, _ := s.Open("a")
	o.away.Store(true)
	for i := range 1000 {
		if _, err = publish(t, l, "", string(make([]byte, 1000))); err != nil {
			if i < 50 {
				t.Fatalf("after %d: %v", i, err)
			}
			break
		}
	}
	if u, ok := errors.AsType[*UnavailableError](err); !ok || u.Reason != "spool_full" {
		t.Fatal(err)
	}
}

func TestSpool_KeyOfAnotherEventIsDroppedAndCounted(t *testing.T) {
	o := newOutage()
	s := newSpool(t, o, vfs.NewMem(), seglog.Always)
	defer s.Close()
	l, _ := s.Open("a")
	if _, err := publish(t, l, "k", "first"); err != nil {
		t.Fatal(err)
	}
	o.away.Store(true)
	if _, err := publish(t, l, "k", "quite another"); err != nil {
		t.Fatal(err)
	}
	if _, err := publish(t, l, "", "last"); err != nil {
		t.Fatal(err)
	}
	o.away.Store(false)
	o.drained(t, s)
	if got := o.texts(t, "a"); !slices.Equal(got, []string{"first", "last"}) || s.Stats().SpoolDropped != 1 {
		t.Errorf("%q, %d dropped", got, s.Stats().SpoolDropped)
	}
}
