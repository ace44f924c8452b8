package ringbuf

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of waiting.
const (
	// sleepMin is the first nap of Sleep: about what the kernel's timer slack
	// (50 µs on Linux) makes of any shorter one.
	sleepMin = 50 * time.Microsecond
	// SleepMax is the longest nap of Sleep, and so the most by which it wakes
	// late on an idle machine: a thousand looks a second cost nothing.
	SleepMax = time.Millisecond
	// spinBurst is how many times Spin looks between two yields: less than a
	// microsecond, about the cost of the yield itself, so that with more
	// spinners than cores, or on a single one, the goroutine they wait for soon
	// gets its turn without the scheduler having to preempt.
	spinBurst = 128
)

// Gate is a place to wait for a condition that another goroutine makes true.
// Any number of goroutines may wait and signal at once. The zero Gate is one
// with the strategy Block. A Gate must not be copied.
//
// No wake-up is lost: a waiter announces itself before it looks at the
// condition for the last time, and Signal looks for waiters after the change.
// Both sides are sequentially consistent, so at least one sees the other. That
// holds if the change, and the look at it, are themselves atomic operations or
// made under one mutex; all methods of this package's rings are.
type Gate struct {
	strategy Strategy // set once, by NewGate
	_        line

	// waiting is len(queue). Written under mu, read by every Signal. 4 bytes
	// on a line of its own, so that signals with nobody waiting share it.
	waiting atomic.Uint32
	_       line

	mu    sync.Mutex
	queue []*waiter // announced, and not signalled since; any order
	free  []*waiter // at rest; never more than have waited at once
}

// waiter is one goroutine waiting by Block. While it is announced, either it
// is in the queue or there is a token in woken, never both: both change under
// the gate's mutex.
type waiter struct {
	woken chan struct{} // holds one token
	index int           // in queue, or -1
	timer *time.Timer   // made by the first wait with a deadline
}

// NewGate makes a gate whose waiters wait by s, one of the four constants.
func NewGate(s Strategy) *Gate {
	if !s.valid() {
		panic("ringbuf: NewGate with unknown " + s.String())
	}
	return &Gate{strategy: s}
}

// Strategy returns how goroutines wait at g.
func (g *Gate) Strategy() Strategy { return g.strategy }

// Wait returns once ready returns true. ready is called by the calling
// goroutine only, any number of times, with no lock held; it should be quick.
func (g *Gate) Wait(ready func() bool) { g.WaitUntil(ready, time.Time{}) }

// WaitUntil returns true once ready does, or what ready says when the deadline
// has passed. As in package net, a zero deadline is none.
func (g *Gate) WaitUntil(ready func() bool, deadline time.Time) bool {
	if ready() {
		return true
	}
	if g.strategy == Block {
		return g.block(ready, deadline)
	}
	return g.poll(ready, deadline)
}

// Signal wakes the goroutines waiting at g, to look at their conditions again.
// Call it after having made one true. It costs one atomic load when nobody is
// parked, and that is always so unless the strategy is Block.
func (g *Gate) Signal() {
	if g.waiting.Load() != 0 {
		g.wake()
	}
}

// poll waits by looking, with a pause between looks.
func (g *Gate) poll(ready func() bool, deadline time.Time) bool {
	nap := sleepMin
	for !ready() {
		left := SleepMax
		if !deadline.IsZero() {
			if left = time.Until(deadline); left <= 0 {
				return ready()
			}
		}
		switch g.strategy {
		case Sleep:
			time.Sleep(min(nap, left))
			nap = min(2*nap, SleepMax)
		case Spin:
			for range spinBurst {
				if ready() {
					return true
				}
			}
			runtime.Gosched()
		default:
			runtime.Gosched()
		}
	}
	return true
}

// block waits by parking until a signal.
func (g *Gate) block(ready func() bool, deadline time.Time) bool {
	var w *waiter
	for {
		w = g.announce(w)
		if ready() {
			g.withdraw(w)
			return true
		}
		if !w.park(deadline) {
			g.withdraw(w)
			return ready()
		}
	}
}

// announce puts w into the queue, a waiter at rest or a new one if it is nil.
func (g *Gate) announce(w *waiter) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w == nil {
		if n := len(g.free); n > 0 {
			w = g.free[n-1]
			g.free = slices.Delete(g.free, n-1, n)
		} else {
			w = &waiter{woken: make(chan struct{}, 1)}
		}
	}
	w.index = len(g.queue)
	g.queue = append(g.queue, w)
	g.waiting.Store(uint32(len(g.queue)))
	return w
}

// withdraw ends the announcement of w and puts it to rest.
func (g *Gate) withdraw(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.index < 0 {
		<-w.woken // a signal came first: its token is there
	} else {
		last := len(g.queue) - 1
		moved := g.queue[last]
		g.queue[w.index], moved.index = moved, w.index
		g.queue = slices.Delete(g.queue, last, last+1)
		g.waiting.Store(uint32(last))
	}
	g.free = append(g.free, w)
}

// wake empties the queue. A woken waiter announces itself again if it goes on
// waiting, so that signals until then cost their one load.
func (g *Gate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.queue {
		w.index = -1
		w.woken <- struct{}{}
	}
	clear(g.queue)
	g.queue = g.queue[:0]
	g.waiting.Store(0)
}

// park returns true when signalled, or false when the deadline has passed.
func (w *waiter) park(deadline time.Time) bool {
	if deadline.IsZero() {
		<-w.woken
		return true
	}
	if w.timer == nil {
		w.timer = time.NewTimer(time.Until(deadline))
	} else {
		w.timer.Reset(time.Until(deadline))
	}
	select {
	case <-w.woken:
		w.timer.Stop()
		return true
	case <-w.timer.C:
		return false
	}
}
