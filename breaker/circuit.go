package breaker

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Rule says when a circuit opens, and how it closes. Without InARow and Ratio it never opens.
type Rule struct {
	InARow  int           // so many failures without a success between open it; 0: not by this
	Ratio   float64       // such a share of failures, above 0 to 1, opens it; 0: not by this
	Min     int           // outcomes within Window before Ratio has a meaning
	Window  time.Duration // what Ratio looks at; it rolls in steps of a tenth
	OpenFor time.Duration // from opening until the first probe may pass
	Probes  int           // that pass half-open, and must all be good; below 1 is 1
}

// windowSteps is in how many steps the window rolls on.
const windowSteps = 10

// Numbers are what a circuit has counted: in the window, or since it was closed.
type Numbers struct {
	Outcomes int `json:"outcomes"`
	Failures int `json:"failures"`
	InARow   int `json:"failures_in_a_row"`
}

// Change is a transition.
type Change struct {
	Layer    Layer
	Scope    string
	From, To State
	Cause    string  // the last failure, or what was measured
	Numbers  Numbers // that opened it; zero in other transitions
}

// Circuit is one breaker. Any goroutine may use it.
type Circuit struct {
	layer Layer
	scope string
	rule  Rule
	tell  func(Change)
	cb    *gobreaker.TwoStepCircuitBreaker[struct{}]

	state   atomic.Uint32 // as gobreaker's
	failing atomic.Bool   // a failure was counted since the last success
	cause   atomic.Pointer[string]
	numbers Numbers // of the last failure; guarded by gobreaker's lock

	mu     sync.Mutex // guards the rest; gobreaker's lock is never taken under it
	since  time.Time
	opened uint64
	probes []*probe // under way
}

type probe struct {
	done func(error)
	over bool
}

var errVoid = errors.New("no outcome")

// NewCircuit makes a closed one. tell is called for each transition, by whoever brings it
// about, and must not call the circuit.
func NewCircuit(layer Layer, scope string, rule Rule, tell func(Change)) *Circuit {
	c := &Circuit{layer: layer, scope: scope, rule: rule, tell: tell, since: time.Now()}
	settings := gobreaker.Settings{
		Name:          scope,
		MaxRequests:   uint32(max(rule.Probes, 1)),
		Timeout:       max(rule.OpenFor, time.Nanosecond),
		ReadyToTrip:   c.trips,
		OnStateChange: c.changed,
		IsExcluded:    func(err error) bool { return err == errVoid },
	}
	if rule.Ratio > 0 {
		settings.Interval, settings.BucketPeriod = rule.Window, max(rule.Window/windowSteps, 1)
	}
	c.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](settings)
	return c
}

// trips is asked by gobreaker at each failure while closed.
func (c *Circuit) trips(n gobreaker.Counts) bool {
	outcomes := n.TotalSuccesses + n.TotalFailures
	c.numbers = Numbers{Outcomes: int(outcomes), Failures: int(n.TotalFailures), InARow: int(n.ConsecutiveFailures)}
	if c.rule.InARow > 0 && int(n.ConsecutiveFailures) >= c.rule.InARow {
		return true
	}
	return c.rule.Ratio > 0 && int(outcomes) >= c.rule.Min && float64(n.TotalFailures) >= c.rule.Ratio*float64(outcomes)
}

// changed is called by gobreaker under its lock.
func (c *Circuit) changed(_ string, from, to gobreaker.State) {
	change := Change{Layer: c.layer, Scope: c.scope, From: stateOf(from), To: stateOf(to)}
	if change.To == Open {
		change.Cause = c.lastCause()
		if change.From == Closed {
			change.Numbers = c.numbers
		}
	}
	c.failing.Store(false)
	c.state.Store(uint32(change.To))
	c.mu.Lock()
	c.since = time.Now()
	if change.To == Open {
		c.opened++
	}
	c.probes = nil
	c.mu.Unlock()
	if c.tell != nil {
		c.tell(change)
	}
}

func stateOf(s gobreaker.State) State {
	switch s {
	case gobreaker.StateOpen:
		return Open
	case gobreaker.StateHalfOpen:
		return HalfOpen
	}
	return Closed
}

