//go:build unix

package peers

import (
	"sync"
	"testing"

	"github.com/puzpuzpuz/xsync/v4"

	"throng/ringbuf"
)

// one is the value that four writers send, so the reader's sum is the count of what it took.
var one = func() *uint64 { n := uint64(1); return &n }()

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

func BenchmarkFourWritersOneReader_Peers(b *testing.B) {
	for _, s := range strategies {
		b.Run("ringbuf-"+s.String(), func(b *testing.B) {
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
		b.Run("xsync-MPMCQueue-"+s.String(), func(b *testing.B) {
			q := xsync.NewMPMCQueue[*uint64](ringSize)
			g := newGates(s)
			write := func(count int) {
				for range count {
					if !q.TryEnqueue(one) {
						g.notFull.Wait(func() bool { return q.TryEnqueue(one) })
					}
					g.notEmpty.Signal()
				}
			}
			manyToOne(b, write, func() (sum uint64) {
				for n := 1; n <= b.N; n++ {
					v, ok := q.TryDequeue()
					if !ok || n%rangeMax == 0 {
						g.notFull.Signal()
					}
					if !ok {
						g.notEmpty.Wait(func() bool { v, ok = q.TryDequeue(); return ok })
					}
					sum += *v
				}
				g.notFull.Signal()
				return sum
			})
		})
	}
}
