package breaker

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Rule says when a circuit opens, and how it closes. Without InARow and Ratio only Trip
// opens it.
type Rule struct {
	InARow   int           // so many failures without a success between open it; 0: not by this
	Ratio    float64       // such a share of failures, above 0 to 1, opens it; 0: not by this
	Min      int           // outcomes within Window before Ratio has a meaning
	Window   time.Duration // what Ratio looks at, above 0; it rolls in steps of a tenth
	OpenFor  time.Duration // from opening until the first probe may pass
	Probes   int           // that pass half-open, and must all be good; below 1 is 1
	Trips    string        // what opens it besides (Trip), in words
	ProbeFor time.Duration // a probe without an outcome for so long has its place given to another; 0: OpenFor, at least probeForLeast
}

// windowSteps is in how many steps the window rolls on.
const windowSteps = 10

// probeForLeast is how long a probe may take at least, where a rule does not say. A circuit
// can be open for a second only, and what passes may still take several.
const probeForLeast = 10 * time.Second

// Circuit is one breaker. Any goroutine may use it.
type Circuit struct {
	layer Layer
	scope string
	rule  Rule
	says  string // the rule, in words
	news  teller

	stand   atomic.Uint64 // the State, and above it the number of transitions; written under mu
	failing atomic.Bool   // closed, a failure was counted since the last success; written under mu

	mu       sync.Mutex // guards the rest. gobreaker is only called under it, and calls back under it
	cb       *gobreaker.TwoStepCircuitBreaker[struct{}]
	since    time.Time
	opened   uint64
	tripping bool    // the failure under way opens it whatever the rule says
	numbers  Numbers // at the last failure while closed
	last     error   // the last failure
	cause    string  // why it opened last
	probes   []*probe
}

// standBits is how many bits of stand are the State.
const standBits = 2

func stateIn(stand uint64) State { return State(stand & (1<<standBits - 1)) }

var (
	errVoid     = errors.New("no outcome")
	errNoReason = errors.New("it failed")
)

