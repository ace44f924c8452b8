package server

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"throng/breaker"
	"throng/server/loops"
)

// gateways are the circuits of the gateway layer: a namespace whose streams don't get rid of
// what is written to them, because what is before this node is sick, is given no new ones for
// a while. Those that are open stay. Any goroutine may use them; the loops report failures,
// and wait for nothing longer than one of these locks.
//
// A circuit is made when there is a failure to count, and nothing is asked or counted before.
// Locks: mu, then a gateway's own; the hub's is held when a namespace's circuit is dropped.
type gateways struct {
	board  *breaker.Board
	rule   breaker.Rule
	lately int64 // ns within which a success excuses a time-out

	some   atomic.Bool // there has been a circuit
	mu     sync.RWMutex
	scopes map[*loops.Namespace]*gateway
}

// gateway is one namespace's circuit.
type gateway struct {
	circuit *breaker.Circuit

	mu     sync.Mutex                // guards the rest
	from   map[netip.Prefix]struct{} // whose failures were counted since the last success
	lastAt int64                     // of the last failure, by the loops' clock, ns
	trials map[uint16]breaker.Pass   // streams let in half-open, by the numbers the loops know
	number uint16                    // of the last of them
	until  time.Time                 // open until then
}

// newGateways makes them; without breakers there are none, and nil lets everything pass.
func newGateways(o *Options, board *breaker.Board) *gateways {
	if o.Breakers == "off" {
		return nil
	}
	return &gateways{board: board, lately: int64(lately(o.StallTimeout)), scopes: make(map[*loops.Namespace]*gateway),
		rule: breaker.Rule{InARow: o.GatewayFailures, OpenFor: o.GatewayOpen, Probes: o.GatewayProbes,
			ProbeFor: loops.TrialMax(o.StallTimeout) + trialWaits}}
}

// lately is how long ago a success may be to excuse a time-out. What is dead was so for the
// whole of the stall time-out, so anything since then is a proof, but for a little: clocks are
// coarse, and the buffers of streams that are stuck together are not full at once. It is more
// than the interval of heartbeats, by default: readers of what is quiet are served too.
func lately(stall time.Duration) time.Duration {
	return stall - max(stall/8, min(stall/2, time.Second))
}

// trialWaits is how long a stream on trial may wait for its loop, on top of the time that it
// is watched: one that comes back may wait until this node has read what it has.
const trialWaits = 10 * time.Second

// trialsMax is how many streams on trial are remembered. As many as may be under way at once
// (--gateway-probes), and more: then the oldest ones were lost.
const trialsMax = 4096

// listen has the loops tell what they see.
func (g *gateways) listen(o *loops.Options) {
	if g != nil {
		o.Failed, o.Judged = g.failed, g.judged
	}
}

func (g *gateways) of(ns *loops.Namespace) *gateway {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.scopes[ns]
}

