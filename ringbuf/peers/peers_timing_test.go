package peers

import (
	"sync"
	"testing"

	"github.com/puzpuzpuz/xsync/v4"

	"throng/ringbuf"
)

// As in ringbuf's own benchmarks: one operation is one value written, whoever
// reads it; everything holds ringSize pointers; sums are checked. Every queue
// waits at the same gates, so that only the queues differ.
const (
	ringSize = 1024
	loops    = 4
	rangeMax = 64 // values taken before the ring's slots are given back
)

// one is the value sent, so a reader's sum is the count of what it took.
var one = func() *uint64 { n := uint64(1); return &n }()

var strategies = []ringbuf.Strategy{ringbuf.Block, ringbuf.Yield}

// gates are where writers and readers wait for each other.
type gates struct{ notEmpty, notFull *ringbuf.Gate }

func newGates(s ringbuf.Strategy) gates { return gates{ringbuf.NewGate(s), ringbuf.NewGate(s)} }

// queue is what the peers have in common.
type queue interface {
	TryEnqueue(*uint64) bool
	TryDequeue() (*uint64, bool)
}

// put sends count values into every queue of the set.
func put[Q queue](set []Q, g gates, count int) {
	for range count {
		for _, q := range set {
			if !q.TryEnqueue(one) {
				g.notFull.Wait(func() bool { return q.TryEnqueue(one) })
			}
		}
		g.notEmpty.Signal()
	}
}

// take receives count values and signals once a range, as the ring's reader does.
func take[Q queue](q Q, g gates, count int) (sum uint64) {
	for n := 1; n <= count; n++ {
		v, ok := q.TryDequeue()
		if !ok {
			g.notFull.Signal()
			g.notEmpty.Wait(func() bool { v, ok = q.TryDequeue(); return ok })
		}
		sum += *v
		if n%rangeMax == 0 {
			g.notFull.Signal()
		}
	}
	g.notFull.Signal()
	return sum
}

// takeRing is take for a reader of a broadcast ring.
func takeRing(r *ringbuf.Reader[*uint64], g gates, count int) (sum uint64) {
	for next := uint64(0); next < uint64(count); {
		g.notEmpty.Wait(func() bool { return r.Available() > next })
		for end := r.Available(); next < end; {
			for stop := min(next+rangeMax, end); next < stop; next++ {
				sum += **r.At(next)
			}
			r.Release(next)
			g.notFull.Signal()
		}
	}
	return sum
}

// oneToMany runs write beside a reader per loop, each of which must return b.N.
func oneToMany(b *testing.B, write func(), read func(loop int) uint64) {
	var all sync.WaitGroup
	for i := range loops {
		all.Go(func() {
			if sum := read(i); sum != uint64(b.N) {
				b.Errorf("reader %d took %d values of %d", i, sum, b.N)
			}
		})
	}
	b.ResetTimer()
	write()
	all.Wait()
}

func BenchmarkOneWriterFourReaders(b *testing.B) {
	for _, s := range strategies {
		b.Run("ringbuf.Broadcast/"+s.String(), func(b *testing.B) {
			ring, err := ringbuf.NewBroadcast[*uint64](ringSize, loops)
			if err != nil {
				b.Fatal(err)
			}
			g := newGates(s)
			write := func() {
				for range b.N {
					if _, ok := ring.TryPublish(one); !ok {
						g.notFull.Wait(func() bool { _, ok := ring.TryPublish(one); return ok })
					}
					g.notEmpty.Signal()
				}
			}
			oneToMany(b, write, func(i int) uint64 { return takeRing(ring.Reader(i), g, b.N) })
		})
		b.Run("4*xsync.SPSCQueue/"+s.String(), func(b *testing.B) {
			fanOut(b, s, xsync.NewSPSCQueue[*uint64])
		})
		b.Run("4*xsync.MPMCQueue/"+s.String(), func(b *testing.B) {
			fanOut(b, s, xsync.NewMPMCQueue[*uint64])
		})
	}
}

func fanOut[Q queue](b *testing.B, s ringbuf.Strategy, make func(int) Q) {
	var set []Q
	for range loops {
		set = append(set, make(ringSize))
	}
	g := newGates(s)
	oneToMany(b, func() { put(set, g, b.N) }, func(i int) uint64 { return take(set[i], g, b.N) })
}

// manyToOne runs a writer per loop beside read, which must return b.N.
func manyToOne(b *testing.B, write func(count int), read func() uint64) {
	var all sync.WaitGroup
	for i := range loops {
		all.Go(func() { write((b.N + i) / loops) })
	}
	b.ResetTimer()
	if sum := read(); sum != uint64(b.N) {
		b.Errorf("took %d values of %d", sum, b.N)
	}
	all.Wait()
}

func BenchmarkFourWritersOneReader(b *testing.B) {
	for _, s := range strategies {
		b.Run("ringbuf.Mailbox/"+s.String(), func(b *testing.B) {
			box, err := ringbuf.NewMailbox[*uint64](ringSize)
			if err != nil {
				b.Fatal(err)
			}
			g := newGates(s)
			write := func(count int) {
				for range count {
					if !box.TryPush(one) {
						g.notFull.Wait(func() bool { return box.TryPush(one) })
					}
					g.notEmpty.Signal()
				}
			}
			manyToOne(b, write, func() (sum uint64) {
				var dst [rangeMax]*uint64
				for sum < uint64(b.N) {
					g.notEmpty.Wait(func() bool { return !box.Empty() })
					for _, v := range dst[:box.PopInto(dst[:])] {
						sum += *v
					}
					g.notFull.Signal()
				}
				return sum
			})
		})
		b.Run("xsync.MPMCQueue/"+s.String(), func(b *testing.B) {
			q := xsync.NewMPMCQueue[*uint64](ringSize)
			g := newGates(s)
			write := func(count int) { put([]*xsync.MPMCQueue[*uint64]{q}, g, count) }
			manyToOne(b, write, func() uint64 { return take(q, g, b.N) })
		})
	}
}
