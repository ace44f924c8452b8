package poller

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// This file serves what a connection has sent by the time it is accepted.
//
// In a storm that is the whole request, and the request mostly a stream: the descriptor
// then goes to a loop directly, and netpoll never hears of it. Nor does it of a connection
// that ends with its first answer, or has ended already. Every other one enters netpoll,
// with the Session that was given its first bytes.
//
// All of it happens in Listener.Accept, on the reactor that accepts. netpoll calls
// onPrepare for the connection that Accept returns before it calls Accept again, so a
// field (entering) takes the Conn across.

const (
	// acceptsMax is how many connections one Accept takes in a crowd, before the reactor's
	// others have their turn: some milliseconds. Of those there may be a thousand in each turn,
	// and a stream's request waits for the next one.
	acceptsMax = 64
	// crowdAfter is how many Accepts in a row must have found all they looked for. Else one
	// at a time is accepted: finding nothing costs more than accepting (accept(2) makes the
	// socket first).
	crowdAfter = 8
	// firstBytesMax is how much is read of a new connection at once: the head of any
	// browser's request. What is more is read in its turn.
	firstBytesMax = 16 << 10
)

// entrance is what the accepting reactor keeps from one connection to the next.
type entrance struct {
	entering *Conn // what onPrepare gets next
	unused   *Conn // whose socket was given away before anybody else knew it; for the next one
	found    int   // Accepts in a row, up to crowdAfter, that found all they looked for
	handed   bool  // in this Accept a descriptor was given away
	first    [firstBytesMax]byte
}

// Accept implements net.Listener as netpoll uses it: nil, nil means that nothing waits for
// netpoll now, and that it asks again as long as somebody waits in the queue.
func (l *Listener) Accept() (net.Conn, error) {
	if l.closed.Load() {
		return nil, errors.New("poller: the listener is closed")
	}
	e := l.edge
	if !e.enter() { // the Edge closes, and netpoll may have looked through its connections already
		return nil, nil
	}
	defer e.accepted()
	for range e.entrance.accepts() {
		fd, from, err := l.accept()
		if err != nil {
			e.entrance.found = 0
		}
		switch err {
		case nil:
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.exhausted()
			return nil, nil
		default:
			return nil, nil // EAGAIN, or a connection that died in the queue (accept(2), ERRORS)
		}
		if l.reserve.lost.Load() && l.refuse(fd) {
			continue
		}
		n, err := e.readFirst(fd)
		if why, ok := l.Admit(from, e.entrance.first[:n]); !ok {
			l.Shed(fd, why, e.entrance.first[:n])
			e.entrance.handed = true
			continue
		}
		if !e.first(fd, n, err) {
			return &peer{fd: fd, local: l.addr}, nil
		}
	}
	return nil, nil
}

// accepts is how many connections to look for, in the hope that they are there.
func (n *entrance) accepts() int {
	if n.found < crowdAfter {
		n.found++
		return 1
	}
	return acceptsMax
}

// accepted ends an Accept.
func (e *Edge) accepted() {
	if e.entrance.handed {
		e.entrance.handed = false
		e.o.HandedOver()
	}
	e.inline.Add(-1)
}

// readFirst reads what a new connection has sent already: n bytes, 0 with an error. Whether
// it is served, and what it is told if not, may depend on what it asks for.
func (e *Edge) readFirst(fd int) (n int, err error) {
	if n, err = (Kernel{}).Read(fd, e.entrance.first[:]); err != nil {
		return 0, err
	}
	return n, nil
}

// first serves what a new connection has sent already, n bytes or a failure to read any;
// true: that was all there is to it. Otherwise it enters netpoll.
func (e *Edge) first(fd, n int, err error) bool {
	c := e.entrance.unused
	e.entrance.unused = nil
	if c == nil {
		c = new(Conn)
	}
	*c = Conn{Context: context.Background(), edge: e, fd: fd, own: -1, spare: -1}
	c.session = e.o.NewSession(c)
	e.open.Add(1)
	switch err {
	case ErrAgain:
	case nil:
		c.busy = true
		c.session.Data(e.entrance.first[:n])
		c.end()
	default: // it came and went
		c.leaving = true
	}
	if c.leaves() {
		e.entrance.handed = e.entrance.handed || c.handOver != nil
		return true
	}
	e.deadlines.armFirst(c, DeadlineHead, time.Now())
	e.entrance.entering = c
	return false
}

// leaves ends a connection that netpoll need not see: its socket is given away, or it was
// answered for the last time. The socket is the Conn's own, so no other number is needed.
func (c *Conn) leaves() bool {
	c.mu.Lock()
	leaves := c.leaving && !c.slow
	c.left = leaves
	c.mu.Unlock()
	if !leaves {
		return false
	}
	e := c.edge
	known := e.deadlines.drop(c)
	switch {
	case c.handOver == nil:
		c.over()
		_ = unix.Close(c.fd)
	case !c.handOver(c.handed, false):
		c.startHandOver()
	case !known:
		e.entrance.unused = c
	}
	return true
}
