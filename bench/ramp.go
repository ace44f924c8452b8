package bench

import "math"

// ramp opens streams one after the other: at a rate, each due at its time whatever has
// become of those before, or as fast as they attach.
type ramp struct {
	audience *audience
	open     func(i int, due int64) error
	next, to int
	rate     float64 // a second; 0: as fast as they attach
	start    int64
	first    int  // of this ramp
	attached int  // of the audience, before
	held     bool // until half of those under way have attached
}

const (
	// connectsMax bounds the streams that are connected and not attached yet: well below
	// any accept queue, so that no SYN is dropped and retried a second later.
	connectsMax = 256
	// connectsAtRateMax bounds them where a rate asks for connects that do not wait.
	connectsAtRateMax = 4096
	// connectsATurn is how many are opened before the others are served again.
	connectsATurn = 32
)

// newRamp opens streams from to below to.
func (a *audience) newRamp(from, to int, open func(i int, due int64) error) *ramp {
	return &ramp{audience: a, open: open, next: from, first: from, to: to, rate: a.rate, start: a.swarm.now(), attached: a.attached}
}

// over says whether all are opened; they may not be attached yet.
func (p *ramp) over() bool { return p.next >= p.to }

// due is when step has something to do, ns; never, if that depends on others.
func (p *ramp) due() int64 {
	switch {
	case p.over() || p.held:
		return math.MaxInt64
	case p.rate > 0:
		return p.dueOf(p.next)
	}
	return 0
}

func (p *ramp) dueOf(i int) int64 { return p.start + int64(float64(i-p.first)*1e9/p.rate) }

// step opens those that are due.
func (p *ramp) step() error {
	limit := connectsMax
	if p.rate > 0 {
		limit = connectsAtRateMax
	}
	waiting := p.next - p.first - (p.audience.attached - p.attached)
	if p.held = p.held && waiting >= limit/2; p.held {
		return nil
	}
	for n := 0; !p.over() && n < connectsATurn; n++ {
		due := p.audience.swarm.now()
		if p.rate > 0 {
			now := due
			if due = p.dueOf(p.next); due > now {
				return nil
			}
		}
		if waiting++; waiting > limit {
			p.held = true
			return nil
		}
		if err := p.open(p.next, due); err != nil {
			return err
		}
		p.next++
	}
	return nil
}
