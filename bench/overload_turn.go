package bench

import (
	"fmt"
	"time"
)

// overloadTurn is one server under one load.
type overloadTurn struct {
	*overloadRun
	side     overloadSide
	load     string
	t        target
	q        *quota
	g        *agenda
	parts    []*overloadPart
	audience *overloadAudience
	result   *overloadResult

	lastCPU          time.Duration
	lastVain, lastAt int64
}

// overloadPart is one kind of work of a turn.
type overloadPart struct {
	kind   string
	peak   float64 // a second, of this part
	work   overloadLoad
	tally  *outcomes // of the phase
	served int64     // in time, by the last look
	before int64     // offered, of the phase, by the last look
}

// turn measures one server under one load.
func (o *overloadRun) turn(s overloadSide, load string, pair int, t target, q *quota) error {
	u := &overloadTurn{
		overloadRun: o, side: s, load: load, t: t, q: q, g: newAgenda(),
		result: &overloadResult{side: s.name, load: load, on: s.on, pair: pair},
	}
	defer func() { o.results = append(o.results, u.result) }()
	if err := u.prepare(); err != nil {
		return err
	}
	d := o.o.Duration
	warm := max(d/overloadWarmPart, o.o.Hold)
	for i := range warmSteps {
		if _, err := u.phase("warm-up", overloadCalm*float64(i+1)/warmSteps, warm/warmSteps); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		name   string
		factor float64
		length time.Duration
	}{{"reference", overloadCalm, d / overloadReferencePart}, {"overload", overloadFactor, d}, {"after", overloadCalm, d / overloadAfterPart}} {
		phase, err := u.phase(p.name, p.factor, p.length)
		if err != nil {
			return err
		}
		u.result.phases = append(u.result.phases, phase)
	}
	return u.finish()
}

// prepare opens the audience and everything that goes on through all phases.
func (u *overloadTurn) prepare() error {
	var err error
	if u.audience, err = newOverloadAudience(u.run, u.t, u.o.Streams, u.side.on); err != nil {
		return err
	}
	for i, kind := range kinds(u.load) {
		p := &overloadPart{kind: kind, peak: u.peaks[kind]}
		if u.load == loadBoth {
			p.peak /= 2 // each gets half of the server
		}
		if p.work, err = u.newLoad(kind, u.t, u.g, uint64(len(u.results)*callKinds+i)); err != nil {
			return err
		}
		if c, is := p.work.(*connectionLoad); is {
			c.crowd = overloadFactor * p.peak * overloadThink.Seconds()
		}
		u.parts = append(u.parts, p)
	}
	if err := u.quiet(u.t); err != nil {
		return err
	}
	if err := u.rest("rest", min(overloadRest, u.o.Duration/8)); err != nil {
		return err
	}
	now := u.w.now()
	u.g.every(now, int64(overloadTend), func(int64) error {
		for _, p := range u.parts {
			if err := p.work.tend(); err != nil {
				return err
			}
		}
		return nil
	})
	u.g.every(now, int64(u.o.Interval), u.audience.tick)
	if u.lastCPU, err = u.t.cpu(); err != nil {
		return err
	}
	u.lastVain, u.lastAt = u.w.vain, now
	u.g.every(now+u.window(), u.window(), func(int64) error { return u.look() })
	return nil
}

// window is the time between two looks: sixty in the overload.
func (u *overloadTurn) window() int64 { return int64(max(u.o.Duration/60, 20*time.Millisecond)) }

