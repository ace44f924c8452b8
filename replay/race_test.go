package replay

import (
	"errors"
	"sync"
	"testing"
	"time"

	"throng/sse"
)

// TestMemory_ReadersDuringAppend lets readers follow an appender whose log is shorter
// than what they are behind. Each must see rising IDs without a hole, other than those it
// was told about.
func TestMemory_ReadersDuringAppend(t *testing.T) {
	o := MemoryDefaults()
	o.EventsMax, o.TotalBytesMax, o.AgeMax = 300, 100_000, time.Hour
	s := NewMemory(o)
	l := mustOpen(t, s, "a")
	const total = 10_000
	start := l.Last()
	end := sse.ID{Major: start.Major, Minor: total}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() { follow(t, l, start, end) })
	}
	readers.Go(func() { // somebody else makes the total too large now and then
		other := mustOpen(t, s, "b")
		for range 200 {
			mustAppend(t, other, 50)
			s.Sweep(time.Now())
			s.Stats()
		}
	})
	for l.Last() != end {
		mustAppend(t, l, 40)
	}
	readers.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st != (Stats{}) {
		t.Errorf("after Close: %+v", st)
	}
}

// follow reads up to end and checks that nothing is skipped in silence.
func follow(t *testing.T, l Log, at, end sse.ID) {
	page := make([]*sse.Event, 50)
	for at != end {
		n, err := l.After(t.Context(), at, end, page)
		if gone := (*GoneError)(nil); errors.As(err, &gone) {
			if !at.Less(gone.Resume) {
				t.Errorf("told of a gap at %v that goes on at %v", at, gone.Resume)
				return
			}
			at = gone.Resume
			continue
		}
		if err != nil {
			t.Errorf("After(%v): %v", at, err)
			return
		}
		for _, e := range page[:n] {
			if e.ID != at.Next() {
				t.Errorf("%v follows %v", e.ID, at)
				return
			}
			at = e.ID
			if len(e.Frame(sse.FormatText)) == 0 {
				t.Errorf("%v has no frame", at)
			}
		}
	}
}

// TestMemory_EvictDuringUse evicts under an appender and a reader: refusals are fine,
// anything else is not, and the counts come out even.
func TestMemory_EvictDuringUse(t *testing.T) {
	s := NewMemory(MemoryDefaults())
	var users sync.WaitGroup
	done := make(chan struct{})
	users.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			l := mustOpen(t, s, "a")
			n, err := l.After(t.Context(), l.First(), l.Last(), make([]*sse.Event, 10))
			if err != nil && !errors.Is(err, ErrGone) {
				t.Errorf("After: %d, %v", n, err)
			}
		}
	})
	users.Go(func() {
		defer close(done)
		var last sse.ID
		for range 2000 {
			l := mustOpen(t, s, "a")
			batch := newBatch(3)
			batch[0].Key = "k"
			switch err := l.Append(t.Context(), batch); {
			case errors.Is(err, ErrClosed):
			case err != nil:
				t.Errorf("Append: %v", err)
			case !last.Less(batch[2].Event.ID):
				t.Errorf("ID %v given after %v", batch[2].Event.ID, last)
			default:
				last = batch[2].Event.ID
			}
		}
	})
	for range 500 {
		if err := s.Evict("a"); err != nil {
			t.Error(err)
		}
	}
	users.Wait()
	if err := s.Evict("a"); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st != (Stats{}) {
		t.Errorf("nothing is open, but %+v", st)
	}
}
