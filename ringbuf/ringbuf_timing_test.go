//go:build unix

package ringbuf

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The benchmarks count one operation per value written, whoever reads it, and
// end when all readers have all values. Rings and channels have ringSize slots
// and carry pointers, as the server's do. Each reader checks that every value
// is the next one, and their sum. cpu-ns/op is processor time of the process.
const (
	ringSize    = 4096
	loops       = 4    // readers of one writer, and writers to one reader
	rangeMax    = 1024 // values taken before the slots are given back
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

// sumOf is the sum of the first count values.
func sumOf(count int) uint64 {
	whole, rest := uint64(count/valuesCount), uint64(count%valuesCount)
	return whole*valuesCount*(valuesCount-1)/2 + rest*(rest-1)/2
}

// errWrong is what a reader says of values that are not the ones written.
func errWrong(misplaced int, sum uint64, count int) error {
	if want := sumOf(count); misplaced != 0 || sum != want {
		return fmt.Errorf("%d of %d values are out of order; they add up to %d, want %d", misplaced, count, sum, want)
	}
	return nil
}

// gates are where benchmark goroutines wait for each other.
type gates struct{ notEmpty, notFull *Gate }

func newGates(s Strategy) gates { return gates{NewGate(s), NewGate(s)} }

// passage brings count values from one writer to four readers and returns when
// all have all.
type passage struct {
	name string
	pass func(tb testing.TB, count int)
}

// passages are the ring, by each way to wait, and the channels that a program
// without a ring would use: one for each reader.
func passages() (all []passage) {
	for _, s := range strategies {
		all = append(all, passage{"ringbuf-" + s.String(), func(tb testing.TB, count int) { throughRing(tb, s, count) }})
	}
	return append(all, passage{"channels", throughChannels})
}

func throughRing(tb testing.TB, s Strategy, count int) {
	ring, g := newBroadcast[*uint64](tb, ringSize, loops), newGates(s)
	var all sync.WaitGroup
	for i := range loops {
		all.Go(func() {
			if err := readRing(ring.Reader(i), g, count); err != nil {
				tb.Error(err)
			}
		})
	}
	for n := range count {
		v := values[n%valuesCount]
		if _, ok := ring.TryPublish(v); !ok {
			g.notFull.Wait(func() bool { _, ok := ring.TryPublish(v); return ok })
		}
		g.notEmpty.Signal()
	}
	all.Wait()
}

// readRing takes count values from r.
func readRing(r *Reader[*uint64], g gates, count int) error {
	sum, misplaced := uint64(0), 0
	for next := uint64(0); next < uint64(count); {
		g.notEmpty.Wait(func() bool { return r.Available() > next })
		for end := r.Available(); next < end; {
			for stop := min(next+rangeMax, end); next < stop; next++ {
				v := **r.At(next)
				if v != next%valuesCount {
					misplaced++
				}
				sum += v
			}
			r.Release(next)
			g.notFull.Signal()
		}
	}
	return errWrong(misplaced, sum, count)
}

func throughChannels(tb testing.TB, count int) {
	var all sync.WaitGroup
	var channels [loops]chan *uint64
	for i := range channels {
		c := make(chan *uint64, ringSize)
		channels[i] = c
		all.Go(func() {
			sum, misplaced := uint64(0), 0
			for next := range uint64(count) {
				v := *<-c
				if v != next%valuesCount {
					misplaced++
				}
				sum += v
			}
			if err := errWrong(misplaced, sum, count); err != nil {
				tb.Error(err)
			}
		})
	}
	for n := range count {
		v := values[n%valuesCount]
		for _, c := range channels {
			c <- v
		}
	}
	all.Wait()
}

func BenchmarkOneWriterFourReaders(b *testing.B) {
	for _, p := range passages() {
		b.Run(p.name, func(b *testing.B) {
			begun := cpuTime(b)
			p.pass(b, b.N)
			b.ReportMetric(float64(cpuTime(b)-begun)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkOneWriterFourReaders_Ratio lets ring and channels take turns, so that
// a busy machine slows both alike, and reports the median of how many times the
// ring's time and processor time the channels take. An operation is one turn
// each, of turnValues values.
func BenchmarkOneWriterFourReaders_Ratio(b *testing.B) {
	const turnValues = 1 << 16
	var wall, cpu []float64
	took := func(pass func()) (time.Duration, time.Duration) {
		begun, used := time.Now(), cpuTime(b)
		pass()
		return time.Since(begun), cpuTime(b) - used
	}
	for b.Loop() {
		ring, ringCPU := took(func() { throughRing(b, Block, turnValues) })
		channels, channelsCPU := took(func() { throughChannels(b, turnValues) })
		wall = append(wall, float64(channels)/float64(ring))
		cpu = append(cpu, float64(channelsCPU)/float64(ringCPU))
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	b.ReportMetric(wall[len(wall)/2], "channels/ringbuf")
	b.ReportMetric(cpu[len(cpu)/2], "channels/ringbuf-cpu")
}

// cpuTime is the processor time of this process so far.
func cpuTime(tb testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// share is how many of count values writer w of loops sends.
func share(w, count int) int { return (count + loops - 1 - w) / loops }

func BenchmarkFourWritersOneReader(b *testing.B) {
	for _, s := range strategies {
		b.Run("ringbuf-"+s.String(), func(b *testing.B) {
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
	b.Run("channel", fourWritersOneChannel)
}

func fourWritersOneChannel(b *testing.B) {
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
	if err := errWrong(0, sum, b.N); err != nil {
		b.Error(err)
	}
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
