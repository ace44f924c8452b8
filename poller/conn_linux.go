package poller

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// Conn is a connection in the request phase. Its methods are for its Session, inside
// Data. It is the context of netpoll's tasks too, which is how the runner finds it.
// early_linux.go has its first moments, serve_linux.go its life.
type Conn struct {
	context.Context
	edge    *Edge
	np      netpoll.Connection
	fd      int
	session Session

	// Of whoever runs Data.
	own      int  // the descriptor of the goroutine that serves it, where it may wait; else -1
	deferred bool // Data can't go on without waiting
	unsent   []byte
	handOver func(fd int, mayWait bool) bool
	handed   int           // the descriptor to hand over
	patience time.Duration // how long its goroutine may still wait for a full socket

	mu        sync.Mutex // guards the rest, down to the deadlines
	busy      bool       // Data is running
	inTasks   int        // netpoll's tasks on reactors: the end of one may overlap the next
	slow      bool       // a goroutine serves it, or is about to
	spare     int        // the descriptor of that goroutine, until it is started; else -1
	gone      bool       // nothing is served any more
	leaving   bool       // netpoll is to close it
	departing bool       // which is under way: netpoll's tasks must not run on the reactor now
	left      bool       // netpoll is closing its descriptor
	ahead     []byte     // what came while slow

	// Guarded by the Edge's deadlines.
	prev, next *Conn
	due        time.Time
	class      DeadlineClass
	listed     bool // was armed at least once
	unlisted   bool // never armed again
}

// Arm starts the deadline of class; it replaces the one before.
func (c *Conn) Arm(class DeadlineClass) { c.edge.deadlines.arm(c, class, time.Now()) }

// MayWait says whether Data may wait now. On the reactor it may not: it does what it can
// at once, and calls Defer for the rest.
func (c *Conn) MayWait() bool { return c.own >= 0 }

// Defer asks for another call of Data, with no new bytes, on a goroutine where it may
// wait.
func (c *Conn) Defer() { c.deferred = true }

// Deferred says whether Data should return now, keeping what it has not dealt with: it
// has called Defer, or a full socket has not taken all of an answer.
func (c *Conn) Deferred() bool { return c.deferred }

// Steps in which a full socket is tried again. Answers are short, so it is a client that
// does not read them which makes the server wait.
const (
	fullStepMin = time.Millisecond
	fullStepMax = 20 * time.Millisecond
)

// Write sends all of p. It goes straight to the socket, not through netpoll. Where it may
// wait, it waits for a full socket, up to the write time-out for all answers until it has caught up; on the reactor it keeps
// what the socket did not take, and Deferred says so.
func (c *Conn) Write(p []byte) error {
	for step := fullStepMin; len(p) > 0; {
		n, err := Kernel{}.Write(c.socket(), p)
		if err != nil && err != ErrAgain {
			return err
		}
		p = p[n:]
		if err == nil {
			continue
		}
		if !c.MayWait() {
			c.unsent = append(c.unsent, p...)
			c.deferred = true
			return nil
		}
		if c.patience <= 0 {
			_ = unix.Shutdown(c.own, unix.SHUT_RDWR)
			return os.ErrDeadlineExceeded
		}
		time.Sleep(step)
		c.patience -= step
		step = min(2*step, fullStepMax)
	}
	return nil
}

// socket is the descriptor that Data may use.
func (c *Conn) socket() int {
	if c.own >= 0 {
		return c.own
	}
	return c.fd
}

// Close ends the connection once Data has returned.
func (c *Conn) Close() {
	c.mu.Lock()
	c.gone, c.leaving = true, true
	c.mu.Unlock()
}

// HandOver gives the socket away: then is called with its descriptor once Data has
// returned. Where it may not wait it may answer false, and is called again where it may,
// on a goroutine. It takes the connection from Edge.Books: only it knows when the connection
// is counted elsewhere, and before the client can tell. Closed is not called. On an error (no descriptor is left) the
// connection is closed as by Close.
//
// Once netpoll knows the connection, the number is a new one (dup): netpoll may still be
// reading from the old one when it closes it, and a number that is closed and used again
// would lose another client's bytes.
func (c *Conn) HandOver(then func(fd int, mayWait bool) bool) error {
	fd, err := c.fd, error(nil)
	if c.np != nil {
		fd, err = c.edge.ln.reserve.dup(c.socket())
	}
	c.mu.Lock()
	c.gone, c.leaving = true, true
	if err == nil {
		c.handOver, c.handed = then, fd
	}
	c.mu.Unlock()
	return err
}
