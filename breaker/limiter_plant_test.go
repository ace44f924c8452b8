package breaker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// plant is a server behind a Limiter, in steps of a millisecond: what is let in waits in one
// line, and is worked off at up to capacity a second. Each tick it is told how busy it was in
// the tick before the last (a lag of one tick), give or take some noise; 1 is 88 % busy.
type plant struct {
	limiter  *Limiter
	random   *rand.Rand
	now      int64                     // ns
	capacity float64                   // a second
	noise    float64                   // standard deviation of the pressure
	offered  func(sec float64) float64 // times the capacity
	base     func(sec float64) float64 // of the capacity, that others take first; nil: nothing
	stalled  func(sec float64) bool    // nothing is worked off, and what waits is seen; nil: never
	seesWait bool                      // pressure is also the wait, in 50 ms
	line     *Line                     // pressure is what it says, and how busy it is up to 0.97; nil: as above
	waits    [10]float64               // with a line: the wait at the last looks, one every 10 ms

	backlog  float64
	busy     float64 // of this tick, 0 to 1
	measured float64 // of the tick before
	done     float64 // in this tick
	ticks    []plantTick
}

// plantTick is what came of one tick.
type plantTick struct {
	sec, goodput, wait, rate, pressure float64 // goodput in times the capacity, wait in seconds, rate as goodput; 0: no limit
	refused                            float64
}

const (
	plantTickMs = 100
	plantTarget = 0.88
)

func newPlant(t *testing.T, capacity float64, offered func(sec float64) float64) *plant {
	seed := testSeed(t)
	p := &plant{random: rand.New(rand.NewPCG(seed, 1)), capacity: capacity, noise: 0.05, offered: offered}
	p.limiter = NewLimiter(LimiterOptions{Min: capacity / 100, Burst: 50 * time.Millisecond, Clock: func() int64 { return p.now }})
	return p
}

// testSeed is that of a simulation: the same in each run, as its bounds are those of chance, or
// what THRONG_TEST_SEED says; then it hunts.
func testSeed(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("THRONG_TEST_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	t.Logf("seed %d", seed)
	return seed
}

// run goes on until sec.
func (p *plant) run(sec float64) *plant {
	for p.second() < sec {
		p.now += int64(time.Millisecond)
		p.step(p.second())
		if p.line != nil && p.now/int64(time.Millisecond)%10 == 0 {
			copy(p.waits[:], p.waits[1:])
			p.waits[len(p.waits)-1] = p.backlog / p.capacity
		}
		if p.now/int64(time.Millisecond)%plantTickMs == 0 {
			p.tick()
		}
	}
	return p
}

func (p *plant) second() float64 { return float64(p.now) / float64(time.Second) }

// step is a millisecond: arrivals at random, then work.
func (p *plant) step(sec float64) {
	for range p.poisson(p.offered(sec) * p.capacity / 1000) {
		if p.line != nil && p.random.Float64() < min(0.75, p.backlog/p.capacity/p.line.Target.Seconds()-1) {
			p.limiter.Refuse() // as the server does with who has waited for too long
			continue
		}
		if p.limiter.Allow() {
			p.backlog++
		}
	}
	free := 1.0
	if p.base != nil {
		free = 1 - p.base(sec)
	}
	if p.stalled != nil && p.stalled(sec) {
		free = 0
	}
	most := p.capacity / 1000
	worked := min(p.backlog, free*most*(0.7+0.6*p.random.Float64())) // no two pieces of work are alike
	p.backlog -= worked
	p.done += worked
	p.busy += (worked/most + 1 - free) / plantTickMs
}

func (p *plant) poisson(mean float64) (n int) {
	for limit, product := math.Exp(-mean), p.random.Float64(); product > limit; n++ {
		product *= p.random.Float64()
	}
	return n
}

func (p *plant) tick() {
	pressure := p.measured / plantTarget * (1 + p.noise*p.random.NormFloat64())
	wait := p.backlog / p.capacity
	if p.seesWait || p.stalled != nil && p.stalled(p.second()) {
		pressure = max(pressure, wait/0.05)
	}
	if p.line != nil {
		standing := time.Duration(slices.Min(p.waits[:]) * 1e9)
		pressure = max(min(p.measured*(1+p.noise*p.random.NormFloat64()), 0.97), p.line.Pressure(standing, plantTickMs*time.Millisecond))
	}
	p.measured = min(p.busy, 1)
	refused := p.limiter.refused.Load() - p.limiter.off
	p.limiter.Tick(pressure)
	p.ticks = append(p.ticks, plantTick{
		sec: p.second(), goodput: p.done / p.capacity * 1000 / plantTickMs, wait: wait,
		rate: p.limiter.Rate() / p.capacity, pressure: pressure, refused: float64(refused),
	})
	p.busy, p.done = 0, 0
}

// plantSum sums up the ticks of some seconds.
type plantSum struct {
	goodput, wait, waitMost, rate, wobble, rateLeast, pressure, refused float64 // wobble: standard deviation of the rate, of its mean
	limited                                                             float64 // part of the ticks
}

// between sums up the ticks after a second, up to another.
func (p *plant) between(from, to float64) (s plantSum) {
	n, limited := 0.0, 0.0
	squares := 0.0
	s.rateLeast = math.Inf(1)
	for _, k := range p.ticks {
		if k.sec <= from || k.sec > to {
			continue
		}
		n++
		s.goodput += k.goodput
		s.wait += k.wait
		s.waitMost = max(s.waitMost, k.wait)
		s.pressure += k.pressure
		s.refused += k.refused
		if k.rate > 0 {
			limited++
			s.rate += k.rate
			squares += k.rate * k.rate
			s.rateLeast = min(s.rateLeast, k.rate)
		}
	}
	s.goodput, s.wait, s.pressure, s.limited = s.goodput/n, s.wait/n, s.pressure/n, limited/n
	if limited > 0 {
		s.rate /= limited
		s.wobble = math.Sqrt(max(squares/limited-s.rate*s.rate, 0)) / s.rate
	}
	return s
}

func (s plantSum) String() string {
	return fmt.Sprintf("goodput %.3f, wait %.0f ms (at most %.0f), limited %.0f %% of the time, rate %.2f ± %.0f %% (at least %.2f), pressure %.2f, refused %.0f",
		s.goodput, s.wait*1e3, s.waitMost*1e3, s.limited*100, s.rate, s.wobble*100, s.rateLeast, s.pressure, s.refused)
}

// lastLimited is when there was a limit last.
func (p *plant) lastLimited() (sec float64) {
	for _, k := range p.ticks {
		if k.rate > 0 {
			sec = k.sec
		}
	}
	return sec
}

// steps gives pairs of a second and what is so from then on.
func steps(rows ...float64) func(float64) float64 {
	return func(sec float64) float64 {
		v := rows[1]
		for i := 0; i < len(rows); i += 2 {
			if sec > rows[i] {
				v = rows[i+1]
			}
		}
		return v
	}
}