func (c *Circuit) lastCause() string {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return ""
}

// Pass is leave to go on; who has it says how it went, once. The zero Pass may be told too.
type Pass struct {
	circuit *Circuit
	probe   *probe // half-open
}

// Allow asks for leave. While the circuit is closed that is one atomic load.
func (c *Circuit) Allow() (Pass, bool) {
	if State(c.state.Load()) == Closed {
		return Pass{circuit: c}, true
	}
	done, err := c.cb.Allow()
	if err != nil {
		return Pass{}, false
	}
	p := &probe{done: done}
	c.mu.Lock()
	c.probes = append(c.probes, p)
	c.mu.Unlock()
	return Pass{circuit: c, probe: p}, true
}

// Succeeded says that it went well.
func (p Pass) Succeeded() { p.end(nil) }

// Failed says what went wrong.
func (p Pass) Failed(cause error) { p.end(cause) }

// Void says that it has no outcome: what failed is not what the circuit protects.
func (p Pass) Void() {
	if p.probe != nil {
		p.circuit.finish(p.probe, errVoid)
	}
}

func (p Pass) end(err error) {
	switch c := p.circuit; {
	case c == nil:
	case p.probe != nil:
		if err != nil {
			c.because(err)
		}
		c.finish(p.probe, err)
	case err != nil:
		c.Fail(err)
	default:
		c.Succeed()
	}
}

func (c *Circuit) because(err error) {
	text := err.Error()
	c.cause.Store(&text)
}

// finish ends a probe, once.
func (c *Circuit) finish(p *probe, err error) {
	c.mu.Lock()
	over := p.over
	p.over = true
	c.mu.Unlock()
	if !over {
		p.done(err)
	}
}

// Succeed counts a success of something that was not asked for. It is cheap: where only
// failures in a row count, and there was none, it does nothing. Half-open only the probes
// count.
func (c *Circuit) Succeed() {
	if State(c.state.Load()) != Closed || c.rule.Ratio == 0 && !c.failing.Load() {
		return
	}
	if done, err := c.cb.Allow(); err == nil {
		c.failing.Store(false)
		done(nil)
	}
}

// Fail counts a failure of something that was not asked for. Half-open it opens the
// circuit, also when all probes are under way.
func (c *Circuit) Fail(cause error) {
	if State(c.state.Load()) == Open {
		return
	}
	c.because(cause)
	c.failing.Store(true)
	if done, err := c.cb.Allow(); err == nil {
		done(cause)
		return
	}
	c.mu.Lock()
	var under *probe
	for _, p := range c.probes {
		if !p.over {
			under = p
		}
	}
	c.mu.Unlock()
	if under != nil {
		c.finish(under, cause)
	}
}

// State is how it stands now. It sees to it that an open circuit whose time is over is
// half-open, so it is asked every now and then.
func (c *Circuit) State() State { return stateOf(c.cb.State()) }

// Status describes a breaker to the operator.
type Status struct {
	Layer   string    `json:"layer"`
	Scope   string    `json:"scope,omitempty"` // a namespace, or the name of a channel; empty: the node
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Cause   string    `json:"cause,omitempty"`        // why it opened last
	Opened  uint64    `json:"opened"`                 // times
	Numbers Numbers   `json:"numbers"`                // now
	TookSec float64   `json:"took_seconds,omitempty"` // a channel's last answer
}

// Status is how it stands, with its numbers.
func (c *Circuit) Status() Status {
	state, n := c.State(), c.cb.Counts()
	c.mu.Lock()
	defer c.mu.Unlock()
	return Status{
		Layer: c.layer.String(), Scope: c.scope, State: c.layer.Name(state), Since: c.since, Cause: c.lastCause(), Opened: c.opened,
		Numbers: Numbers{Outcomes: bounded(n.TotalSuccesses + n.TotalFailures), Failures: bounded(n.TotalFailures), InARow: bounded(n.ConsecutiveFailures)},
	}
}

func bounded(n uint32) int { return int(min(n, math.MaxInt32)) }
