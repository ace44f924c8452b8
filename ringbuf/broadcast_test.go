package ringbuf

import (
	"strings"
	"testing"
)

func newBroadcast[T any](t testing.TB, size, readers int) *Broadcast[T] {
	t.Helper()
	b, err := NewBroadcast[T](size, readers)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// startAt moves a fresh ring to where seq is the next sequence, as if all
// before it had been published and released.
func startAt[T any](b *Broadcast[T], seq uint64) {
	b.claimed.Store(seq)
	b.gate.Store(seq)
	for i := range b.readers {
		b.readers[i].available = seq
		b.readers[i].released.Store(seq)
	}
}

// requirePanic fails unless f panics with a message that contains want.
func requirePanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if s, ok := recover().(string); !ok || !strings.Contains(s, want) {
			t.Errorf("panic %q, want one with %q", s, want)
		}
	}()
	f()
}

func TestNewBroadcast_RefusesImpossibleSizes(t *testing.T) {
	for _, size := range []int{-2, 0, 1, 3, 1000, SizeMax + 1, 2 * SizeMax} {
		if _, err := NewBroadcast[byte](size, 1); err == nil || !strings.Contains(err.Error(), "power of two from 2 to 16777216") {
			t.Errorf("size %d: error %v", size, err)
		}
	}
	for _, readers := range []int{-1, 0, ReadersMax + 1} {
		if _, err := NewBroadcast[byte](2, readers); err == nil || !strings.Contains(err.Error(), "want 1 to 1024") {
			t.Errorf("%d readers: error %v", readers, err)
		}
	}
}

func TestNewBroadcast_AcceptsTheLimits(t *testing.T) {
	if b := newBroadcast[struct{}](t, SizeMax, 1); b.Size() != SizeMax {
		t.Errorf("size %d", b.Size())
	}
	if b := newBroadcast[struct{}](t, SizeMin, ReadersMax); b.Readers() != ReadersMax {
		t.Errorf("%d readers", b.Readers())
	}
}

func TestBroadcast_EmptyHasNothingAvailable(t *testing.T) {
	b := newBroadcast[int](t, 4, 2)
	r := b.Reader(1)
	if r.Available() != 0 || r.Released() != 0 || b.Published() != 0 || b.Lag(1) != 0 {
		t.Errorf("available %d, released %d, published %d, lag %d", r.Available(), r.Released(), b.Published(), b.Lag(1))
	}
}

func TestBroadcast_FullRefusesUntilTheSlowestReleases(t *testing.T) {
	b := newBroadcast[int](t, 4, 2)
	fast, slow := b.Reader(0), b.Reader(1)
	for i := range 4 {
		if seq, ok := b.TryPublish(10 + i); !ok || seq != uint64(i) {
			t.Fatalf("publish %d: sequence %d, %v", i, seq, ok)
		}
	}
	fast.Release(fast.Available())
	if _, ok := b.TryPublish(99); ok {
		t.Fatal("published over a slot the slow reader holds")
	}
	if b.Published() != 4 || b.Lag(0) != 0 || b.Lag(1) != 4 {
		t.Errorf("published %d, lags %d and %d", b.Published(), b.Lag(0), b.Lag(1))
	}
	if slow.Available() != 4 || *slow.At(0) != 10 || *slow.At(3) != 13 {
		t.Errorf("the slow reader lost what it holds")
	}
	slow.Release(1)
	if seq, ok := b.TryPublish(14); !ok || seq != 4 {
		t.Errorf("sequence %d, %v, want 4 in the one free slot", seq, ok)
	}
	if _, ok := b.TryPublish(99); ok {
		t.Error("published twice into one free slot")
	}
}

func TestBroadcast_HeldHistoryStaysWhileReadingAhead(t *testing.T) {
	b := newBroadcast[int](t, 4, 1)
	r := b.Reader(0)
	next := 0
	for lap := range uint64(20) {
		for {
			if _, ok := b.TryPublish(next); !ok {
				break
			}
			next++
		}
		for seq := r.Released(); seq < r.Available(); seq++ {
			if *r.At(seq) != int(seq) {
				t.Fatalf("lap %d: sequence %d holds %d", lap, seq, *r.At(seq))
			}
		}
		r.Release(r.Available() - 3) // one slot of room, three of history
	}
	if next != 4+19 {
		t.Errorf("published %d values", next)
	}
}

func TestBroadcast_WrapsAtEverySizeBoundary(t *testing.T) {
	for _, size := range []uint64{2, 4, 64} {
		// Also across 2^32, where a truncated sequence would begin again.
		for _, start := range []uint64{0, size - 1, size, size + 1, 1<<32 - size - 1, 1<<32 - 1} {
			b := newBroadcast[uint64](t, int(size), 2)
			startAt(b, start)
			for seq := start; seq < start+3*size+1; seq++ {
				if got, ok := b.TryPublish(seq * 3); !ok || got != seq {
					t.Fatalf("size %d: published as %d, %v, want %d", size, got, ok, seq)
				}
				for i := range 2 {
					r := b.Reader(i)
					if r.Available() != seq+1 || *r.At(seq) != seq*3 {
						t.Fatalf("size %d: reader %d at %d: available %d", size, i, seq, r.Available())
					}
					r.Release(seq + 1)
				}
			}
		}
	}
}

func TestBroadcast_WritersLookAtReadersOncePerGate(t *testing.T) {
	b := newBroadcast[int](t, 4, 1)
	r := b.Reader(0)
	for i := range 4 {
		b.TryPublish(i)
		r.Release(r.Available())
		if b.gate.Load() != 0 {
			t.Fatalf("publish %d looked at the reader with room left", i)
		}
	}
	if _, ok := b.TryPublish(4); !ok || b.gate.Load() != 4 {
		t.Errorf("published %v, gate %d, want 4", ok, b.gate.Load())
	}
}

func TestBroadcast_UnmarkedSlotHoldsReaders(t *testing.T) {
	b := newBroadcast[int](t, 4, 1)
	r := b.Reader(0)
	b.claimed.Add(1) // a writer stopped between its claim and its mark
	if seq, ok := b.TryPublish(11); !ok || seq != 1 {
		t.Fatalf("sequence %d, %v: one writer holds up another", seq, ok)
	}
	if r.Available() != 0 {
		t.Fatal("a hole was read")
	}
	b.slots[0].value = 10
	b.slots[0].mark.Store(1)
	if r.Available() != 2 || *r.At(0) != 10 || *r.At(1) != 11 {
		t.Errorf("available %d after the hole was filled", r.Available())
	}
}

func TestReader_AtOutsideWhatItHoldsPanics(t *testing.T) {
	b := newBroadcast[int](t, 4, 1)
	r := b.Reader(0)
	for i := range 3 {
		b.TryPublish(i)
	}
	requirePanic(t, "At outside", func() { r.At(0) }) // Available was not asked yet
	r.Release(r.Available() - 1)
	requirePanic(t, "At outside", func() { r.At(1) })
	requirePanic(t, "At outside", func() { r.At(3) })
	if *r.At(2) != 2 {
		t.Errorf("got %d", *r.At(2))
	}
}

func TestReader_ReleaseBeyondAvailablePanics(t *testing.T) {
	b := newBroadcast[int](t, 4, 1)
	r := b.Reader(0)
	b.TryPublish(1)
	requirePanic(t, "Release of what", func() { r.Release(1) })
	r.Available()
	requirePanic(t, "Release of what", func() { r.Release(2) })
	r.Release(1)
	r.Release(0)
	if r.Released() != 1 {
		t.Errorf("released %d: a position moved back", r.Released())
	}
}
