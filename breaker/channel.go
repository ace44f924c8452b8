package breaker

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// ChannelOptions describe a dependency that is probed.
type ChannelOptions struct {
	Name string
	// Probe asks once. It should return when its context is done; one that does not has
	// failed, and no other is begun until it has returned.
	Probe func(context.Context) error
	// Slow is how long a good answer may take.
	Slow time.Duration
	// Failures in a row degrade a channel, or as many answers in a row that failed or were
	// slow; as many failures in a row more isolate it.
	Failures int
	// IsolatedFor is the time until an isolated channel is probed again.
	IsolatedFor time.Duration
	// Probes is how many answers in a row end an isolation. Were all of them good the
	// channel is healthy, else degraded. A degraded one is healthy after as many good ones.
	Probes int
	// Ramp is the time over which it is given all of its work again.
	Ramp time.Duration
}

// Channel is one way to the data. Its owner is a Source; Allow and State are anybody's.
type Channel struct {
	o    ChannelOptions
	tell func(Change)
	// circuit counts what comes while the channel is not healthy. Open: isolated, and not
	// probed; half-open: isolated, and on its way back.
	circuit *Circuit
	born    time.Time
	state   atomic.Uint32
	ramp    atomic.Int64 // when the ramp began, ns since born; 0: there is none
	asked   atomic.Uint64
	due     atomic.Int64 // when another one is let through on the ramp however few ask, ns since born

	mu      sync.Mutex // guards the rest
	failed  int        // failures in a row
	weak    int        // failures or slow answers in a row
	bad     int        // failures among the weak
	good    int        // neither, in a row
	took    time.Duration
	failure string // the last failure or slow answer
	cause   string // why it left its last state
	since   time.Time
	opened  uint64
}

// rampLeast is the part of its work that a channel gets at first. One who asks is let through
// every rampEvery whatever the part: so few are no stampede, and where nobody else asks most
// would be refused for nothing.
const (
	rampLeast = 0.1
	rampEvery = 100 * time.Millisecond
)

func newChannel(o ChannelOptions, tell func(Change)) *Channel {
	now := time.Now()
	c := &Channel{o: o, tell: tell, born: now, since: now}
	c.circuit = NewCircuit(Sources, o.Name, Rule{InARow: o.Failures, OpenFor: o.IsolatedFor, Probes: o.Probes}, nil)
	return c
}

// observe takes the outcome of a probe. The prober alone calls it.
func (c *Channel) observe(took time.Duration, err error) {
	c.mu.Lock()
	c.count(took, err)
	change, changed := c.move()
	c.mu.Unlock()
	if changed && c.tell != nil {
		c.tell(change)
	}
}

// count keeps the rows. The caller holds mu.
func (c *Channel) count(took time.Duration, err error) {
	if State(c.state.Load()) != Healthy {
		if pass, ok := c.circuit.Allow(); ok && err != nil {
			pass.Failed(err)
		} else if ok {
			pass.Succeeded()
		}
	}
	c.took = took
	switch {
	case err != nil:
		c.failed, c.weak, c.bad, c.good = c.failed+1, c.weak+1, c.bad+1, 0
		c.failure = textOf(err)
	case took > c.o.Slow:
		c.failed, c.weak, c.good = 0, c.weak+1, 0
		c.failure = fmt.Sprintf("the answer took %v, and %v is asked for", took.Round(time.Millisecond), c.o.Slow)
	default:
		c.failed, c.weak, c.bad, c.good = 0, 0, 0, c.good+1
	}
}

