package replay

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"throng/sse"
)

// TestMemory_AfterDoesNotAllocate: a resume costs no memory but the reader's page.
func TestMemory_AfterDoesNotAllocate(t *testing.T) {
	l := mustOpen(t, NewMemory(MemoryDefaults()), "a")
	mustAppend(t, l, 200)
	page := make([]*sse.Event, 64)
	from, upTo := l.First(), l.Last()
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if n, err := l.After(ctx, from, upTo, page); n != 64 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		l.First()
		l.Last()
	})
	if n != 0 {
		t.Errorf("After allocates %v times", n)
	}
}

// TestMemory_IdleIsSmall: what a namespace held is given back, but for some bytes.
func TestMemory_IdleIsSmall(t *testing.T) {
	o := MemoryDefaults()
	s := NewMemory(o)
	const namespaces = 100
	used := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	for i := range namespaces {
		batch := newBatch(1000)
		for j := range batch {
			batch[j].Key = fmt.Sprint(j)
		}
		if err := mustOpen(t, s, fmt.Sprint("ns", i)).Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	full := used()
	s.Sweep(s.start.Add(2 * o.AgeMax))
	idle := used()
	runtime.KeepAlive(s)
	if full-before < namespaces*200_000 {
		t.Errorf("%d bytes a namespace when full: this measures nothing", (full-before)/namespaces)
	}
	if idle > before+namespaces*2048 {
		t.Errorf("%d bytes an idle namespace", (idle-before)/namespaces)
	}
}

// TestMemory_EvictedIDsNeverReturn evicts at random while hardly any tombstone is kept: a
// namespace may jump ahead, but never gives an ID again, and who saw its last event
// either missed nothing or is told.
func TestMemory_EvictedIDsNeverReturn(t *testing.T) {
	for tombstonesMax := range 5 {
		o := MemoryDefaults()
		o.TombstonesMax = tombstonesMax
		s := NewMemory(o)
		rnd := rand.New(rand.NewPCG(7, uint64(tombstonesMax)))
		last := make(map[string]sse.ID)
		for range 5000 {
			ns := fmt.Sprint(rnd.IntN(12))
			l := mustOpen(t, s, ns)
			if known, ok := last[ns]; ok {
				if n, err := l.After(t.Context(), known, l.Last(), make([]*sse.Event, 1)); n != 0 {
					t.Fatalf("%d tombstones: %s gives %d events after its last: %v", tombstonesMax, ns, n, err)
				}
			}
			id := mustAppend(t, l, 1+rnd.IntN(3))[0].Event.ID
			if !last[ns].Less(id) {
				t.Fatalf("%d tombstones: %s gave %v after %v", tombstonesMax, ns, id, last[ns])
			}
			last[ns] = l.Last()
			if rnd.IntN(3) > 0 {
				if err := s.Evict(ns); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := len(s.tombs.young) + len(s.tombs.old); n > max(2, tombstonesMax+1) {
			t.Errorf("%d tombstones kept, %d allowed", n, tombstonesMax)
		}
	}
}

// TestTombs_HigherNumberStays: names that share a hash share the higher number, in either
// generation.
func TestTombs_HigherNumberStays(t *testing.T) {
	tb := newTombs(4)
	tb.bury("a", 10)
	tb.bury("a", 5)
	if got := tb.start("a"); got != 10 {
		t.Errorf("starts after %d, want 10", got)
	}
	tb.bury("b", 1)
	tb.bury("c", 1) // a is in the old generation now
	tb.bury("a", 7)
	if got := tb.start("a"); got != 10 {
		t.Errorf("starts after %d, want 10", got)
	}
	if got := tb.start("unknown"); got != 0 {
		t.Errorf("nothing is forgotten, but the unknown starts after %d", got)
	}
}

// TestMemory_EpochIsTheStart: the clock gives the epoch, and none makes an ID zero.
func TestMemory_EpochIsTheStart(t *testing.T) {
	for _, c := range []struct{ now, epoch, want int64 }{{now: 1234, want: 1234}, {now: -5, want: 1}, {now: 1234, epoch: 9, want: 9}} {
		o := MemoryDefaults()
		o.Now = func() time.Time { return time.UnixMilli(c.now) }
		o.Epoch = uint64(c.epoch)
		if id := mustOpen(t, NewMemory(o), "a").Last(); id.Major != uint64(c.want) || id.Minor != 0 {
			t.Errorf("at %d ms with epoch %d the log starts at %v", c.now, c.epoch, id)
		}
	}
}
