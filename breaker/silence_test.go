package breaker

import (
	"testing"
	"time"
)

// porch is a machine that serves so many connections a second, one after the other.
type porch struct {
	capacity, come float64 // a second
	line           float64
	served         float64
	accounted      [2]uint64 // heard and served, as whole numbers
	heard          float64
	silence        *Silence
	share          float64
	longest        time.Duration
}

const porchTick = 10 * time.Millisecond

// run lets so much time pass, and gives how many were served of what could be.
func (p *porch) run(d time.Duration) (used float64) {
	p.longest = 0
	begun := p.served
	for range int(d / porchTick) {
		seconds := porchTick.Seconds()
		p.heard += p.come * p.share * seconds
		p.line += p.come * p.share * seconds
		now := min(p.line, p.capacity*seconds)
		p.line -= now
		p.served += now
		p.longest = max(p.longest, time.Duration(p.line/p.capacity*float64(time.Second)))
		look := SilenceLook{Heard: uint64(p.heard) - p.accounted[0], Served: uint64(p.served) - p.accounted[1], Waiting: int(p.line), Span: porchTick}
		p.accounted = [2]uint64{uint64(p.heard), uint64(p.served)}
		p.share = p.silence.Share(look)
	}
	return (p.served - begun) / (p.capacity * d.Seconds())
}

// All of the machine is used, the line is held near its target, and it ends when it is over.
func TestSilence_HoldsTheLine(t *testing.T) {
	for _, capacity := range []float64{500, 4000, 50_000} {
		for _, times := range []float64{1.3, 3, 8} {
			p := &porch{capacity: capacity, come: 0.8 * capacity, share: 1, silence: &Silence{Least: 0.1, Target: 15 * time.Millisecond}}
			if used := p.run(5 * time.Second); p.share != 1 || used < 0.79 {
				t.Errorf("%v at 0.8: %v is heard, %.2f used", capacity, p.share, used)
			}
			p.come = times * capacity
			used := p.run(time.Second)
			if p.longest > time.Duration(0.2*times*float64(time.Second)) || used < 0.95 {
				t.Errorf("%v times %v: at first a wait of up to %v, %.2f used", capacity, times, p.longest, used)
			}
			p.run(8 * time.Second)
			if used = p.run(10 * time.Second); p.longest > 60*time.Millisecond || used < 0.93 {
				t.Errorf("%v times %v: a wait of up to %v, %.2f used", capacity, times, p.longest, used)
			}
			p.come = 0.8 * capacity
			p.run(3 * time.Second)
			if used = p.run(time.Second); p.share != 1 || used < 0.79 {
				t.Errorf("%v times %v is over: %v is heard, %.2f used", capacity, times, p.share, used)
			}
		}
	}
}

// A crowd that is soon worked off is heard, as are all where all must be.
func TestSilence_OnlyWhereTheLineStaysLong(t *testing.T) {
	p := &porch{capacity: 20_000, come: 1000, share: 1, silence: &Silence{Least: 0.1, Target: 15 * time.Millisecond}}
	p.run(time.Second)
	p.line += 500
	if p.run(porchTick); p.share != 1 {
		t.Errorf("%v is heard", p.share)
	}
	if p.run(100 * time.Millisecond); p.share != 1 {
		t.Errorf("%v is heard after a crowd", p.share)
	}
	all := &Silence{Least: 1}
	for range 100 {
		if got := all.Share(SilenceLook{Heard: 1e6, Served: 1, Waiting: 4096, Span: time.Second}); got != 1 {
			t.Fatalf("%v is heard where all must be", got)
		}
	}
	if got := all.Share(SilenceLook{}); got != 1 {
		t.Errorf("%v is heard in no time", got)
	}
}

// Who waits for something else in any case may wait for that much more.
func TestSilence_LeavesOutWhatAllWaitFor(t *testing.T) {
	for before, want := range map[time.Duration]bool{0: true, 50 * time.Millisecond: false} {
		s := &Silence{Least: 0.1, Target: 15 * time.Millisecond}
		for i := range 100 {
			waiting := 0
			if i > 50 {
				waiting = 80
			}
			s.Share(SilenceLook{Heard: 10, Served: 10, Waiting: waiting, Before: before, Span: porchTick})
		}
		if s.share < 1 != want {
			t.Errorf("%v are heard of a line of 80 ms where all wait for %v anyway", s.share, before)
		}
	}
}
