package ringbuf

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

var seedFlag = flag.Uint64("ringbuf.seed", 0, "repeat random tests with this seed; 0 draws one")

// newRand returns a random source whose seed a failing test prints.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-ringbuf.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// broadcastModel is a Broadcast as a slice of all values ever published.
type broadcastModel struct {
	size      int
	values    []uint64
	available []int // per reader
	released  []int // per reader
}

func (m *broadcastModel) publish(v uint64) bool {
	if len(m.values)-slices.Min(m.released) >= m.size {
		return false
	}
	m.values = append(m.values, v)
	return true
}

// requireSame fails unless ring and model agree on all that can be seen.
func (m *broadcastModel) requireSame(t *testing.T, b *Broadcast[uint64]) {
	t.Helper()
	if b.Published() != uint64(len(m.values)) {
		t.Fatalf("published %d, want %d", b.Published(), len(m.values))
	}
	for i := range m.released {
		r := b.Reader(i)
		if r.Released() != uint64(m.released[i]) || b.Lag(i) != len(m.values)-m.released[i] {
			t.Fatalf("reader %d: released %d, lag %d, want %d and %d", i,
				r.Released(), b.Lag(i), m.released[i], len(m.values)-m.released[i])
		}
		for seq := m.released[i]; seq < m.available[i]; seq++ {
			if got := *r.At(uint64(seq)); got != m.values[seq] {
				t.Fatalf("reader %d: sequence %d holds %d, want %d", i, seq, got, m.values[seq])
			}
		}
	}
}

func TestBroadcast_AgreesWithModel(t *testing.T) {
	rnd := newRand(t)
	for range 300 {
		size, readers := 1<<(1+rnd.IntN(5)), 1+rnd.IntN(4)
		b := newBroadcast[uint64](t, size, readers)
		m := &broadcastModel{size: size, available: make([]int, readers), released: make([]int, readers)}
		for range 200 {
			i := rnd.IntN(readers)
			switch rnd.IntN(4) {
			case 0, 1:
				v := rnd.Uint64()
				want := m.publish(v)
				seq, ok := b.TryPublish(v)
				if ok != want || ok && seq != uint64(len(m.values)-1) {
					t.Fatalf("publish: sequence %d, %v, want %v", seq, ok, want)
				}
			case 2:
				m.available[i] = len(m.values)
				if got := b.Reader(i).Available(); got != uint64(len(m.values)) {
					t.Fatalf("reader %d: available %d, want %d", i, got, len(m.values))
				}
			case 3:
				m.released[i] += rnd.IntN(m.available[i] - m.released[i] + 1)
				b.Reader(i).Release(uint64(m.released[i]))
			}
			m.requireSame(t, b)
		}
	}
}

func TestMailbox_AgreesWithModel(t *testing.T) {
	rnd := newRand(t)
	for range 300 {
		size := 1 << (1 + rnd.IntN(5))
		m := newMailbox[uint64](t, size)
		var want []uint64
		for range 200 {
			switch rnd.IntN(4) {
			case 0, 1:
				v := rnd.Uint64()
				if ok := m.TryPush(v); ok != (len(want) < size) {
					t.Fatalf("push: %v with %d of %d slots taken", ok, len(want), size)
				} else if ok {
					want = append(want, v)
				}
			case 2:
				v, ok := m.Pop()
				if ok != (len(want) > 0) || ok && v != want[0] {
					t.Fatalf("pop: %d, %v, want the first of %v", v, ok, want)
				}
				want = want[min(1, len(want)):]
			case 3:
				dst := make([]uint64, rnd.IntN(size+2))
				n := m.PopInto(dst)
				if n != min(len(dst), len(want)) || !slices.Equal(dst[:n], want[:n]) {
					t.Fatalf("pop into %d: %v, want the first of %v", len(dst), dst[:n], want)
				}
				want = want[n:]
			}
			if m.Len() != len(want) || m.Empty() != (len(want) == 0) {
				t.Fatalf("length %d, empty %v, want length %d", m.Len(), m.Empty(), len(want))
			}
		}
	}
}
