//go:build unix

package peers

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Workiva/go-datastructures/queue"
	"github.com/dustin/go-broadcast"
	"github.com/puzpuzpuz/xsync/v4"

	"throng/ringbuf"
)

// As in ringbuf's own benchmarks: one operation is one value written, whoever
// reads it; everything holds ringSize pointers; every reader checks that each
// value is the next one; cpu-ns/op is processor time of the process.
const (
	ringSize    = 4096
	loops       = 4
	rangeMax    = 1024 // values taken before the ring's slots are given back
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

var strategies = []ringbuf.Strategy{ringbuf.Block, ringbuf.Yield}

// gates are where writers and readers wait for each other.
type gates struct{ notEmpty, notFull *ringbuf.Gate }

func newGates(s ringbuf.Strategy) gates { return gates{ringbuf.NewGate(s), ringbuf.NewGate(s)} }

// passage brings count values from one writer to four readers: write puts value n
// where all readers find it, read takes count values by the reader of that number.
type passage struct {
	name  string
	write func(n int)
	read  func(reader, count int) error
}

// pass runs it and returns when all readers have all values.
func (p *passage) pass(b *testing.B, count int) {
	var all sync.WaitGroup
	for i := range loops {
		all.Go(func() {
			if err := p.read(i, count); err != nil {
				b.Error(p.name, err)
			}
		})
	}
	for n := range count {
		p.write(n)
	}
	all.Wait()
}

// check says what is wrong with value n of a reader.
func check(n uint64, v *uint64) error {
	if *v != n%valuesCount {
		return fmt.Errorf("value %d is %d, want %d", n, *v, n%valuesCount)
	}
	return nil
}

// readEach takes values one by one with next.
func readEach(count int, next func() *uint64) error {
	for n := range uint64(count) {
		if err := check(n, next()); err != nil {
			return err
		}
	}
	return nil
}

func throughRing(b *testing.B, s ringbuf.Strategy) passage {
	ring, err := ringbuf.NewBroadcast[*uint64](ringSize, loops)
	if err != nil {
		b.Fatal(err)
	}
	g := newGates(s)
	return passage{"ringbuf-" + s.String(),
		func(n int) {
			v := values[n%valuesCount]
			if _, ok := ring.TryPublish(v); !ok {
				g.notFull.Wait(func() bool { _, ok := ring.TryPublish(v); return ok })
			}
			g.notEmpty.Signal()
		},
		func(reader, count int) error {
			r := ring.Reader(reader)
			for next := uint64(0); next < uint64(count); {
				g.notEmpty.Wait(func() bool { return r.Available() > next })
				for end := r.Available(); next < end; {
					for stop := min(next+rangeMax, end); next < stop; next++ {
						if err := check(next, *r.At(next)); err != nil {
							return err
						}
					}
					r.Release(next)
					g.notFull.Signal()
				}
			}
			return nil
		}}
}

// tryQueue is what xsync's queues have in common.
type tryQueue interface {
	TryEnqueue(*uint64) bool
	TryDequeue() (*uint64, bool)
}

func throughQueues[Q tryQueue](name string, s ringbuf.Strategy, make func(int) Q) passage {
	var set [loops]Q
	for i := range set {
		set[i] = make(ringSize)
	}
	g := newGates(s)
	return passage{name + "-" + s.String(),
		func(n int) {
			v := values[n%valuesCount]
			for _, q := range set {
				if !q.TryEnqueue(v) {
					g.notFull.Wait(func() bool { return q.TryEnqueue(v) })
				}
			}
			g.notEmpty.Signal()
		},
		func(reader, count int) error {
			q := set[reader]
			taken := 0
			defer g.notFull.Signal()
			return readEach(count, func() *uint64 {
				v, ok := q.TryDequeue()
				if taken++; !ok || taken%rangeMax == 0 {
					g.notFull.Signal()
				}
				if !ok {
					g.notEmpty.Wait(func() bool { v, ok = q.TryDequeue(); return ok })
				}
				return v
			})
		}}
}

func throughWorkiva() passage {
	var set [loops]*queue.RingBuffer
	for i := range set {
		set[i] = queue.NewRingBuffer(ringSize)
	}
	return passage{"workiva-RingBuffer",
		func(n int) {
			for _, q := range set {
				_ = q.Put(values[n%valuesCount])
			}
		},
		func(reader, count int) error {
			return readEach(count, func() *uint64 { v, _ := set[reader].Get(); return v.(*uint64) })
		}}
}

func throughBroadcaster(b *testing.B) passage {
	all := broadcast.NewBroadcaster(ringSize)
	b.Cleanup(func() { _ = all.Close() })
	var outputs [loops]chan any
	for i := range outputs {
		outputs[i] = make(chan any, ringSize)
		all.Register(outputs[i])
	}
	return passage{"go-broadcast",
		func(n int) { all.Submit(values[n%valuesCount]) },
		func(reader, count int) error {
			return readEach(count, func() *uint64 { return (<-outputs[reader]).(*uint64) })
		}}
}

func throughChannels() passage {
	var set [loops]chan *uint64
	for i := range set {
		set[i] = make(chan *uint64, ringSize)
	}
	return passage{"channels",
		func(n int) {
			for _, c := range set {
				c <- values[n%valuesCount]
			}
		},
		func(reader, count int) error { return readEach(count, func() *uint64 { return <-set[reader] }) }}
}

func BenchmarkOneWriterFourReaders_Peers(b *testing.B) {
	var makers []func(b *testing.B) passage
	for _, s := range strategies {
		makers = append(makers,
			func(b *testing.B) passage { return throughRing(b, s) },
			func(*testing.B) passage { return throughQueues("xsync-SPSCQueue", s, xsync.NewSPSCQueue[*uint64]) },
			func(*testing.B) passage { return throughQueues("xsync-MPMCQueue", s, xsync.NewMPMCQueue[*uint64]) })
	}
	makers = append(makers,
		func(*testing.B) passage { return throughWorkiva() },
		throughBroadcaster,
		func(*testing.B) passage { return throughChannels() })
	for _, makes := range makers {
		b.Run(makes(b).name, func(b *testing.B) {
			p := makes(b)
			b.ResetTimer()
			begun := cpuTime(b)
			p.pass(b, b.N)
			b.ReportMetric(float64(cpuTime(b)-begun)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is the processor time of this process so far.
func cpuTime(tb testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