func (g *gateways) made(ns *loops.Namespace) *gateway {
	if s := g.of(ns); s != nil {
		return s
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.scopes[ns]
	if s == nil {
		s = &gateway{circuit: g.board.Circuit(breaker.Gateway, ns.Name, g.rule),
			from: make(map[netip.Prefix]struct{}), trials: make(map[uint16]breaker.Pass)}
		g.scopes[ns] = s
		g.some.Store(true)
	}
	return s
}

// drop forgets a namespace that is evicted.
func (g *gateways) drop(ns *loops.Namespace) {
	if g == nil || !g.some.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.scopes[ns]; s != nil {
		g.board.Drop(s.circuit)
		delete(g.scopes, ns)
	}
}

// failed takes a failure from a loop. One that timed out while others of its namespace were
// served lately says something of one client only: many that vanished time out together, as
// they were last sent something by the same broadcast.
func (g *gateways) failed(f loops.Failure) {
	if f.TimedOut && f.Proven > 0 && f.Proven >= f.At-g.lately {
		if s := g.of(f.NS); s != nil {
			s.excused(f)
		}
		return
	}
	s := g.made(f.NS)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed(f)
	if s.circuit.State() == breaker.Open && len(s.from)+len(s.trials) > 0 { // it has just opened
		s.until = time.Now().Add(g.rule.OpenFor)
		clear(s.from)
		clear(s.trials)
	}
}

// excused takes a failure as what it says of the others: they are served.
func (s *gateway) excused(f loops.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passOf(f.Trial).Void()
	s.forget()
}

// forget ends a row of failures.
func (s *gateway) forget() {
	s.circuit.Succeed()
	clear(s.from)
}

// failed counts a failure, if no other of its address was counted since the last success. Is
// the circuit not closed, the failures of streams that are not on trial say nothing new.
func (s *gateway) failed(f loops.Failure) {
	if s.circuit.State() != breaker.Closed {
		if pass, is := s.trials[f.Trial]; is {
			pass.Failed(fmt.Errorf("a stream that was let in on trial: %w", f.Cause))
		}
		return
	}
	if f.Proven > 0 && f.Proven >= s.lastAt && len(s.from) > 0 {
		s.forget()
	}
	s.lastAt = max(s.lastAt, f.At)
	from := addressOf(f.Peer)
	if _, known := s.from[from]; known {
		return
	}
	s.from[from] = struct{}{}
	s.circuit.Fail(f.Cause)
}

// passOf takes the leave that a stream on trial was given; the zero Pass if it was for nothing
// that is still of interest.
func (s *gateway) passOf(trial uint16) breaker.Pass {
	pass := s.trials[trial]
	delete(s.trials, trial)
	return pass
}

// addressOf is what counts as one client: who has IPv6 has a /64 at least. All whose address
// is unknown are one.
func addressOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of no address it is no prefix
	return p
}

// admit asks whether a new stream may be let in; trial is then the number under which the
// loop says how it did, 0 where nobody wants to know. If not, it may be asked again after a
// while.
func (g *gateways) admit(ns *loops.Namespace) (trial uint16, after time.Duration, ok bool) {
	if g == nil || !g.some.Load() {
		return 0, 0, true
	}
	s := g.of(ns)
	if s == nil || s.circuit.State() == breaker.Closed {
		return 0, 0, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.circuit.State() == breaker.Closed { // by now: this one is not on trial
		return 0, 0, true
	}
	pass, ok := s.circuit.Allow()
	if !ok {
		return 0, max(time.Until(s.until), breakerOpen.retry), false
	}
	if len(s.trials) >= trialsMax {
		clear(s.trials)
	}
	for s.number++; s.number == 0 || s.taken(s.number); s.number++ {
	}
	s.trials[s.number] = pass
	return s.number, 0, true
}

func (s *gateway) taken(number uint16) bool {
	_, taken := s.trials[number]
	return taken
}

// judged takes from a loop how a stream on trial did.
func (g *gateways) judged(ns *loops.Namespace, trial uint16, good bool) {
	if g == nil || trial == 0 {
		return
	}
	s := g.of(ns)
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pass := s.passOf(trial)
	if !good {
		pass.Void()
		return
	}
	pass.Succeeded()
	if s.circuit.State() == breaker.Closed {
		clear(s.trials)
	}
}

// sendAwayBy refuses a stream that its namespace's gateway does not let in: for as long as it
// is open, at least.
func (s *session) sendAwayBy(ns *namespace, after time.Duration) {
	s.srv.table.Shed[shedGatewayBreaker].Inc()
	s.neither()
	if wantsStream(&s.x.req) {
		s.respond(endedStreamAnswer(after, s.srv.random()))
		return
	}
	p := breakerOpen
	p.retry = after.Round(time.Second)
	s.problem(p.because(fmt.Sprintf("streams of %s take nothing at the moment, and no new ones are let in for a while", ns.Name)))
}