// phase offers a share of the peak for a time.
func (u *overloadTurn) phase(name string, factor float64, length time.Duration) (*overloadPhase, error) {
	u.run.phase(fmt.Sprintf("%s, %s: %s, s", u.load, u.side.name, name), int64(length/time.Second))
	p := &overloadPhase{name: name, late: newHistogram(), audience: newHistogram()}
	for _, part := range u.parts {
		part.tally, part.before = newOutcomes(), 0
		p.tallies = append(p.tallies, part.tally)
		part.work.begin(part.tally)
		part.work.openLoop(part.peak * factor)
	}
	u.audience.begin(p.audience)
	u.g.late = p.late
	before, err := u.use(u.t)
	if err != nil {
		return nil, err
	}
	vain, from := u.w.vain, u.w.now()
	looks := len(u.result.windows)
	if name == "overload" {
		u.result.started = u.w.now()
	}
	if err := u.g.follow(u.run, u.w.now()+int64(length)); err != nil {
		return nil, err
	}
	if name == "overload" {
		u.result.ended = u.w.now()
	}
	if p.spent, err = u.since(u.t, before); err != nil {
		return nil, err
	}
	p.length = float64(p.spent.at) / 1e9
	p.pace = u.pace.between(from, u.w.now())
	p.own = 1 - float64(u.w.vain-vain)/float64(p.spent.at)
	p.sum(u.result.windows[looks:])
	return p, nil
}

// look takes a sample of everything.
func (u *overloadTurn) look() error {
	now := u.w.now()
	w := overloadWindow{at: now, length: float64(now-u.lastAt) / 1e9}
	if w.length <= 0 {
		return nil
	}
	for _, p := range u.parts {
		good := p.work.good()
		share := 1 / (p.peak * w.length * float64(len(u.parts)))
		w.served += float64(good-p.served) * share
		w.offered += float64(p.tally.offered-p.before) * share
		p.served, p.before = good, p.tally.offered
		w.p99 = max(w.p99, p.work.seen().take())
	}
	w.audience = u.audience.window.take()
	rss, err := u.t.rss()
	if err != nil {
		return err
	}
	cpu, err := u.t.cpu()
	if err != nil {
		return err
	}
	w.rss = float64(rss)
	w.cpu, w.own = float64(cpu-u.lastCPU)/float64(now-u.lastAt), 1-float64(u.w.vain-u.lastVain)/float64(now-u.lastAt)
	u.lastCPU, u.lastVain, u.lastAt = cpu, u.w.vain, now
	u.result.windows = append(u.result.windows, w)
	u.step(int64(time.Duration(now-max(u.result.started, 0)) / time.Second))
	return nil
}

// finish offers no more and waits for what is under way.
func (u *overloadTurn) finish() error {
	var publishes *publishLoad
	looks := len(u.result.windows)
	u.audience.over = true
	for _, p := range u.parts {
		p.work.openLoop(0)
		if l, is := p.work.(*publishLoad); is {
			publishes = l
		}
	}
	for end := u.w.now() + 2*int64(min(overloadPatience, u.o.patience)); u.w.now() < end && !u.settled(publishes); {
		if err := u.g.follow(u.run, u.w.now()+int64(10*time.Millisecond)); err != nil {
			return err
		}
	}
	r := u.result
	r.windows = r.windows[:looks] // what follows was not offered anything
	if publishes != nil {
		r.unknown = publishes.astray()
	}
	a := u.audience
	r.ticks, r.tickGot, r.ticksRefused, r.gaps, r.gone = a.want, a.a.delivered, a.refused, a.a.gaps, a.gone
	var err error
	if r.throttled, r.spans, err = u.q.throttled(); err != nil {
		return err
	}
	if err := u.ask(); err != nil {
		return err
	}
	for _, p := range u.parts {
		p.work.close()
	}
	return nil
}

func (u *overloadTurn) settled(publishes *publishLoad) bool {
	for _, p := range u.parts {
		if !p.work.idle() {
			return false
		}
	}
	return u.audience.whole() && (publishes == nil || publishes.readers.delivered >= publishes.taken())
}

// ask notes what the server says of itself: what it has shed, and how its breakers stand.
func (u *overloadTurn) ask() error {
	samples, err := u.t.metrics(u.ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{"throng_shed_total", "throng_breaker_transitions_total"} {
		u.result.notes = append(u.result.notes, nonZero(samples, name)...)
	}
	return nil
}

// astray is how many publishes were taken and not delivered; negative: delivered and not taken.
// Of one that is still under way nobody knows yet: a server without breakers may have a line
// that lasts for longer than the run.
func (l *publishLoad) astray() int64 {
	n := l.taken() - l.readers.delivered
	for _, line := range l.lines {
		if n < 0 && line.busy {
			n++
		}
	}
	return n
}
