package ringbuf

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// item is what stress writers send: who, and their how-manyth.
type item struct{ writer, n int }

// publishAll sends count items as writer, noting in order which sequence each got.
func publishAll(b *Broadcast[item], notEmpty *Gate, writer, count int, order []item) {
	for n := range count {
		for {
			seq, ok := b.TryPublish(item{writer, n})
			if ok {
				order[seq] = item{writer, n} // each sequence is one writer's own
				break
			}
			runtime.Gosched()
		}
		notEmpty.Signal()
	}
}

// readAll reads total items, letting go of a random part of what it holds each
// time, and fails when anything it holds has changed under it.
func readAll(r *Reader[item], notEmpty *Gate, total int, rnd *rand.Rand) ([]item, error) {
	var seen []item
	for len(seen) < total {
		next := uint64(len(seen))
		notEmpty.Wait(func() bool { return r.Available() > next })
		for end := r.Available(); next < end; next++ {
			seen = append(seen, *r.At(next))
		}
		for seq := r.Released(); seq < next; seq++ {
			if *r.At(seq) != seen[seq] {
				return nil, fmt.Errorf("sequence %d changed while held: %v, was %v", seq, *r.At(seq), seen[seq])
			}
		}
		held := next - r.Released()
		r.Release(r.Released() + 1 + rnd.Uint64N(held))
	}
	return seen, nil
}

func TestBroadcast_EveryReaderSeesEveryValueInOneOrder(t *testing.T) {
	rnd := newRand(t)
	for _, c := range []struct{ size, writers, readers int }{
		{2, 1, 1}, {2, 4, 3}, {4, 2, 4}, {4, 5, 1}, {256, 3, 3},
	} {
		for _, s := range strategies {
			each := 800
			if s == Sleep {
				each = 300 // a ring of two slots is a nap or more a lap
			}
			total := each * c.writers
			b := newBroadcast[item](t, c.size, c.readers)
			g := NewGate(s)
			order := make([]item, total)
			var all sync.WaitGroup
			for w := range c.writers {
				all.Go(func() { publishAll(b, g, w, each, order) })
			}
			seen := make([][]item, c.readers)
			for i := range c.readers {
				mine := rand.New(rand.NewPCG(rnd.Uint64(), 0))
				all.Go(func() {
					var err error
					if seen[i], err = readAll(b.Reader(i), g, total, mine); err != nil {
						t.Error(err)
						b.Reader(i).released.Store(1 << 62) // let the writers finish
					}
				})
			}
			all.Wait()
			requirePerWriterOrder(t, order, c.writers)
			for i := range seen {
				if !slices.Equal(seen[i], order) {
					t.Errorf("%+v %v: reader %d saw another order than was published", c, s, i)
				}
			}
		}
	}
}

// requirePerWriterOrder fails unless each writer's items are there, each once
// and in the order it sent them.
func requirePerWriterOrder(t *testing.T, items []item, writers int) {
	t.Helper()
	next := make([]int, writers)
	for at, it := range items {
		if it.n != next[it.writer] {
			t.Fatalf("place %d holds %+v, want number %d of that writer", at, it, next[it.writer])
		}
		next[it.writer]++
	}
	for w := range next {
		if next[w] != len(items)/writers {
			t.Errorf("writer %d: %d items of %d", w, next[w], len(items)/writers)
		}
	}
}

func TestMailbox_ManyProducersKeepTheirOrder(t *testing.T) {
	for _, size := range []int{2, 4, 64} {
		const producers, each = 4, 3000
		m := newMailbox[item](t, size)
		notEmpty, notFull := NewGate(Block), NewGate(Block)
		var all sync.WaitGroup
		for w := range producers {
			all.Go(func() {
				for n := range each {
					notFull.Wait(func() bool { return m.TryPush(item{w, n}) })
					notEmpty.Signal()
				}
			})
		}
		var got []item
		take := func(count int) {
			dst := make([]item, 3)
			for len(got) < count {
				notEmpty.Wait(func() bool { return !m.Empty() })
				if len(got)%2 == 0 {
					v, _ := m.Pop()
					got = append(got, v)
				} else {
					got = append(got, dst[:m.PopInto(dst[:min(3, count-len(got))])]...)
				}
				notFull.Signal()
			}
		}
		// The consumer's role moves half-way; the channel is the edge.
		moved := make(chan struct{})
		go func() { defer close(moved); take(producers * each / 2) }()
		<-moved
		take(producers * each)
		all.Wait()
		requirePerWriterOrder(t, got, producers)
		if !m.Empty() || m.Len() != 0 {
			t.Errorf("size %d: %d left over", size, m.Len())
		}
	}
}
