package bench

import (
	"errors"
	"fmt"
	"time"
)

const (
	// overloadTend is the time between two looks at what is held and what has waited.
	overloadTend = 2 * time.Millisecond
	// The closed loop begins with peakFirst under way and doubles, to peakLast. It does not
	// end where a step brings nothing: what is under way together is cheaper, and a step
	// further may bring more.
	peakFirst = 16
	peakLast  = 1024
	// peakLost of the best, or less, ends it: more under way only makes it worse.
	peakLost = 0.5

	// A rate at which an open loop is not served in time is lowered to peakLower of it,
	// peakLowerMax times.
	peakLower    = 0.95
	peakLowerMax = 20
	// One at which it is served is raised to peakRaise of it, peakRaiseMax times.
	peakRaise    = 1.1
	peakRaiseMax = 12
	// peakPatience is for how many windows more a server may serve nothing at first.
	peakPatience = 40
	// peakPause is how long a place of the closed loop stays free after a refusal, at most: the
	// question is what the server serves, and others come where one was sent away.
	peakPause = 100 * time.Millisecond
	// peakSustained is the percentage of an open loop's work that has to be served in time.
	peakSustained = 98.0
	peakPasses    = 2 // in a row: once may be luck
	// overloadInTime is within how long of when it was due work has to be done to be good for
	// anything: what a person takes for at once, and half of what a command to a device may take.
	overloadInTime = 100 * time.Millisecond
)

// short is a run that is too short to measure anything.
func (o *Options) short() bool { return o.Duration < awakeFrom }

// inTime is overloadInTime, ns; a short run takes whatever comes.
func (o *Options) inTime() int64 {
	if o.short() {
		return int64(overloadPatience)
	}
	return int64(overloadInTime)
}

