package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ChannelOptions describe a dependency that is probed.
type ChannelOptions struct {
	Name  string
	Probe func(context.Context) error
	// Slow is how long a good answer may take.
	Slow time.Duration
	// Failures in a row degrade a channel, or as many slow answers; as many failures more
	// isolate it.
	Failures int
	// IsolatedFor is the time until an isolated channel's probes count again.
	IsolatedFor time.Duration
	// Probes is how many good answers in a row make it healthy again.
	Probes int
	// Ramp is the time over which it is given all of its work again.
	Ramp time.Duration
}

// Channel is one way to the data. Its owner is a Source; Allow and State are anybody's.
type Channel struct {
	o       ChannelOptions
	tell    func(Change)
	circuit *Circuit // open: isolated
	born    time.Time
	state   atomic.Uint32
	ramp    atomic.Int64 // when the ramp began, ns since born; 0: there is none
	asked   atomic.Uint64

	mu     sync.Mutex // guards the rest
	failed int        // failures in a row
	weak   int        // failures or slow answers in a row
	good   int        // neither, in a row
	took   time.Duration
	cause  string
	since  time.Time
	opened uint64
}

// rampLeast is the part of its work that a channel gets at first.
const rampLeast = 0.1

func newChannel(o ChannelOptions, tell func(Change)) *Channel {
	now := time.Now()
	c := &Channel{o: o, tell: tell, born: now, since: now}
	c.circuit = NewCircuit(Sources, o.Name, Rule{InARow: 2 * o.Failures, OpenFor: o.IsolatedFor, Probes: o.Probes}, nil)
	return c
}

// errSlow is told as the cause of a slow answer.
var errSlow = errors.New("the answer was slow")

// observe takes the outcome of a probe.
func (c *Channel) observe(took time.Duration, err error) {
	pass, counts := c.circuit.Allow()
	if !counts {
		return
	}
	if err != nil {
		pass.Failed(err)
	} else {
		pass.Succeeded()
	}
	c.mu.Lock()
	c.took = took
	switch {
	case err != nil:
		c.failed, c.weak, c.good = c.failed+1, c.weak+1, 0
		c.cause = err.Error()
	case took > c.o.Slow:
		c.failed, c.weak, c.good = 0, c.weak+1, 0
		c.cause = fmt.Sprintf("%v: %v, and %v is asked for", errSlow, took.Round(time.Millisecond), c.o.Slow)
	default:
		c.failed, c.weak, c.good = 0, 0, c.good+1
	}
	change, changed := c.move(c.circuit.State())
	c.mu.Unlock()
	if changed && c.tell != nil {
		c.tell(change)
	}
}

// move finds the state that follows. The caller holds mu.
func (c *Channel) move(circuit State) (Change, bool) {
	from := State(c.state.Load())
	to := from
	switch {
	case circuit != Closed:
		to = Isolated
	case from == Isolated:
		to = Healthy
		c.ramp.Store(max(int64(time.Since(c.born)), 1))
	case c.weak >= c.o.Failures:
		to = Degraded
	case c.good >= c.o.Probes:
		to = Healthy
	}
	if to == from {
		return Change{}, false
	}
	c.since = time.Now()
	change := Change{Layer: Sources, Scope: c.o.Name, From: from, To: to}
	if to > from {
		change.Cause = c.cause
		change.Numbers = Numbers{Outcomes: c.weak + c.good, Failures: c.failed, InARow: c.weak}
	}
	if to == Isolated {
		c.opened++
	}
	c.state.Store(uint32(to))
	return change, true
}

// State is how the channel stands.
func (c *Channel) State() State { return State(c.state.Load()) }

func (c *Channel) at() Layer { return Sources }

// Allow says whether the channel should be given work now. After an isolation it gets a
// part of it at first, and all of it when the ramp is over. While nothing is wrong it
// costs two atomic loads.
func (c *Channel) Allow() bool {
	if State(c.state.Load()) == Isolated {
		return false
	}
	begun := c.ramp.Load()
	if begun == 0 {
		return true
	}
	part := rampLeast + (1-rampLeast)*float64(int64(time.Since(c.born))-begun)/float64(max(c.o.Ramp, 1))
	if part >= 1 {
		c.ramp.CompareAndSwap(begun, 0)
		return true
	}
	n := float64(c.asked.Add(1))
	return int64(n*part) != int64((n-1)*part)
}

// weakness says how the channel counts for its source.
func (c *Channel) weakness() (failing, weak bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := State(c.state.Load())
	return s == Isolated || c.failed >= c.o.Failures, s != Healthy
}

// Status is how it stands, with its numbers.
func (c *Channel) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Status{
		Layer: Sources.String(), Scope: c.o.Name, State: Sources.Name(State(c.state.Load())), Since: c.since, Cause: c.cause, Opened: c.opened,
		Numbers: Numbers{Outcomes: c.weak + c.good, Failures: c.failed, InARow: c.weak},
		TookSec: c.took.Seconds(),
	}
}
