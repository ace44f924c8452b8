package ringbuf

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func never() bool { return false }

func TestGate_ReadyConditionDoesNotWait(t *testing.T) {
	for _, s := range strategies {
		g := NewGate(s)
		looks := 0
		g.Wait(func() bool { looks++; return true })
		if looks != 1 || g.Strategy() != s {
			t.Errorf("%v: looked %d times", s, looks)
		}
	}
}

// Block and Sleep rest while they wait, so a bubble's clock runs for them.
func TestGate_DeadlineIsKept(t *testing.T) {
	for _, s := range []Strategy{Block, Sleep} {
		synctest.Test(t, func(t *testing.T) {
			g := NewGate(s)
			for range 2 { // the second time with a used timer
				start := time.Now()
				if g.WaitUntil(never, start.Add(time.Second)) {
					t.Errorf("%v: ready without reason", s)
				}
				if d := time.Since(start); d != time.Second {
					t.Errorf("%v: waited %v", s, d)
				}
			}
		})
	}
}

func TestGate_DeadlineIsNotUndercut(t *testing.T) {
	for _, s := range strategies {
		deadline := time.Now().Add(3 * time.Millisecond)
		if NewGate(s).WaitUntil(never, deadline) {
			t.Errorf("%v: ready without reason", s)
		}
		if time.Now().Before(deadline) {
			t.Errorf("%v: gave up early", s)
		}
	}
}

func TestGate_ConditionAtTheDeadlineCounts(t *testing.T) {
	for _, s := range strategies {
		deadline := time.Now().Add(time.Millisecond)
		if !NewGate(s).WaitUntil(func() bool { return !time.Now().Before(deadline) }, deadline) {
			t.Errorf("%v: not ready at its deadline", s)
		}
	}
}

func TestGate_BlockLooksOnlyWhenSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate // the zero Gate blocks
		var looks, open atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.Wait(func() bool { looks.Add(1); return open.Load() != 0 })
		}()
		time.Sleep(time.Hour)
		if looks.Load() != 2 { // one at the door, one announced
			t.Errorf("looked %d times unsignalled", looks.Load())
		}
		g.Signal()
		synctest.Wait()
		if looks.Load() != 3 {
			t.Errorf("looked %d times after one signal", looks.Load())
		}
		open.Store(1)
		g.Signal()
		<-done
		if g.waiting.Load() != 0 {
			t.Errorf("%d still announced", g.waiting.Load())
		}
	})
}

func TestGate_SleepNapsGrowToTheirMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks []time.Duration
		start := time.Now()
		NewGate(Sleep).Wait(func() bool {
			looks = append(looks, time.Since(start))
			return len(looks) == 12
		})
		nap := sleepMin
		for i := 2; i < len(looks); i++ { // the first two looks have no nap between
			if d := looks[i] - looks[i-1]; d != nap {
				t.Errorf("nap %d took %v, want %v", i-2, d, nap)
			}
			nap = min(2*nap, SleepMax)
		}
		if nap != SleepMax {
			t.Errorf("naps reached only %v", nap)
		}
	})
}

func TestGate_SignalWakesEveryWaiter(t *testing.T) {
	const waiters = 50
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Block)
		var open atomic.Bool
		var woken atomic.Int64
		for i := range waiters {
			go func() {
				if i%2 == 0 {
					g.Wait(open.Load)
				} else if !g.WaitUntil(open.Load, time.Now().Add(time.Hour)) {
					t.Error("ran into its deadline")
				}
				woken.Add(1)
			}()
		}
		synctest.Wait()
		if n := g.waiting.Load(); n != waiters {
			t.Errorf("%d announced", n)
		}
		open.Store(true)
		g.Signal()
		synctest.Wait()
		if woken.Load() != waiters || g.waiting.Load() != 0 || len(g.free) != waiters {
			t.Errorf("%d woken, %d announced, %d at rest", woken.Load(), g.waiting.Load(), len(g.free))
		}
	})
}

// pingPong passes a turn round a circle of players who wait at one gate, each
// for a condition of its own. One lost wake-up stops it for good.
func pingPong(s Strategy, players, rounds int) {
	g := NewGate(s)
	var turn atomic.Int64
	var all sync.WaitGroup
	for p := range players {
		all.Go(func() {
			for n := p; n < rounds; n += players {
				mine := func() bool { return turn.Load() == int64(n) }
				if n%3 == 0 {
					for !g.WaitUntil(mine, time.Now().Add(time.Minute)) {
					}
				} else {
					g.Wait(mine)
				}
				turn.Add(1)
				g.Signal()
			}
		})
	}
	all.Wait()
}

func TestGate_NoWakeUpIsLost(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, procs := range []int{before, 1} {
		runtime.GOMAXPROCS(procs)
		for _, s := range strategies {
			rounds := 3000
			if s == Sleep {
				rounds = 300 // up to SleepMax each
			}
			pingPong(s, 2, rounds)
			pingPong(s, 5, rounds)
		}
	}
}

// Deadlines that expire while signals arrive: a waiter must leave the gate
// whole whichever comes first.
func TestGate_DeadlineAndSignalMayMeet(t *testing.T) {
	g := NewGate(Block)
	var stop atomic.Bool
	var signals, waits sync.WaitGroup
	signals.Go(func() {
		for !stop.Load() {
			g.Signal()
			runtime.Gosched()
		}
	})
	for range 3 {
		waits.Go(func() {
			for i := range 300 {
				g.WaitUntil(never, time.Now().Add(time.Duration(i)*100*time.Nanosecond))
			}
		})
	}
	waits.Wait()
	stop.Store(true)
	signals.Wait()
	if g.waiting.Load() != 0 || len(g.queue) != 0 || len(g.free) > 3 {
		t.Errorf("%d announced, %d queued, %d at rest", g.waiting.Load(), len(g.queue), len(g.free))
	}
	for _, w := range g.free {
		if len(w.woken) != 0 {
			t.Error("a waiter rests with a token")
		}
	}
}