// move finds the state that follows. The caller holds mu.
func (c *Channel) move() (Change, bool) {
	from := State(c.state.Load())
	to := from
	switch {
	case c.circuit.State() != Closed:
		to = Isolated
	case from == Isolated:
		to = Degraded
		if c.good >= c.o.Probes {
			to = Healthy
		}
		c.ramp.Store(max(int64(time.Since(c.born)), 1))
	case c.weak >= c.o.Failures:
		to = Degraded
	case c.good >= c.o.Probes:
		to = Healthy
	}
	if to == from {
		return Change{}, false
	}
	c.since, c.cause = time.Now(), ""
	change := Change{Layer: Sources, Scope: c.o.Name, From: from, To: to}
	switch {
	case to > from:
		c.cause = c.failure
		change.Cause, change.Numbers = c.cause, c.numbers()
	case to == Healthy:
		change.Cause = fmt.Sprintf("%d good answers in a row", c.good)
	default:
		change.Cause = "it answers again"
	}
	if to == Isolated {
		c.opened++
	}
	c.state.Store(uint32(to))
	return change, true
}

// numbers are of the answers in a row that were not good. The caller holds mu.
func (c *Channel) numbers() Numbers {
	return Numbers{Outcomes: c.weak, Failures: c.bad, InARow: c.failed}
}

// hurry is by how much sooner a channel is asked again that has just failed, or is on its way
// back: an outage and its end are known after a few probes, and each would take a whole
// interval.
const hurry = 5

// pause is the time until the next probe.
func (c *Channel) pause(every, took time.Duration, failed bool) time.Duration {
	switch isolated := c.State() == Isolated; {
	case isolated && c.circuit.State() == Open:
		return c.o.IsolatedFor
	case isolated || failed:
		every /= hurry
	}
	return max(every-took, 0)
}

// State is how the channel stands.
func (c *Channel) State() State { return State(c.state.Load()) }

func (c *Channel) standing() State { return c.State() }

func (c *Channel) at() Layer { return Sources }

// Allow says whether the channel should be given work now. After an isolation it gets a
// part of it at first, at least ten a second, and all of it when the ramp is over. While nothing is wrong it
// costs two atomic loads.
func (c *Channel) Allow() bool {
	if c.State() == Isolated {
		return false
	}
	begun := c.ramp.Load()
	if begun == 0 {
		return true
	}
	now := int64(time.Since(c.born))
	share := c.shareAt(begun, now)
	if share >= 1 {
		c.ramp.CompareAndSwap(begun, 0) // over, unless another began meanwhile
		return true
	}
	n := float64(c.asked.Add(1))
	return int64(n*share) != int64((n-1)*share) || c.isDue(now)
}

// isDue lets one through every rampEvery: one that is late does not make the next one late.
func (c *Channel) isDue(now int64) bool {
	due := c.due.Load()
	return now >= due && c.due.CompareAndSwap(due, max(due, now-int64(rampEvery))+int64(rampEvery))
}

// shareAt is the part of its work that a channel is given now whose ramp began then, both in
// ns since born.
func (c *Channel) shareAt(begun, now int64) float64 {
	if begun == 0 {
		return 1
	}
	on := float64(now - begun)
	return min(1, rampLeast+(1-rampLeast)*on/float64(max(c.o.Ramp, 1)))
}

// shortly is the channel in a few words, for the cause of its source.
func (c *Channel) shortly() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%s is %s (%s)", c.o.Name, Sources.Name(c.State()), c.failure)
}

// Status is how it stands, with its numbers.
func (c *Channel) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.State()
	s := Status{
		Layer: Sources.String(), Scope: c.o.Name, State: Sources.Name(state), Since: c.since, Opened: c.opened,
		Cause: c.cause, Failure: c.failure, Numbers: c.numbers(), TookSec: c.took.Seconds(),
		Rule: fmt.Sprintf("%d weak answers in a row degrade, %d failures in a row more isolate; weak is slower than %v", c.o.Failures, c.o.Failures, c.o.Slow),
	}
	if state == Isolated {
		circuit := c.circuit.Status()
		s.Until, s.Probes = circuit.Until, circuit.Probes
	} else if share := c.shareAt(c.ramp.Load(), int64(time.Since(c.born))); share < 1 {
		s.Share = math.Round(share*100) / 100
	}
	return s
}