// NewCircuit makes a closed one. tell is called for each transition, in their order and
// without a lock held, by whoever uses the circuit just then; it may use the circuit.
func NewCircuit(layer Layer, scope string, rule Rule, tell func(Change)) *Circuit {
	rule.Probes = max(rule.Probes, 1)
	if rule.ProbeFor <= 0 {
		rule.ProbeFor = max(rule.OpenFor, probeForLeast)
	}
	c := &Circuit{layer: layer, scope: scope, rule: rule, says: rule.String(), news: teller{tell: tell}, since: time.Now()}
	settings := gobreaker.Settings{
		Name:          scope,
		MaxRequests:   uint32(rule.Probes),
		Timeout:       max(rule.OpenFor-1, 1), // gobreaker wants it to be over, not just reached
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
	c.failing.Store(true)
	c.numbers = c.numbersOf(n)
	if c.tripping || c.rule.InARow > 0 && c.numbers.InARow >= c.rule.InARow {
		return true
	}
	// 0.55 of 20 is a bit more than 11 as a float64, and 11 are meant.
	return c.rule.Ratio > 0 && c.numbers.Outcomes >= c.rule.Min &&
		float64(c.numbers.Failures) >= c.rule.Ratio*float64(c.numbers.Outcomes)-1e-9
}

// numbersOf leaves out what the rule does not look at. Where only a row counts most successes
// are not even counted (Succeed), so gobreaker's totals would be wrong.
func (c *Circuit) numbersOf(n gobreaker.Counts) Numbers {
	row := bounded(n.ConsecutiveFailures)
	if c.rule.Ratio == 0 {
		return Numbers{Outcomes: row, Failures: row, InARow: row}
	}
	return Numbers{Outcomes: bounded(n.TotalSuccesses + n.TotalFailures), Failures: bounded(n.TotalFailures), InARow: row}
}

func bounded(n uint32) int { return int(min(n, math.MaxInt32)) }

// changed is called by gobreaker.
func (c *Circuit) changed(_ string, from, to gobreaker.State) {
	change := Change{Layer: c.layer, Scope: c.scope, From: stateOf(from), To: stateOf(to)}
	switch trials := max(c.rule.Probes, 1); change.To {
	case Open:
		c.cause = textOf(c.last)
		c.opened++
		change.Cause = c.cause
		if change.From == Closed {
			change.Numbers = c.numbers
		}
	case HalfOpen:
		change.Cause = fmt.Sprintf("open for %v: %d let in on trial", time.Since(c.since).Round(time.Millisecond), trials)
	default:
		change.Cause = fmt.Sprintf("%d of %d on trial were good", trials, trials)
	}
	c.since = time.Now()
	c.probes = nil
	c.failing.Store(false)
	c.stand.Store((c.stand.Load()>>standBits+1)<<standBits | uint64(change.To))
	c.news.note(change)
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

// Allow asks for leave. While the circuit is closed that is one atomic load.
func (c *Circuit) Allow() (Pass, bool) {
	if stand := c.stand.Load(); stateIn(stand) == Closed {
		return Pass{circuit: c, stand: stand}, true
	}
	return c.allowProbe()
}

// Succeed counts a success of something that was not asked for. It is cheap: where only
// failures in a row count, and there was none, it does nothing. Half-open only the probes
// count.
func (c *Circuit) Succeed() { c.count(c.stand.Load(), nil) }

// Fail counts a failure of something that was not asked for. Half-open it opens the circuit,
// whoever is under way; open it says nothing new.
func (c *Circuit) Fail(cause error) { c.fail(cause, false) }

// Trip opens the circuit at once: what was measured is reason enough, nothing is counted.
// Open it does nothing, and does not put off the next probes.
func (c *Circuit) Trip(cause error) { c.fail(cause, true) }

func (c *Circuit) fail(cause error, trip bool) {
	if stateIn(c.stand.Load()) == Open {
		return
	}
	defer c.news.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tripping = trip
	c.failLocked(cause)
	c.tripping = false
}

// failLocked gives gobreaker a failure.
func (c *Circuit) failLocked(cause error) {
	if cause == nil {
		cause = errNoReason
	}
	c.last = cause
	if done, err := c.cb.Allow(); err == nil {
		done(cause)
	} else if len(c.probes) > 0 { // half-open, and no place left: it takes that of a probe
		c.probes[0].done(cause)
	}
}

// count takes an outcome of what was let in at such a stand, closed.
func (c *Circuit) count(stand uint64, failure error) {
	if stateIn(stand) != Closed || failure == nil && c.rule.Ratio == 0 && !c.failing.Load() {
		return
	}
	defer c.news.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stand.Load() != stand {
		return // it began before the last transition, and says nothing of what is since
	}
	if failure != nil {
		c.failLocked(failure)
		return
	}
	if done, err := c.cb.Allow(); err == nil {
		c.failing.Store(false)
		done(nil)
	}
}

// State is how it stands now. It sees to it that an open circuit whose time is over is
// half-open, and that a lost probe is given up, so it is asked every now and then. Closed it
// is an atomic load.
func (c *Circuit) State() State {
	if state := c.standing(); state == Closed {
		return state
	}
	defer c.news.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp()
	return stateOf(c.cb.State())
}

// standing is how it stood when somebody last looked.
func (c *Circuit) standing() State { return stateIn(c.stand.Load()) }

func (c *Circuit) at() Layer { return c.layer }

// Status is how it stands, with its numbers.
func (c *Circuit) Status() Status {
	defer c.news.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp()
	state, n := stateOf(c.cb.State()), c.cb.Counts()
	s := Status{
		Layer: c.layer.String(), Scope: c.scope, State: c.layer.Name(state), Since: c.since, Opened: c.opened,
		Cause: c.cause, Failure: textOf(c.last), Rule: c.says,
	}
	switch state {
	case Closed:
		s.Numbers = c.numbersOf(n)
	case HalfOpen:
		s.Probes = &Probing{Good: bounded(n.ConsecutiveSuccesses), UnderWay: len(c.probes), Needed: c.rule.Probes}
	case Open:
		s.Until = c.since.Add(c.rule.OpenFor)
	}
	return s
}

// remove takes a probe from the list; false: it was not there.
func (c *Circuit) remove(p *probe) bool {
	i := slices.Index(c.probes, p)
	if i < 0 {
		return false
	}
	c.probes = slices.Delete(c.probes, i, i+1)
	return true
}
