package replay

import (
	"errors"
	"fmt"
	"testing"

	"throng/sse"
)

func contractKeys(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	sum := func(n byte) (s [32]byte) { s[31] = n; return s }
	batch := newBatch(4)
	batch[0].Key, batch[0].Sum = "k", sum(1)
	batch[2].Key, batch[2].Sum = "k", sum(1)
	batch[3].Key, batch[3].Sum = "k", sum(2)
	if err := l.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	first := batch[0].Event.ID
	if batch[0].Duplicate || batch[0].Err != nil || batch[1].Duplicate || batch[1].Err != nil {
		t.Errorf("the first two: %+v, %+v", batch[0], batch[1])
	}
	if !batch[2].Duplicate || batch[2].Event.ID != first || batch[2].Err != nil {
		t.Errorf("the same again: %+v, want a duplicate of %v", batch[2], first)
	}
	if !errors.Is(batch[3].Err, ErrKeyReused) || batch[3].Duplicate {
		t.Errorf("the key for another: %+v, want ErrKeyReused", batch[3])
	}
	again := newBatch(2)
	again[0].Key, again[0].Sum = "k", sum(1)
	again[1].Duplicate, again[1].Err = true, ErrKeyReused // left over from an earlier use of the slice
	if err := l.Append(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if !again[0].Duplicate || again[0].Event.ID != first {
		t.Errorf("in the next batch: %+v, want a duplicate of %v", again[0], first)
	}
	if again[1].Duplicate || again[1].Err != nil {
		t.Errorf("Append left %+v as it was", again[1])
	}
	if got := mustRead(t, l, l.First(), l.Last()); len(got) != 3 {
		t.Errorf("%d events stored, want 3", len(got))
	}
	other := mustOpen(t, s, "b")
	batch = newBatch(1)
	batch[0].Key, batch[0].Sum = "k", sum(2)
	if err := other.Append(t.Context(), batch); err != nil || batch[0].Err != nil || batch[0].Duplicate {
		t.Errorf("the key in another namespace: %v, %+v", err, batch[0])
	}
}

func contractKeyWindow(t *testing.T, s Store, windowEnds func()) {
	l := mustOpen(t, s, "a")
	keyed := func(key string) Record {
		r := newBatch(1)
		r[0].Key = key
		if err := l.Append(t.Context(), r); err != nil || r[0].Err != nil {
			t.Fatalf("key %s: %v, %+v", key, err, r[0])
		}
		return r[0]
	}
	keyed("k")
	if !keyed("k").Duplicate {
		t.Error("forgotten within the window")
	}
	windowEnds()
	if keyed("k").Duplicate {
		t.Error("known after the window")
	}
	if !keyed("k").Duplicate {
		t.Error("forgotten within the second window")
	}
	for i := range 100 { // as many as may be known
		keyed(fmt.Sprint("other", i))
	}
	if keyed("k").Duplicate {
		t.Error("more keys known than allowed")
	}
	if n := s.Stats().Keys; n > 100 {
		t.Errorf("%d keys known, 100 allowed", n)
	}
}

func contractEvict(t *testing.T, s Store) {
	old := mustOpen(t, s, "a")
	mustAppend(t, old, 5)
	last := old.Last()
	if err := s.Evict("a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Evict("never there"); err != nil {
		t.Errorf("evicting nothing: %v", err)
	}
	keyed := newBatch(1)
	keyed[0].Key = "k"
	if err := old.Append(t.Context(), keyed); !errors.Is(err, ErrClosed) {
		t.Errorf("Append to the evicted: %v, want ErrClosed", err)
	}
	if st := s.Stats(); st.Namespaces != 0 || st.Keys != 0 {
		t.Errorf("stats %+v, want no namespace and no key", st)
	}
	l := mustOpen(t, s, "a")
	if n, err := l.After(t.Context(), last, l.Last(), make([]*sse.Event, 1)); n != 0 || err != nil {
		t.Errorf("after the last ID: %d, %v, want nothing missed", n, err)
	}
	if id := mustAppend(t, l, 1)[0].Event.ID; !last.Less(id) {
		t.Errorf("ID %v given after %v", id, last)
	}
}

// newBatch makes n records with the numbers from 0 as data.
func newBatch(n int) []Record {
	batch := make([]Record, n)
	for i := range batch {
		batch[i].Event = &sse.Event{Topics: []string{"t"}, Data: fmt.Append(nil, i)}
	}
	return batch
}

func mustOpen(t *testing.T, s Store, ns string) Log {
	t.Helper()
	l, err := s.Open(ns)
	if err != nil {
		t.Fatalf("Open(%s): %v", ns, err)
	}
	return l
}

func mustAppend(t *testing.T, l Log, n int) []Record {
	t.Helper()
	batch := newBatch(n)
	if err := l.Append(t.Context(), batch); err != nil {
		t.Fatalf("Append of %d: %v", n, err)
	}
	return batch
}

func mustRead(t *testing.T, l Log, after, upTo sse.ID) []*sse.Event {
	t.Helper()
	return readPages(t, l, after, upTo, make([]*sse.Event, 16))
}

// readPages reads (after, upTo] the way a catching-up reader does.
func readPages(t *testing.T, l Log, after, upTo sse.ID, page []*sse.Event) []*sse.Event {
	t.Helper()
	var all []*sse.Event
	for {
		n, err := l.After(t.Context(), after, upTo, page)
		if err != nil {
			t.Fatalf("After(%v, %v): %v", after, upTo, err)
		}
		if n == 0 {
			return all
		}
		all = append(all, page[:n]...)
		after = page[n-1].ID
	}
}

// first is the earliest event held.
func first(t *testing.T, l Log) *sse.Event {
	t.Helper()
	return mustRead(t, l, l.First(), l.Last())[0]
}

// wantGone checks the refusal, and that reading goes on where it says.
func wantGone(t *testing.T, l Log, after, earliest, resume sse.ID) {
	t.Helper()
	n, err := l.After(t.Context(), after, l.Last(), make([]*sse.Event, 4))
	var gone *GoneError
	if n != 0 || !errors.Is(err, ErrGone) || !errors.As(err, &gone) {
		t.Fatalf("After(%v) = %d, %v, want a GoneError", after, n, err)
	}
	if gone.Earliest != earliest || gone.Resume != resume {
		t.Fatalf("After(%v): earliest %v, resume %v; want %v, %v", after, gone.Earliest, gone.Resume, earliest, resume)
	}
	if _, err := l.After(t.Context(), gone.Resume, l.Last(), make([]*sse.Event, 4)); err != nil {
		t.Fatalf("resuming from %v: %v", gone.Resume, err)
	}
}
