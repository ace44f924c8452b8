package breaker

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// LimiterOptions configure a Limiter.
type LimiterOptions struct {
	Min   float64       // a second; it never lets in less, so that everybody's turn comes; at least 1
	Burst time.Duration // of the rate may come at once
	Least int           // as many at least may come at once, however low the rate; below 1 is 1
	Clock func() int64  // monotonic, ns

	// AtOnce says that what is let in is done before the next is asked for: then what was let
	// in while work waited is what can be done.
	AtOnce bool

	// ShareOver is the time over which the share of refusals is averaged; 0: 2 s.
	ShareOver time.Duration
}

// Limiter lets in what there is room for. There is no limit until the pressure has reached 1;
// then what is known to make it 1, or else what was let in before, is the limit, and from
// there it is led so that the pressure stays at 1. When nobody has been refused for a while,
// there is no limit again.
//
// It follows BBR and Sentinel's system rules: what went through before the pressure rose is
// what the machine can take, whatever a configuration thinks. The rate is then led by an
// integrating controller in logarithms: each tick multiplies it by a power of 1/pressure, so
// that it is as quick for 100 a second as for 100,000, and that its mean error is zero. Two
// ticks must agree before it moves, on the less extreme of them: one bad tick does nothing,
// and noise around 1 gives no motion. (Raising and cutting by fixed steps, as TCP does, saws;
// and cutting at each tick above 1 goes on while what was let in too much is worked off.)
//
// Who is refused is silent for seconds, so a tick without a refusal does not say that the limit
// is wide enough: for a while it goes on rising, and stays for longer. Several limits that
// see the same pressure share what there is: who is refused is given a little more, whatever
// the pressure, and who is not felt is not cut to nothing.
//
// Allow may be called by any goroutine, Tick by one.
type Limiter struct {
	o LimiterOptions

	_       [64]byte      // what all read and nobody writes often keeps its cache line
	rate    atomic.Uint64 // bits of a float64, a second; 0: no limit
	_       [64]byte
	next    atomic.Int64 // when the next one is due, ns
	allowed atomic.Uint64
	refused atomic.Uint64
	others  atomic.Uint64 // refused, but not by the limit
	_       [64]byte

	last   int64                // Tick, ns
	seen   uint64               // allowed by then
	off    uint64               // refused by then, by the limit
	gone   uint64               // and not by the limit
	ticks  [limitBefore]float64 // allowed a second in the last ticks, the newest last
	speed  float64              // the same, averaged
	before [limitBefore]float64 // speed at the last ticks, the newest last
	mean   float64              // pressure, averaged as speed is
	good   float64              // a second: what would make the pressure 1, as far as is known; 0: nothing is
	raw    float64              // pressure at the last tick
	calm   int64                // since when nobody is refused, ns
	share  atomic.Uint64
}

// What a Limiter does in a tick. The numbers are from the simulation in limiter_plant_test.go.
const (
	limitSpeedOver = 1.0              // seconds over which the speed is averaged
	limitBefore    = 5                // ticks that a limit is behind the cause of the pressure, at most
	limitGain      = 2.0              // a second: of the logarithm of the pressure, that is taken from that of the rate
	limitCutMost   = 1.0              // a second: of the logarithm of the rate, that is cut
	limitSlack     = 1.1              // of the speed: a limit above it would not be felt
	limitGoodOver  = 2.0              // seconds over which good is averaged
	limitGoodFrom  = 0.5              // pressure from which what is let in says what could be
	limitStart     = 0.9              // of good: the first limit
	limitKept      = 0.5              // of good: what a limit that nobody felt is not cut below, as others make the pressure
	limitFair      = 0.02             // a second: of good, that who is refused gets more, so that limits of one machine share it
	limitBinding   = 2 * time.Second  // since the last refusal, for which the rate goes on rising: who was refused is silent
	limitRise      = 2.0              // of the fastest tick: where a rate that nobody feels stops rising
	limitCalmAfter = 10 * time.Second // without a refusal, until there is no limit again: by then who was told to come later has come
	limitShareOver = 2 * time.Second  // see ShareOver
	limitSpanMost  = 0.25             // seconds that a tick stands for, at most
	limitLeast     = 0.05             // pressure: below it all are the same
	limitMost      = 20.0             // pressure: above it all are the same
)

// NewLimiter makes one without a limit.
func NewLimiter(o LimiterOptions) *Limiter {
	o.Min, o.Least = max(o.Min, 1), max(o.Least, 1)
	if o.ShareOver <= 0 {
		o.ShareOver = limitShareOver
	}
	return &Limiter{o: o, last: o.Clock()}
}

