package bench

import (
	"errors"
	"fmt"
	"io"

	"throng/bench/internal/sock"
)

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
	private   bool   // not counted, and not closed with the others
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
	c.out = nil
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
	if !c.private {
		c.swarm.open--
	}
}
