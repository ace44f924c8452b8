package breaker

import (
	"math"
	"sync/atomic"
	"time"
)

// LimiterOptions configure a Limiter.
type LimiterOptions struct {
	Min   float64       // a second; it never lets in less, so that everybody's turn comes
	Burst time.Duration // of the rate may come at once
	Clock func() int64  // monotonic, ns
}

// Limiter lets in what there is room for. There is no limit until the pressure reaches 1;
// then the rate at which things were let in until now is the limit, and from there it is
// lowered while the pressure is above 1 and raised while it is below and somebody is
// refused. When nobody has been refused for a while, there is no limit again.
//
// It follows BBR and Sentinel's system rules: what goes through without the pressure rising
// is what the machine can take, whatever a configuration thinks.
//
// Allow may be called by any goroutine, Tick by one.
type Limiter struct {
	o       LimiterOptions
	rate    atomic.Uint64 // bits of a float64, a second; 0: no limit
	next    atomic.Int64  // when the next one is due, ns
	allowed atomic.Uint64
	refused atomic.Uint64

	last  int64   // Tick, ns
	seen  uint64  // allowed by then
	off   uint64  // refused by then
	speed float64 // allowed a second, lately
	calm  int64   // since when nobody is refused, ns
	share atomic.Uint64
}

// What a Limiter does in a tick.
const (
	limitSpeedOver = 0.5             // seconds over which the speed is averaged
	limitCutMost   = 0.7             // of the rate, left after one tick however high the pressure is
	limitRaiseMost = 0.05            // of the rate, added in one tick
	limitSlack     = 1.1             // of the speed: a limit above it would not be felt
	limitCalmAfter = 2 * time.Second // without a refusal, until there is no limit again
	limitShareOver = 2.0             // seconds over which the share of refusals is averaged
)

// NewLimiter makes one without a limit.
func NewLimiter(o LimiterOptions) *Limiter {
	return &Limiter{o: o, last: o.Clock()}
}

// Allow asks for one. Without a limit it is an atomic load and an addition.
func (l *Limiter) Allow() bool {
	rate := math.Float64frombits(l.rate.Load())
	if rate == 0 {
		l.allowed.Add(1)
		return true
	}
	now := l.o.Clock()
	gap := int64(float64(time.Second) / rate)
	earliest := now - max(int64(l.o.Burst), gap)
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

// Tick looks at how it went since the last call. pressure is 1 where the machine has as much
// to do as it should. Calls come regularly, a few a second or more.
func (l *Limiter) Tick(pressure float64) {
	now := l.o.Clock()
	span := float64(now-l.last) / float64(time.Second)
	if span <= 0 {
		return
	}
	allowed, refused := l.allowed.Load(), l.refused.Load()
	in, out := float64(allowed-l.seen), float64(refused-l.off)
	l.last, l.seen, l.off = now, allowed, refused
	l.speed += (in/span - l.speed) * min(1, span/limitSpeedOver)
	l.remember(in, out, span)
	rate := math.Float64frombits(l.rate.Load())
	switch {
	case rate == 0 && pressure < 1:
		return
	case rate == 0:
		rate = max(l.o.Min, l.speed/pressure)
		l.calm = now
	case pressure >= 1:
		rate = max(l.o.Min, min(rate, l.speed*limitSlack)*max(limitCutMost, 1/pressure))
		l.calm = now
	case out > 0:
		rate *= 1 + min(limitRaiseMost, (1-pressure)/2)
		l.calm = now
	case now-l.calm > int64(limitCalmAfter):
		rate = 0
	}
	l.rate.Store(math.Float64bits(rate))
}

// remember averages the share of refusals.
func (l *Limiter) remember(in, out, span float64) {
	share := math.Float64frombits(l.share.Load())
	now := 0.0
	if out > 0 {
		now = out / (in + out)
	}
	share += (now - share) * min(1, span/limitShareOver)
	l.share.Store(math.Float64bits(share))
}

// Rate is the limit, a second; 0: there is none. Any goroutine may ask.
func (l *Limiter) Rate() float64 { return math.Float64frombits(l.rate.Load()) }

// RefusedShare is the part of those who asked lately that was refused, 0 to 1. Who is told
// when to come back is told the later the larger it is.
func (l *Limiter) RefusedShare() float64 { return math.Float64frombits(l.share.Load()) }
