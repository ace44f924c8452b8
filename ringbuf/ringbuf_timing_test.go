package ringbuf

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// The benchmarks count one operation per value written, whoever reads it, and
// end when all readers have all values; each reader checks the sum. Rings and
// channels have ringSize slots and carry pointers, as the server's do.
const (
	ringSize    = 1024
	loops       = 4  // readers of one writer, and writers to one reader
	rangeMax    = 64 // values taken before the slots are given back
	valuesCount = 1 << 10
)

// values are the pointers sent; value n is values[n%valuesCount], holding n%valuesCount.
var values = func() (v [valuesCount]*uint64) {
	for i := range v {
		n := uint64(i)
		v[i] = &n
	}
	return v
}()

// requireSum fails unless sum is that of the first count values.
func requireSum(b *testing.B, sum uint64, count int) {
	whole, rest := uint64(count/valuesCount), uint64(count%valuesCount)
	if want := whole*valuesCount*(valuesCount-1)/2 + rest*(rest-1)/2; sum != want {
		b.Errorf("the values add up to %d, want %d", sum, want)
	}
}

// gates are where benchmark goroutines wait for each other.
type gates struct{ notEmpty, notFull *Gate }

func newGates(s Strategy) gates { return gates{NewGate(s), NewGate(s)} }

func BenchmarkOneWriterFourReaders_Broadcast(b *testing.B) {
	for _, s := range strategies {
		b.Run(s.String(), func(b *testing.B) {
			ring, g := newBroadcast[*uint64](b, ringSize, loops), newGates(s)
			var all sync.WaitGroup
			for i := range loops {
				all.Go(func() { requireSum(b, sumReader(ring.Reader(i), g, b.N), b.N) })
			}
			b.ResetTimer()
			for n := range b.N {
				v := values[n%valuesCount]
				if _, ok := ring.TryPublish(v); !ok {
					g.notFull.Wait(func() bool { _, ok := ring.TryPublish(v); return ok })
				}
				g.notEmpty.Signal()
			}
			all.Wait()
		})
	}
}

// sumReader adds up count values from r.
func sumReader(r *Reader[*uint64], g gates, count int) (sum uint64) {
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

func BenchmarkOneWriterFourReaders_Channels(b *testing.B) {
	var all sync.WaitGroup
	var channels [loops]chan *uint64
	for i := range channels {
		c := make(chan *uint64, ringSize)
		channels[i] = c
		all.Go(func() { requireSum(b, sumChannel(c, b.N), b.N) })
	}
	b.ResetTimer()
	for n := range b.N {
		for _, c := range channels {
			c <- values[n%valuesCount]
		}
	}
	all.Wait()
}

func sumChannel(c <-chan *uint64, count int) (sum uint64) {
	for range count {
		sum += *<-c
	}
	return sum
}

// share is how many of count values writer w of loops sends.
func share(w, count int) int { return (count + loops - 1 - w) / loops }

func BenchmarkFourWritersOneReader_Mailbox(b *testing.B) {
	for _, s := range strategies {
		b.Run(s.String(), func(b *testing.B) {
			box, g := newMailbox[*uint64](b, ringSize), newGates(s)
			for w := range loops {
				go func() {
					for n := range share(w, b.N) {
						v := values[n%valuesCount]
						if !box.TryPush(v) {
							g.notFull.Wait(func() bool { return box.TryPush(v) })
						}
						g.notEmpty.Signal()
					}
				}()
			}
			var dst [rangeMax]*uint64
			var sum, want uint64
			b.ResetTimer()
			for n := 0; n < b.N; {
				g.notEmpty.Wait(func() bool { return !box.Empty() })
				got := box.PopInto(dst[:])
				g.notFull.Signal()
				for _, v := range dst[:got] {
					sum += *v
				}
				n += got
			}
			b.StopTimer()
			for w := range loops {
				for n := range share(w, b.N) {
					want += *values[n%valuesCount]
				}
			}
			if sum != want {
				b.Errorf("the values add up to %d, want %d", sum, want)
			}
		})
	}
}

func BenchmarkFourWritersOneReader_Channel(b *testing.B) {
	c := make(chan *uint64, ringSize)
	for w := range loops {
		go func() {
			for n := range share(w, b.N) {
				c <- values[n%valuesCount]
			}
		}()
	}
	var sum uint64
	b.ResetTimer()
	for range b.N {
		sum += *<-c
	}
	b.StopTimer()
	var want uint64
	for w := range loops {
		for n := range share(w, b.N) {
			want += *values[n%valuesCount]
		}
	}
	if sum != want {
		b.Errorf("the values add up to %d, want %d", sum, want)
	}
}

// Alone on a core: what one value costs without anyone to wait for.
func BenchmarkPublishReadRelease_Alone(b *testing.B) {
	ring := newBroadcast[*uint64](b, ringSize, 1)
	r := ring.Reader(0)
	var sum uint64
	for n := range b.N {
		seq, _ := ring.TryPublish(values[n%valuesCount])
		if r.Available() > seq {
			sum += **r.At(seq)
			r.Release(seq + 1)
		}
	}
	requireSum(b, sum, b.N)
}

func BenchmarkSignal_NobodyWaits(b *testing.B) {
	g := NewGate(Block)
	for b.Loop() {
		g.Signal()
	}
}

// One round trip of two goroutines: two signals, two waits.
func BenchmarkGate_RoundTrip(b *testing.B) {
	for _, s := range strategies {
		b.Run(s.String(), func(b *testing.B) {
			ping, pong := NewGate(s), NewGate(s)
			var asked, answered atomic.Int64
			go func() {
				for n := range int64(b.N) {
					ping.Wait(func() bool { return asked.Load() > n })
					answered.Store(n + 1)
					pong.Signal()
				}
			}()
			for n := range int64(b.N) {
				asked.Store(n + 1)
				ping.Signal()
				pong.Wait(func() bool { return answered.Load() > n })
			}
			runtime.KeepAlive(pong)
		})
	}
}
