package breaker

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLimiter_SettlesAtTheTarget(t *testing.T) {
	for _, capacity := range []float64{1000, 20_000} {
		for _, times := range []float64{1, 1.5, 3, 10} {
			for _, wait := range []bool{false, true} {
				p := newPlant(t, capacity, steps(0, 0.5, 5, times))
				p.seesWait = wait
				settled := p.run(45).between(15, 45)
				t.Logf("%g times the capacity of %g: at first %v; settled %v", times, capacity, p.between(5, 15), settled)
				if settled.goodput < plantTarget*0.98 || settled.goodput > plantTarget*1.05 {
					t.Errorf("goodput %.3f, want %g", settled.goodput, plantTarget)
				}
				if settled.wobble > 0.05 {
					t.Errorf("the rate sways by %.0f %%", settled.wobble*100)
				}
				if settled.waitMost > 0.06 {
					t.Errorf("what was let in waited for %.0f ms", settled.waitMost*1e3)
				}
			}
		}
	}
}

// A jump is met by what went through before it: the line that forms in the three ticks
// until then is worked off, and the work that is done meanwhile is all that can be done.
func TestLimiter_JumpIsMetByWhatWentThroughBefore(t *testing.T) {
	p := newPlant(t, 5000, steps(0, 0.5, 5, 3))
	p.run(10)
	first := p.between(5, 10)
	t.Log(first)
	if first.goodput < 0.8 {
		t.Errorf("goodput %.3f in the first 5 s", first.goodput)
	}
	if first.waitMost > 1 {
		t.Errorf("what was let in waited for %.1f s", first.waitMost)
	}
	if wait := p.between(7, 10).waitMost; wait > 0.25 {
		t.Errorf("after 2 s the line still takes %.0f ms", wait*1e3)
	}
}

func TestLimiter_ColdStartFindsTheRate(t *testing.T) {
	p := newPlant(t, 5000, func(float64) float64 { return 10 })
	p.run(15)
	t.Log(p.between(0, 10), p.between(10, 15))
	if s := p.between(10, 15); s.goodput < plantTarget*0.97 {
		t.Errorf("10 s after its start goodput is %.3f", s.goodput)
	}
}

func TestLimiter_StepsUpAndDown(t *testing.T) {
	p := newPlant(t, 5000, steps(0, 0.5, 5, 3, 15, 1.2, 25, 10, 35, 1, 45, 3))
	p.run(60)
	for from := 10.0; from < 60; from += 10 {
		s := p.between(from, from+5)
		t.Logf("%g s: %v", from, s)
		if s.goodput < plantTarget*0.95 {
			t.Errorf("from %g s on goodput is %.3f", from, s.goodput)
		}
	}
}

func TestLimiter_RisingLoadIsFollowed(t *testing.T) {
	p := newPlant(t, 5000, func(sec float64) float64 { return 0.4 + sec/10 })
	p.run(30)
	for from := 6.0; from < 30; from += 4 {
		if s := p.between(from, from+4); s.goodput < 0.83 || s.waitMost > 0.3 {
			t.Errorf("from %g s on: %v", from, s)
		}
	}
}

// What others take of the machine is not there for what is let in.
func TestLimiter_RoomTakenByOthersIsGivenBack(t *testing.T) {
	p := newPlant(t, 5000, func(float64) float64 { return 3 })
	p.base = steps(0, 0, 15, 0.5, 30, 0)
	p.run(45)
	for _, c := range []struct{ from, to, want float64 }{{10, 15, 0.88}, {20, 30, 0.38}, {35, 45, 0.88}} {
		if s := p.between(c.from, c.to); math.Abs(s.goodput-c.want) > 0.05 {
			t.Errorf("from %g s on %v; want %.2f", c.from, s, c.want)
		}
	}
}

func TestLimiter_IsOffSoonAfterTheLoad(t *testing.T) {
	p := newPlant(t, 5000, steps(0, 0.5, 5, 3, 20, 0.5))
	p.run(40)
	if last := p.lastLimited(); last < 20 || last > 33 {
		t.Errorf("limited until %.1f s; the load was gone at 20", last)
	}
	if refused := p.between(21, 40).refused; refused > 0 {
		t.Errorf("%.0f refused with half of the load that there is room for", refused)
	}
}

// Arrivals that come at random press above 1 for two ticks every now and then, the more so the
// fewer they are. The limit that there is then is above what comes; with smooth ones there is none.
func TestLimiter_BelowTheTargetNobodyIsRefused(t *testing.T) {
	for _, capacity := range []float64{2000, 20_000} {
		p := newPlant(t, capacity, steps(0, 0.5, 5, 0.6, 10, 0.7, 20, 0.8))
		p.run(80)
		s := p.between(0, 80)
		t.Log(s)
		if asked := 0.76 * 80 * capacity; s.refused > asked/1000 {
			t.Errorf("%.0f of %.0f refused", s.refused, asked)
		}
	}
	p := newPlant(t, 50_000, func(float64) float64 { return 0.8 })
	p.noise = 0.02
	if p.run(60); p.lastLimited() != 0 {
		t.Errorf("limited at %.1f s with 80 %% of the load", p.lastLimited())
	}
}

func TestLimiter_StallDoesNotCollapseIt(t *testing.T) {
	p := newPlant(t, 5000, func(float64) float64 { return 3 })
	p.stalled = func(sec float64) bool { return sec > 20 && sec <= 20.2 }
	p.run(25)
	after := p.between(20.2, 22.2)
	t.Log(after)
	if after.goodput < 0.75 || after.rateLeast < 0.5 {
		t.Errorf("after a stall: %v", after)
	}
}