// findPeaks finds the peak of each kind of work on its own: of a closed loop, of each side; then
// of an open one, down on the side that limits nothing, and up again on the one that does.
func (o *overloadRun) findPeaks() error {
	for _, s := range o.sides {
		err := o.alone(s, func(kind string, l overloadLoad, g *agenda) error {
			peak, under, err := o.peak(l, g)
			if err != nil {
				return err
			}
			o.report.figure(fmt.Sprintf("peak of %s, %s", kind, s.name), peak, "1/s")
			o.report.figure(fmt.Sprintf("peak of %s, %s, under way", kind, s.name), float64(under), "")
			if o.peaks[kind] = max(o.peaks[kind], peak); s.name == o.sides[len(o.sides)-1].name {
				return o.sustain(kind, l, g)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return o.alone(o.sides[0], o.raise)
}

// alone starts a side and lets each kind of work be done on its own.
func (o *overloadRun) alone(s overloadSide, do func(kind string, l overloadLoad, g *agenda) error) error {
	return o.with(s, func(t target, _ *quota) error {
		audience, err := newOverloadAudience(o.run, t, o.o.Streams, s.on) // it is there in the turns, too
		if err != nil {
			return err
		}
		for i, kind := range kinds(o.o.Load) {
			g := newAgenda()
			l, err := o.newLoad(kind, t, g, uint64(i))
			if err != nil {
				return err
			}
			if err := o.rest("rest", min(overloadRest, o.o.Duration/8)); err != nil {
				return err
			}
			g.every(o.w.now(), int64(overloadTend), func(int64) error { return l.tend() })
			g.every(o.w.now(), int64(o.o.Interval), audience.tick)
			o.run.phase(fmt.Sprintf("peak of %s, %s", kind, s.name), 0)
			if err := do(kind, l, g); err != nil {
				return err
			}
			l.close()
			if err := o.quiet(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// peak is the greatest rate of a closed loop, and how much was under way then: the median
// of three more windows at what was best.
func (o *overloadRun) peak(l overloadLoad, g *agenda) (best float64, under int, err error) {
	window := min(2*time.Second, o.o.Duration/8)
	tally := newOutcomes()
	l.begin(tally)
	for n := peakFirst; n <= l.most(); n *= 2 {
		rate, err := o.rate(l, g, n, window)
		for tries := 0; err == nil && rate == 0 && best == 0 && tries < peakPatience; tries++ {
			rate, err = o.rate(l, g, n, window)
		}
		if err != nil {
			return 0, 0, err
		}
		o.logf("overload: %d under way: %.0f/s; all in all %v", n, rate, tally)
		if rate > best {
			best, under = rate, n
		} else if rate < best*peakLost {
			break
		}
	}
	if under == 0 {
		return 0, 0, errors.New("bench: the server has served nothing")
	}
	var again []float64
	for range 3 {
		rate, err := o.rate(l, g, under, window)
		if err != nil {
			return 0, 0, err
		}
		again = append(again, rate)
	}
	if m := median(again); m > 0 {
		best = m
	}
	return best, under, errors.Join(l.closedLoop(0), g.follow(o.run, o.w.now()+int64(window)))
}

// rate is that of a closed loop with n under way. The first part, in which streams of the
// step before end, does not count.
func (o *overloadRun) rate(l overloadLoad, g *agenda, n int, window time.Duration) (float64, error) {
	if err := l.closedLoop(n); err != nil {
		return 0, err
	}
	if err := g.follow(o.run, o.w.now()+int64(min(o.o.Hold, window)+window/4)); err != nil {
		return 0, err
	}
	from, done := o.w.now(), l.done()
	if err := g.follow(o.run, from+int64(window)); err != nil {
		return 0, err
	}
	return float64(l.done()-done) * 1e9 / float64(o.w.now()-from), nil
}

// sustain lowers the rate of the closed loop until the server does the work of an open loop of
// that rate in time. A closed loop is faster than any open one: its work comes in bunches, which
// are cheaper. It is asked of the side that limits nothing.
func (o *overloadRun) sustain(kind string, l overloadLoad, g *agenda) error {
	for range peakLowerMax {
		good, err := o.sustains(kind, l, g, o.peaks[kind])
		if o.sustained[kind] = good; err != nil || good {
			return err
		}
		o.peaks[kind] *= peakLower
	}
	return nil
}

// raise raises it as long as the side with breakers does the work in time: near its peak a server
// without may get a line that it never gets rid of, and is then slower than it could be for much
// less than what it could take. What neither has done in time is no peak.
func (o *overloadRun) raise(kind string, l overloadLoad, g *agenda) error {
	raised, most := 0, peakRaiseMax
	if o.o.short() {
		most = 1
	}
	for ; raised < most; raised++ {
		rate := o.peaks[kind] * peakRaise
		good, err := o.sustains(kind, l, g, rate)
		if err != nil {
			return err
		}
		if !good {
			break
		}
		o.peaks[kind] = rate
	}
	if raised == 0 && !o.sustained[kind] {
		o.report.invalid("peak of %s: at %.0f/s, the least that was tried, less than %.0f %% were served in time", kind, o.peaks[kind], peakSustained)
	}
	o.report.figure("peak of "+kind+", open loop, that both sides are measured against", o.peaks[kind], "1/s")
	return nil
}

// sustains says whether an open loop is served in time, peakPasses times in a row.
func (o *overloadRun) sustains(kind string, l overloadLoad, g *agenda, rate float64) (bool, error) {
	if c, is := l.(*connectionLoad); is {
		c.crowd = overloadFactor * rate * overloadThink.Seconds()
	}
	from := o.w.now()
	for range peakPasses {
		good, err := o.open(l, g, rate)
		if err != nil {
			return false, err
		}
		o.logf("overload: %s, open loop, %.0f/s: %.0f %% served in time", kind, rate, good)
		if good < peakSustained {
			return false, nil
		}
	}
	o.paces[kind] = o.pace.between(from, o.w.now())
	return true, nil
}

// open offers an open loop of a rate for a while and gives the percentage of it that was served
// in time. Then it waits until the server has nothing more to do.
func (o *overloadRun) open(l overloadLoad, g *agenda, rate float64) (good float64, err error) {
	window := int64(min(2*time.Second, o.o.Duration/8))
	l.openLoop(rate)
	if err := g.follow(o.run, o.w.now()+window); err != nil {
		return 0, err
	}
	from, done := o.w.now(), l.good()
	if err := g.follow(o.run, from+2*window); err != nil {
		return 0, err
	}
	good = 100 * float64(l.good()-done) * 1e9 / float64(o.w.now()-from) / rate
	l.openLoop(0)
	for end := o.w.now() + 2*int64(overloadPatience); o.w.now() < end && !l.idle(); {
		if err := g.follow(o.run, o.w.now()+window/4); err != nil {
			return 0, err
		}
	}
	return good, g.follow(o.run, o.w.now()+window)
}
