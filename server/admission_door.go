package server

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"throng/breaker"
)

// door counts how connections were established, for the circuit of the connection layer. A
// connection is established when its first request was answered, with whatever it asked for,
// or its stream was handed over. It has failed when this node could not: no descriptor, no
// room in a loop's tables, a namespace that can't be opened though the store is there. Who is
// shed, goes, or dribbles is neither.
//
// What is counted here is told to the circuit ten times a second, so that a connection costs
// one atomic addition. Half-open, a connection has a Pass and tells the circuit itself.
type door struct {
	circuit *breaker.Circuit // nil: --breakers=off
	openFor time.Duration
	good    atomic.Uint64
	bad     atomic.Uint64
	cause   atomic.Pointer[error]
	tables  uint64 // connections that met full tables; of whoever calls tell
}

// What makes an establishment fail.
var (
	errNoDescriptor = errors.New("no descriptor was left")
	errTablesFull   = errors.New("a loop's tables had no room")
)

// doorProbeFor is how long a connection that is tried half-open may take to be established,
// before another one is: a client that dribbles must not keep the door shut for all.
const doorProbeFor = 2 * time.Second

func newDoor(s *Server) *door {
	d := &door{openFor: s.o.ConnectionOpen}
	if s.o.Breakers == "on" {
		d.circuit = s.board.Circuit(breaker.Connection, "", breaker.Rule{
			Ratio: float64(s.o.ConnectionFailures) / 100, Min: s.o.ConnectionMin, Window: s.o.ConnectionWindow,
			OpenFor: s.o.ConnectionOpen, Probes: s.o.ConnectionProbes, ProbeFor: doorProbeFor,
		})
	}
	return d
}

// enter asks for leave; pass is nil unless the connection is tried half-open.
func (d *door) enter() (pass *breaker.Pass, ok bool) {
	if d.state() == breaker.Closed {
		return nil, true
	}
	p, ok := d.circuit.Allow()
	if !ok {
		return nil, false
	}
	return &p, true
}

// failed counts a connection that could not be established.
func (d *door) failed(cause error) {
	d.cause.Store(&cause)
	d.bad.Add(1)
}

// toldMax is how many outcomes the circuit is told at a time: more are told in proportion,
// since telling each takes the circuit's lock.
const toldMax = 200

// tell gives the circuit what was counted since the last call. tables is how many
// connections have met full tables since the node began; they were counted as handed over.
func (d *door) tell(tables uint64) {
	full := tables - d.tables
	d.tables = tables
	good, bad := d.good.Swap(0), d.bad.Swap(0)+full
	good -= min(full, good)
	if d.circuit == nil || good+bad == 0 {
		return
	}
	if all := good + bad; all > toldMax {
		part := float64(toldMax) / float64(all)
		good, bad = uint64(math.Round(float64(good)*part)), uint64(math.Ceil(float64(bad)*part))
	}
	for range good {
		d.circuit.Succeed()
	}
	cause := errTablesFull
	if p := d.cause.Load(); p != nil && full == 0 {
		cause = *p
	}
	for range bad {
		d.circuit.Fail(cause)
	}
}

// state is how the circuit stands.
func (d *door) state() breaker.State {
	if d.circuit == nil {
		return breaker.Closed
	}
	return d.circuit.State()
}

// open says whether no connection is let in.
func (d *door) open() bool { return d.state() == breaker.Open }

// opensIn is when a client that is sent away should try again.
func (d *door) opensIn() time.Duration {
	if !d.open() {
		return breakerOpen.retry
	}
	left := d.openFor - time.Since(d.circuit.Status().Since)
	return max(time.Second, time.Duration(math.Ceil(left.Seconds()))*time.Second)
}

// entering is what admit has given to the connection for which newSession is called next,
// by the reactor that accepts.
type entering struct {
	pass   *breaker.Pass
	ticket uint32
}

// establish says, once a connection, that it was established.
func (s *session) establish() {
	if s.told {
		return
	}
	s.told = true
	if s.pass != nil {
		s.pass.Succeeded()
		s.pass = nil
		return
	}
	s.srv.door.good.Add(1)
}

// failed says, once a connection, that this node could not establish it.
func (s *session) failed(cause error) {
	if s.told {
		return
	}
	s.told = true
	if s.pass != nil {
		s.pass.Failed(cause)
		s.pass = nil
		return
	}
	s.srv.door.failed(cause)
}

// neither says that it was not for this node to establish the connection.
func (s *session) neither() {
	s.told = true
	if s.pass != nil {
		s.pass.Void()
		s.pass = nil
	}
}

// leave gives back what admit has given, when the connection is over.
func (s *session) leave() {
	s.neither()
	if s.ticket != 0 {
		s.srv.addresses.leave(s.ticket)
		s.ticket = 0
	}
}

// moves is told that the connection goes to a loop as fd.
func (s *session) moves(fd int) {
	if s.ticket != 0 {
		s.srv.addresses.moves(fd, s.ticket)
	}
}

// errHandOver is the cause of a hand-over that failed.
func errHandOver(err error) error { return fmt.Errorf("handing over a stream: %w", err) }
