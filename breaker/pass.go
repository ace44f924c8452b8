package breaker

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

// Pass is leave to go on. Who has it says how it went, once. Half-open the circuit waits for
// that; a Pass that is never told of keeps one of its places for Rule.ProbeFor. An outcome
// that comes after the circuit's next transition is dropped: it is about what was before. The
// zero Pass may be told too.
type Pass struct {
	circuit *Circuit
	probe   *probe // half-open
	stand   uint64 // when it was given
}

// probe is what passed half-open. It is in its circuit's list until its outcome is told, the
// state changes, or it is given up.
type probe struct {
	done  func(error)
	begun time.Time
}

// allowProbe asks for leave of a circuit that is not closed.
func (c *Circuit) allowProbe() (Pass, bool) {
	defer c.news.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	done, err := c.cb.Allow()
	if err == gobreaker.ErrTooManyRequests && c.giveUp() {
		done, err = c.cb.Allow()
	}
	if err != nil {
		return Pass{}, false
	}
	pass := Pass{circuit: c, stand: c.stand.Load()}
	if stateIn(pass.stand) == HalfOpen { // it may just have been closed
		pass.probe = &probe{done: done, begun: time.Now()}
		c.probes = append(c.probes, pass.probe)
	}
	return pass, true
}

// giveUp takes their places from probes that are under way for too long: whoever had the Pass
// has lost it. Without this they would keep the circuit half-open for ever.
func (c *Circuit) giveUp() (some bool) {
	for len(c.probes) > 0 && time.Since(c.probes[0].begun) >= c.rule.ProbeFor {
		c.probes[0].done(errVoid)
		c.probes = c.probes[1:]
		some = true
	}
	return some
}

// Succeeded says that it went well.
func (p Pass) Succeeded() {
	switch {
	case p.circuit == nil:
	case p.probe != nil:
		p.circuit.conclude(p.probe, nil)
	default:
		p.circuit.count(p.stand, nil)
	}
}

// Failed says what went wrong.
func (p Pass) Failed(cause error) {
	if cause == nil {
		cause = errNoReason
	}
	switch {
	case p.circuit == nil:
	case p.probe != nil:
		p.circuit.conclude(p.probe, cause)
	default:
		p.circuit.count(p.stand, cause)
	}
}

// Void says that it has no outcome: what failed is not what the circuit protects.
func (p Pass) Void() {
	if p.probe != nil {
		p.circuit.conclude(p.probe, errVoid)
	}
}

// conclude ends a probe, once.
func (c *Circuit) conclude(p *probe, outcome error) {
	defer c.news.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.remove(p) {
		return
	}
	if outcome != nil && outcome != errVoid {
		c.last = outcome
	}
	p.done(outcome)
}