func TestLimiter_OneBadTickDoesNothing(t *testing.T) {
	var now int64
	l := NewLimiter(LimiterOptions{Min: 10, Burst: time.Second, Clock: func() int64 { return now }})
	tick := func(pressure float64) {
		now += int64(100 * time.Millisecond)
		for range 150 {
			l.Allow()
		}
		l.Tick(pressure)
	}
	for range 20 {
		tick(0.9)
	}
	tick(20)
	tick(0.9)
	if l.Rate() != 0 {
		t.Fatalf("limit %g after one bad tick", l.Rate())
	}
	tick(1.2)
	tick(1.2)
	before := l.Rate()
	if before == 0 {
		t.Fatal("no limit after two ticks above 1")
	}
	tick(0.99)
	tick(20)
	if rate := l.Rate(); rate < before {
		t.Errorf("one bad tick cut the limit from %g to %g", before, rate)
	}
}

// Who is refused for another reason has not felt the limit: it ends, and the share has all.
func TestLimiter_RefusalsByOthersDoNotKeepIt(t *testing.T) {
	var now int64
	l := NewLimiter(LimiterOptions{Min: 10, Burst: time.Second, Clock: func() int64 { return now }})
	for i := range 300 {
		now += int64(100 * time.Millisecond)
		for range 100 {
			l.Allow()
			l.Refuse()
		}
		pressure := 0.9
		if i < 10 {
			pressure = 1.2
		}
		l.Tick(pressure)
		if i == 10 && l.Rate() == 0 {
			t.Fatal("there is no limit")
		}
	}
	if in, refused := l.Counts(); l.Rate() != 0 || in < 10_000 || refused < 30_000 || l.RefusedShare() < 0.49 {
		t.Errorf("limit %v, share %v; %d were let in, %d refused", l.Rate(), l.RefusedShare(), in, refused)
	}
}

func TestLimiter_NeverBelowMin(t *testing.T) {
	var now int64
	l := NewLimiter(LimiterOptions{Min: 100, Clock: func() int64 { return now }})
	for range 1000 {
		now += int64(100 * time.Millisecond)
		for range 1000 {
			l.Allow()
		}
		l.Tick(math.Inf(1))
		if rate := l.Rate(); rate != 0 && rate < 100 {
			t.Fatalf("limit %g", rate)
		}
	}
	if rate := l.Rate(); rate != 100 {
		t.Errorf("limit %g after a long overload, want the least one of 100", rate)
	}
	if share := l.RefusedShare(); share < 0.98 || share > 1 {
		t.Errorf("share of refusals %g, want 0.99", share)
	}
	l.Tick(math.NaN()) // no time has passed
	now += int64(100 * time.Millisecond)
	l.Allow()
	l.Tick(math.NaN())
	if rate := l.Rate(); !(rate >= 100) {
		t.Errorf("limit %g from a pressure that is no number", rate)
	}
}

func TestAllow_SpacesAndBursts(t *testing.T) {
	now := int64(time.Hour)
	l := NewLimiter(LimiterOptions{Burst: 50 * time.Millisecond, Clock: func() int64 { return now }})
	l.rate.Store(math.Float64bits(1000))
	count := func() (n int) {
		for range 10_000 {
			if l.Allow() {
				n++
			}
		}
		return n
	}
	if n := count(); n != 51 {
		t.Errorf("%d at once, want 50 ms of 1,000 a second and the one that is due", n)
	}
	total := 0
	for range 1000 {
		now += int64(time.Millisecond)
		total += count()
	}
	if total != 1000 {
		t.Errorf("%d in a second, want 1000", total)
	}
	now -= int64(300 * time.Microsecond) // another processor's clock
	if n := count(); n != 0 {
		t.Errorf("%d before their time", n)
	}
	now += int64(1300 * time.Microsecond)
	if n := count(); n != 1 {
		t.Errorf("%d a millisecond later, want 1: a clock that goes back costs nothing", n)
	}
}

// Who asks from several goroutines gets no more, no less, and each about the same.
func TestAllow_ContendedIsExactAndFair(t *testing.T) {
	var now atomic.Int64
	now.Store(int64(time.Hour))
	l := NewLimiter(LimiterOptions{Burst: 10 * time.Millisecond, Clock: now.Load})
	l.rate.Store(math.Float64bits(100_000))
	var got [4]int
	total := 0
	for range 200 {
		now.Add(int64(10 * time.Millisecond))
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				for range 600 {
					if l.Allow() {
						got[i]++
					}
				}
			})
		}
		all.Wait()
	}
	for _, n := range got {
		total += n
	}
	if want := 200*1000 + 1; total != want {
		t.Errorf("%d, want %d", total, want)
	}
	if counted := l.allowed.Load(); int(counted) != total {
		t.Errorf("%d counted, %d let in", counted, total)
	}
	t.Log(got)
}

func TestAllow_DoesNotAllocate(t *testing.T) {
	l := NewLimiter(LimiterOptions{Burst: time.Millisecond, Clock: func() int64 { return 0 }})
	for _, rate := range []float64{0, 1000} {
		l.rate.Store(math.Float64bits(rate))
		if n := testing.AllocsPerRun(1000, func() { l.Allow() }); n != 0 {
			t.Errorf("%g allocations at %g a second", n, rate)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { l.Tick(2) }); n != 0 {
		t.Errorf("Tick: %g allocations", n)
	}
}
