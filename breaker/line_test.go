package breaker

import (
	"math"
	"testing"
	"time"
)

// Led by how long work waits, all of the machine is used, and nothing waits for long.
func TestLine_UsesAllThereIs(t *testing.T) {
	for _, capacity := range []float64{1000, 20_000} {
		for _, times := range []float64{1.2, 1.5, 3, 10} {
			p := newPlant(t, capacity, steps(0, 0.8, 10, times))
			p.line = &Line{Target: 20 * time.Millisecond}
			p.run(50)
			first, settled := p.between(10, 20), p.between(20, 50)
			t.Logf("%g times the capacity of %g: before %v; at first %v; settled %v", times, capacity, p.between(5, 10), first, settled)
			if settled.goodput < 0.95 || first.goodput < 0.9 {
				t.Errorf("goodput %.3f at first, %.3f settled", first.goodput, settled.goodput)
			}
			if settled.waitMost > 0.12 || first.waitMost > 0.15*times || settled.wait > 0.045 {
				t.Errorf("waits up to %.0f ms at first, %.0f ms settled, %.0f ms on average", first.waitMost*1e3, settled.waitMost*1e3, settled.wait*1e3)
			}
		}
	}
}

// What is let in is worked off before the next is asked for: then the first limit is what was
// done while the line grew, even where nothing was known before.
func TestLimiter_AtOnceBeginsWithWhatIsDone(t *testing.T) {
	var now int64
	l := NewLimiter(LimiterOptions{Min: 10, Burst: time.Second, Clock: func() int64 { return now }, AtOnce: true})
	for range 3 {
		now += int64(100 * time.Millisecond)
		for range 500 {
			l.Allow()
		}
		l.Tick(1.5)
	}
	if rate := l.Rate(); rate < 3000 || rate > 5000 {
		t.Errorf("%.0f a second, where 5,000 were done", rate)
	}
}

func TestLine_PressesByWhereItGoes(t *testing.T) {
	l := &Line{Target: 20 * time.Millisecond}
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	for _, c := range []struct{ wait, want float64 }{
		{0, 0},      // no line
		{1, 0},      // hardly one
		{10, 1.07},  // it grows by a tenth
		{20, 1.1},   //
		{20, 1},     // at the target it stays
		{120, 2.2},  // twice as much comes as is done
		{60, 1},     // it falls, but is too long
		{15, 0.74},  // it falls
		{1, 0.822},  // and is over
		{0.5, 0},    //
		{1000, 0.5}, // not asked for: no time has passed
	} {
		span := 100 * time.Millisecond
		if c.wait == 1000 {
			span, c.want = 0, 0
		}
		if got := l.Pressure(ms(c.wait), span); math.Abs(got-c.want) > 0.005 {
			t.Errorf("a wait of %v ms presses by %v, want %v", c.wait, got, c.want)
		}
	}
}
