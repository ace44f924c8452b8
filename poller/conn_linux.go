package poller

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
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
	tasks    atomic.Int32 // netpoll's tasks for it, and handOverBit
	handOver func(fd int) // read by the last task, if the bit is set

	mu   sync.Mutex // guards the next three
	busy bool       // Data is running
	gone bool       // closed, expired or handed over: nothing is served any more
	left bool       // closed or handed over: the descriptor is not ours any more

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

// Steps in which a full socket is tried again. Answers are short, so it is a client that
// does not read them which makes the server wait.
const (
	fullStepMin = time.Millisecond
	fullStepMax = 20 * time.Millisecond
)

// ErrAhead cuts off a client that sends on and on without reading its answers.
var ErrAhead = errors.New("poller: too much was sent ahead of unread answers")

// Write sends all of p, and waits up to the write time-out for a full socket. It goes
// straight to the socket and not through netpoll, whose reactor reads on during a wait:
// what it has read ahead is looked at here.
func (c *Conn) Write(p []byte) error {
	var deadline time.Time
	for step := fullStepMin; len(p) > 0; {
		n, err := Kernel{}.Write(c.fd, p)
		if err != nil && err != ErrAgain {
			return err
		}
		p = p[n:]
		if err == nil {
			continue
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(c.edge.o.WriteTimeout)
		}
		if now.After(deadline) {
			c.Abort()
			return os.ErrDeadlineExceeded
		}
		if c.Unread() > c.edge.o.AheadBytesMax {
			c.Abort()
			return ErrAhead
		}
		time.Sleep(step)
		step = min(2*step, fullStepMax)
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
	c.gone, c.left = true, true
	c.mu.Unlock()
	c.leave()
	c.handOver = then
	c.tasks.Add(handOverBit)
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

// expire ends a connection that nobody is serving: last words and a FIN, and after a
// while of reading on, so that no reset destroys them, a shutdown in both directions,
// whose hang-up makes netpoll close it. The descriptor is still open here: closed()
// needs mu and comes before netpoll closes it.
func (c *Conn) expire(class DeadlineClass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.left:
	case class == deadlineLinger:
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
	case c.busy: // a deadline met a request that just goes on: it gets another one
		c.edge.deadlines.arm(c, class, time.Now())
	case !c.gone:
		c.gone = true
		words := c.session.Expired(class)
		if words == nil {
			_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
			return
		}
		_, _ = Kernel{}.Write(c.fd, words)
		_ = unix.Shutdown(c.fd, unix.SHUT_WR)
		c.edge.deadlines.arm(c, deadlineLinger, time.Now())
	}
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
	if c.tasks.Load()&handOverBit != 0 {
		return
	}
	c.mu.Lock()
	c.gone, c.left = true, true
	c.mu.Unlock()
	c.leave()
	c.session.Closed()
}

// detacher is what netpoll's connections can do beyond its Connection interface.
type detacher interface{ Detach() error }
