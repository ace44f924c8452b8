package bench

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"throng/bench/internal/sock"
)

// pace finds how fast the machine is while something else is measured: on each processor a
// thread does the same piece of kernel work again and again. A virtual machine has neighbours,
// and does the same in half or twice the time from one second to the next; what was measured in a
// fast minute can't be compared with a slow one.
//
// between may be called by any goroutine.
type pace struct {
	clock func() int64
	stop  chan struct{}
	ends  sync.WaitGroup

	mu      sync.Mutex
	samples []paceSample
	err     error
}

// paceSample is how long a round took, both ns.
type paceSample struct{ at, took int64 }

const (
	// paceEvery is between two samples of a processor, which take a thousandth of its time.
	paceEvery = 250 * time.Millisecond
	// paceRounds is of how many rounds a sample is the shortest: the others had other work done
	// in their midst, or found the caches cold.
	paceRounds = 8
)

// newPace begins; clock gives the time in ns.
func newPace(clock func() int64) (*pace, error) {
	all, err := sock.Processors()
	if err != nil {
		return nil, err
	}
	p := &pace{clock: clock, stop: make(chan struct{})}
	for _, cpu := range all {
		p.ends.Go(func() {
			if err := p.sample(cpu); err != nil {
				p.mu.Lock()
				p.err = errors.Join(p.err, fmt.Errorf("bench: the pace of processor %d: %w", cpu, err))
				p.mu.Unlock()
			}
		})
	}
	return p, nil
}

func (p *pace) sample(cpu int) (err error) {
	if err := sock.Stay(cpu); err != nil {
		return err
	}
	_ = sock.Nice(calmNice) // without it the rounds that nobody interrupts are fewer
	lap, err := sock.NewLap()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lap.Close()) }()
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		least := int64(0)
		for range paceRounds {
			from := p.clock()
			if err := lap.Round(); err != nil {
				return err
			}
			if took := p.clock() - from; least == 0 || took < least {
				least = took
			}
		}
		p.mu.Lock()
		p.samples = append(p.samples, paceSample{p.clock(), least})
		p.mu.Unlock()
		select {
		case <-p.stop:
			return nil
		case <-tick.C:
		}
	}
}

// between is the mean of a round's times between two moments, ns; 0: there was none.
func (p *pace) between(from, to int64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum, n := 0.0, 0.0
	for _, s := range p.samples {
		if s.at > from && s.at <= to {
			sum += float64(s.took)
			n++
		}
	}
	return sum / max(n, 1)
}

// close ends it and says whether it has measured all the time.
func (p *pace) close() error {
	close(p.stop)
	p.ends.Wait()
	return p.err
}