// Allow asks for one. Without a limit it is an atomic load and an addition. With one it is
// the generic cell rate algorithm: next is when the next one would be due if they came evenly,
// and may lie behind by the burst. A clock that differs a little between processors moves that
// by as much, and no more.
func (l *Limiter) Allow() bool {
	rate := l.Rate()
	if rate == 0 {
		l.allowed.Add(1)
		return true
	}
	now := l.o.Clock()
	gap := int64(float64(time.Second) / rate)
	earliest := now - max(int64(l.o.Burst), gap*int64(l.o.Least))
	for {
		next := l.next.Load()
		due := max(next, earliest)
		if due > now {
			l.refused.Add(1)
			return false
		}
		if l.next.CompareAndSwap(next, due+gap) {
			l.allowed.Add(1)
			return true
		}
	}
}

// Refuse counts one who was refused before the limit was asked: in the share of those who are,
// not as somebody who felt the limit.
func (l *Limiter) Refuse() { l.others.Add(1) }

// Tick looks at how it went since the last call. pressure is 1 where the machine has as much
// to do as it should. Calls come regularly, a few a second or more.
func (l *Limiter) Tick(pressure float64) {
	now := l.o.Clock()
	span := float64(now-l.last) / float64(time.Second)
	if span <= 0 {
		return
	}
	if !(pressure > limitLeast) { // also what is not a number
		pressure = limitLeast
	}
	pressure = min(pressure, limitMost)
	allowed, refused, others := l.allowed.Load(), l.refused.Load(), l.others.Load()
	in, out := float64(allowed-l.seen), float64(refused-l.off)
	l.remember(in, out+float64(others-l.gone), pressure, span)
	l.last, l.seen, l.off, l.gone = now, allowed, refused, others
	least, most := min(pressure, l.raw), max(pressure, l.raw)
	l.raw = pressure
	l.rate.Store(math.Float64bits(l.follow(l.Rate(), least, most, out > 0, min(span, limitSpanMost))))
}

// follow gives the rate that follows on rate, for the least and the most pressure of two ticks.
func (l *Limiter) follow(rate, least, most float64, refused bool, span float64) float64 {
	since := l.last - l.calm
	if refused {
		l.calm = l.last
	}
	fastest := slices.Max(l.ticks[:])
	switch {
	case rate == 0 && least >= 1:
		l.calm = l.last
		start := l.good
		if start == 0 { // it has never been quiet
			start = l.speed / max(l.mean, 1)
		}
		rate = max(slices.Min(l.before[:])*limitSlack, limitStart*start)
		if l.o.AtOnce {
			rate = max(rate, (l.ticks[limitBefore-1]+l.ticks[limitBefore-2]+l.ticks[limitBefore-3])/3)
		}
	case rate == 0:
		return 0
	case least > 1:
		rate = min(rate, max(fastest*limitSlack, limitKept*l.good)) * math.Exp(-min(limitCutMost, limitGain*math.Log(least))*span)
	case most < 1 && (refused || since < int64(limitBinding)):
		risen := rate * math.Exp(-limitGain*math.Log(most)*span)
		if !refused {
			risen = min(risen, max(rate, limitRise*fastest))
		}
		rate = risen
	case !refused && since > int64(limitCalmAfter):
		return 0
	}
	if refused {
		rate += limitFair * l.good * span
	}
	return max(rate, l.o.Min)
}

// remember averages the speed and the pressure, what could be let in, and the share of
// refusals.
func (l *Limiter) remember(in, out, pressure, span float64) {
	copy(l.ticks[:], l.ticks[1:])
	l.ticks[limitBefore-1] = in / span
	copy(l.before[:], l.before[1:])
	l.before[limitBefore-1] = l.speed
	part := min(1, span/limitSpeedOver)
	l.speed += (in/span - l.speed) * part
	l.mean += (pressure - l.mean) * part
	if l.mean > limitGoodFrom && max(l.mean, pressure) < 1 {
		if could := l.speed / l.mean; l.good == 0 {
			l.good = could
		} else {
			l.good += (could - l.good) * min(1, span/limitGoodOver)
		}
	}
	share, now := l.RefusedShare(), 0.0
	if out > 0 {
		now = out / (in + out)
	}
	share += (now - share) * min(1, span/l.o.ShareOver.Seconds())
	l.share.Store(math.Float64bits(share))
}

// Rate is the limit, a second; 0: there is none. Any goroutine may ask.
func (l *Limiter) Rate() float64 { return math.Float64frombits(l.rate.Load()) }

// Counts is how many were let in and how many refused since it was made.
func (l *Limiter) Counts() (in, refused uint64) {
	return l.allowed.Load(), l.refused.Load() + l.others.Load()
}

// RefusedShare is the part of those who asked lately that was refused, 0 to 1. Who is told
// when to come back is told the later the larger it is.
func (l *Limiter) RefusedShare() float64 { return math.Float64frombits(l.share.Load()) }
