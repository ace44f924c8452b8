package poller

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// Conn is a connection in the request phase. Its methods are for its Session, inside
// Data, except where they say otherwise. It is the context of netpoll's tasks too,
// which is how the runner finds it.
type Conn struct {
	context.Context
	edge     *Edge
	np       netpoll.Connection
	fd       int
	session  Session
	handOver func(fd int)

	mu   sync.Mutex // guards busy and gone
	busy bool       // Data is running
	gone bool       // closed, expired or handed over: nothing is served any more

	// Guarded by the Edge's deadlines.
	prev, next *Conn
	due        time.Time
	class      DeadlineClass
}

// Peer is the client's address.
func (c *Conn) Peer() netip.AddrPort {
	if a, ok := c.np.RemoteAddr().(*peerAddr); ok {
		return a.AddrPort
	}
	return netip.AddrPort{}
}

// Arm starts the deadline of class; it replaces the one before.
func (c *Conn) Arm(class DeadlineClass) { c.edge.deadlines.arm(c, class, time.Now()) }

// Write sends all of p. It goes straight to the socket; only what a full socket does
// not take at once passes through netpoll, which waits up to the write time-out
// without holding a thread.
func (c *Conn) Write(p []byte) error {
	for len(p) > 0 {
		n, err := Kernel{}.Write(c.fd, p)
		if err == ErrAgain {
			_, err = c.np.Write(p)
			return err
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Unread is how many bytes netpoll has read ahead of Data: reading can't be paused, so
// a Session that waits for something else watches it.
func (c *Conn) Unread() int { return c.np.Reader().Len() }

// Abort cuts the connection in both directions; Closed follows. Any goroutine may
// call it while Data is running.
func (c *Conn) Abort() { _ = unix.Shutdown(c.fd, unix.SHUT_RDWR) }

// Close ends the connection once Data has returned.
func (c *Conn) Close() { _ = c.np.Close() }

// HandOver gives the descriptor away: once Data has returned and netpoll has let go of
// it, then is called with it, on a goroutine that may not wait. Session.Closed is not
// called.
func (c *Conn) HandOver(then func(fd int)) {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.leave()
	c.handOver = then
	_ = c.np.(detacher).Detach()
}

// begin marks the connection as being served; false: there is nothing to serve.
func (c *Conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.busy = true
	return true
}

func (c *Conn) end() {
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
}

// expire ends a connection that nobody is serving: last words, then a shutdown in both
// directions, whose hang-up makes netpoll close it. The descriptor is still open here:
// closed() needs mu and comes before netpoll closes it.
func (c *Conn) expire(class DeadlineClass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.busy {
		return
	}
	c.gone = true
	if words := c.session.Expired(class); words != nil {
		_, _ = Kernel{}.Write(c.fd, words)
	}
	_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
}

// leave takes the connection out of the Edge's books.
func (c *Conn) leave() {
	d := &c.edge.deadlines
	d.mu.Lock()
	d.unlink(c)
	d.mu.Unlock()
	c.edge.open.Add(-1)
}

// closed is netpoll's close callback; it runs before netpoll closes the descriptor.
func (c *Conn) closed() {
	if c.handOver != nil {
		return
	}
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.leave()
	c.session.Closed()
}

// detacher is what netpoll's connections can do beyond its Connection interface.
type detacher interface{ Detach() error }
