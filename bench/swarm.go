package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	faults     []string // the first faultsKept
	faultCount int
}

// handler owns one connection of a swarm.
type handler interface {
	// received gets every read; p is valid during the call. An error is a fault: the
	// server said what it must not say. It is noted, and gone is told errFault.
	received(c *conn, p []byte) error
	// gone tells that the peer closed (io.EOF) or that the connection failed. It is
	// not called for the closings of the owner.
	gone(c *conn, err error)
}

// conn is one connection. A closed one is never used again.
type conn struct {
	swarm     *swarm
	owner     handler
	fd        int
	slot, gen uint32
	out       []byte // what the socket did not take yet
	deaf      bool   // never read
}

// errFault is the end of a connection whose owner found a fault, which has been noted.
var errFault = errors.New("bench: a fault of the server")

const (
	readBytesMax = 64 << 10
	faultsKept   = 10
	// turnMax bounds one wait, so that a cancelled context is seen.
	turnMax = 100 * time.Millisecond
)

// newSwarm makes an empty swarm that connects from 127.0.0.1 to 127.0.0.sources in turn.
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
	source := w.sources[w.next%len(w.sources)]
	w.next++
	fd, err := sock.Connect(sock.Dial{Source: source, Target: d.target, RcvBuf: d.rcvBuf, NoDelay: true})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	w.gen++
	c := &conn{swarm: w, owner: owner, fd: fd, gen: w.gen, deaf: d.deaf}
	if n := len(w.free); n > 0 {
		c.slot, w.free = w.free[n-1], w.free[:n-1]
		w.conns[c.slot] = c
	} else {
		c.slot = uint32(len(w.conns))
		w.conns = append(w.conns, c)
	}
	w.open++
	if err := w.epoll.Add(fd, c.slot, c.gen, !c.deaf, false); err != nil {
		c.reset()
		return nil, fmt.Errorf("bench: epoll: %w", err)
	}
	return c, c.send(request)
}

// turn waits for readiness, at the latest until deadline, and handles what is ready.
func (w *swarm) turn(deadline int64) error {
	var err error
	if w.ready, err = w.epoll.Wait(w.ready[:0], deadline); err != nil {
		return fmt.Errorf("bench: epoll: %w", err)
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
	return nil
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
		if c != nil {
			c.close()
		}
	}
}

// close ends the swarm.
func (w *swarm) close() error {
	w.closeAll()
	return w.epoll.Close()
}

// send writes p, keeping what the socket does not take.
func (c *conn) send(p []byte) error {
	if len(c.out) > 0 || len(p) == 0 {
		c.out = append(c.out, p...)
		return nil
	}
	n, err := sock.Write(c.fd, p)
	if err != nil && err != sock.ErrAgain {
		return c.refused(err)
	}
	if n < len(p) {
		c.out = append(c.out, p[n:]...)
		return c.swarm.epoll.Mod(c.fd, c.slot, c.gen, !c.deaf, true)
	}
	return nil
}

// refused turns a write error into what it means: a peer that reset is told by the next
// read, which still finds the answer that came before the reset.
func (c *conn) refused(err error) error {
	if sock.IsReset(err) {
		return nil
	}
	return fmt.Errorf("bench: write: %w", err)
}

// flush writes until the socket takes no more or nothing is left.
func (c *conn) flush() error {
	for len(c.out) > 0 {
		n, err := sock.Write(c.fd, c.out)
		if err == sock.ErrAgain {
			return nil
		}
		if err != nil {
			c.out = c.out[:0]
			return errors.Join(c.refused(err), c.swarm.epoll.Mod(c.fd, c.slot, c.gen, !c.deaf, false))
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return c.swarm.epoll.Mod(c.fd, c.slot, c.gen, !c.deaf, false)
}

// read reads what is there: a read that does not fill the buffer was the last, unless
// the peer has hung up.
func (c *conn) read(hangup bool) {
	for {
		n, err := sock.Read(c.fd, c.swarm.buf)
		if err == sock.ErrAgain {
			return
		}
		if err != nil {
			c.lost(err)
			return
		}
		if err := c.owner.received(c, c.swarm.buf[:n]); err != nil {
			c.swarm.fault("%v", err)
			c.lost(errFault)
			return
		}
		if c.fd < 0 || n < len(c.swarm.buf) && !hangup {
			return
		}
	}
}

// lost ends a connection that the peer or an error ended.
func (c *conn) lost(err error) {
	if c.fd < 0 {
		return // its owner closed it already
	}
	c.close()
	if sock.IsReset(err) {
		err = io.EOF
	}
	c.owner.gone(c, err)
}

// hear starts reading a connection that was opened deaf.
func (c *conn) hear() error {
	c.deaf = false
	return c.swarm.epoll.Mod(c.fd, c.slot, c.gen, true, len(c.out) > 0)
}

// finish sends the FIN and goes on reading.
func (c *conn) finish() error { return sock.ShutdownWrite(c.fd) }

// close closes with a FIN, or with what the kernel makes of unread bytes.
func (c *conn) close() { c.leave(sock.Close) }

// reset closes with a RST.
func (c *conn) reset() { c.leave(sock.Reset) }

func (c *conn) leave(how func(fd int) error) {
	if c.fd < 0 {
		return
	}
	_ = how(c.fd) // the descriptor is gone either way
	c.fd = -1
	c.out = nil
	c.swarm.conns[c.slot] = nil
	c.swarm.free = append(c.swarm.free, c.slot)
	c.swarm.open--
}
