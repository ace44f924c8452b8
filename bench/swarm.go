package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"throng/bench/internal/sock"
)

// swarm is many client connections read by one goroutine: whoever calls its methods. A
// connection costs the client one epoll report and one read per event, never a goroutine,
// since the client shares the machine with the server that it measures.
type swarm struct {
	epoll   *sock.Epoll
	epoch   time.Time
	sources []netip.Addr
	next    int // the source of the next connection

	conns []*conn // by slot; nil is free
	free  []uint32
	gen   uint32
	open  int

	ready []sock.Ready
	buf   []byte

	awake bool  // it never sleeps: it asks again and again what is ready
	vain  int64 // ns spent on asking when nothing was

	faults     []string // the first faultsKept
	faultCount int
	failed     error // nothing that is waited for will come any more
}

// idler is what a wait has to do meanwhile: it serves the swarm itself, until the
// deadline at the latest.
type idler func(deadline int64) error

// errFault is the end of a connection whose owner found a fault, which has been noted.
var errFault = errors.New("bench: a fault of the server")

const (
	readBytesMax = 64 << 10
	faultsKept   = 10
	// turnMax bounds one wait, so that a cancelled context is seen.
	turnMax = 100 * time.Millisecond
)

// newSwarm makes an empty swarm that connects from 127.0.0.1 to 127.0.0.sources in turn,
// where the target is on this machine.
func newSwarm(epoch time.Time, sources int) (*swarm, error) {
	e, err := sock.NewEpoll(epoch)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	w := &swarm{epoll: e, epoch: epoch, buf: make([]byte, readBytesMax)}
	for i := range sources {
		w.sources = append(w.sources, netip.AddrFrom4([4]byte{127, 0, 0, byte(i%254 + 1)}))
	}
	return w, nil
}

// now is the time in nanoseconds since the epoch, on the monotonic clock.
func (w *swarm) now() int64 { return int64(time.Since(w.epoch)) }

// fault notes that the server broke a promise.
func (w *swarm) fault(format string, args ...any) {
	w.faultCount++
	if len(w.faults) < faultsKept {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

// dial describes how a connection of a swarm is opened.
type dial struct {
	target netip.AddrPort
	rcvBuf int  // bytes; 0 leaves the kernel's default
	deaf   bool // never read until hear
}

// connect opens a connection and sends request as soon as the socket takes it.
func (w *swarm) connect(owner handler, d dial, request []byte) (*conn, error) {
	var source netip.Addr // the kernel's choice
	if d.target.Addr().IsLoopback() {
		source = w.sources[w.next%len(w.sources)]
		w.next++
	}
	fd, err := sock.Connect(sock.Dial{Source: source, Target: d.target, RcvBuf: d.rcvBuf, NoDelay: true})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c, err := w.add(&conn{swarm: w, owner: owner, fd: fd, deaf: d.deaf})
	if err != nil {
		return nil, err
	}
	return c, c.send(request)
}

// adopt takes a connected socket that came from elsewhere.
func (w *swarm) adopt(owner handler, fd int) (*conn, error) {
	return w.add(&conn{swarm: w, owner: owner, fd: fd, private: true})
}

// add gives a connection its slot.
func (w *swarm) add(c *conn) (*conn, error) {
	w.gen++
	c.gen = w.gen
	if n := len(w.free); n > 0 {
		c.slot, w.free = w.free[n-1], w.free[:n-1]
		w.conns[c.slot] = c
	} else {
		c.slot = uint32(len(w.conns))
		w.conns = append(w.conns, c)
	}
	if !c.private {
		w.open++
	}
	if err := w.epoll.Add(c.fd, c.slot, c.gen, !c.deaf, false); err != nil {
		c.reset()
		return nil, fmt.Errorf("bench: epoll: %w", err)
	}
	return c, nil
}

// turn waits for readiness, at the latest until deadline, and handles what is ready.
func (w *swarm) turn(deadline int64) error {
	var err error
	var from int64
	if w.awake {
		deadline, from = 0, w.now()
	}
	if w.ready, err = w.epoll.Wait(w.ready[:0], deadline); err != nil {
		return fmt.Errorf("bench: epoll: %w", err)
	}
	if w.awake && len(w.ready) == 0 {
		w.vain += w.now() - from
	}
	for _, r := range w.ready {
		c := w.conns[r.Slot]
		if c == nil || c.gen != r.Gen {
			continue // closed earlier in this turn
		}
		if r.Writable {
			if err := c.flush(); err != nil {
				c.lost(err)
				continue
			}
		}
		if r.Readable && c.fd >= 0 {
			c.read(r.Hangup)
		}
	}
	return w.failed
}

// serve runs one turn, or lets the idler do so.
func (w *swarm) serve(deadline int64, meanwhile idler) error {
	if meanwhile != nil {
		return meanwhile(deadline)
	}
	return w.turn(deadline)
}

// until runs turns until done says so, and fails after limit, naming what it waited for.
func (w *swarm) until(ctx context.Context, what string, limit time.Duration, done func() bool) error {
	end := w.now() + int64(limit)
	for !done() {
		now := w.now()
		if err := ctx.Err(); err != nil {
			return err
		}
		if now >= end {
			return fmt.Errorf("bench: %s: not within %v", what, limit)
		}
		if err := w.turn(min(end, now+int64(turnMax))); err != nil {
			return err
		}
	}
	return nil
}

// sleep runs turns until the given time, at least one.
func (w *swarm) sleep(ctx context.Context, deadline int64) error {
	for {
		now := w.now()
		if err := w.turn(min(deadline, now+int64(turnMax))); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil || w.now() >= deadline {
			return err
		}
	}
}

// closeAll closes every connection.
func (w *swarm) closeAll() {
	for _, c := range w.conns {
		if c != nil && !c.private {
			c.close()
		}
	}
}

// close ends the swarm.
func (w *swarm) close() error {
	w.closeAll()
	return w.epoll.Close()
}
