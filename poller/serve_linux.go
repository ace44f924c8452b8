package poller

import (
	"context"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// This file serves a connection between netpoll and its Session.
//
// netpoll calls its runner on the reactor, with a task that reads and calls onRequest,
// and holds the connection's processing lock until the task returns. Most requests are
// answered without waiting for anything, so the task runs right there: a goroutine for
// each request, and the thread that wakes to run it, would cost as much as the request.
// Three rules make that safe.
//
// A request that has to wait is finished by a goroutine (slow). What comes meanwhile is
// kept in order, up to a bound: reading can't be paused.
//
// netpoll ends a connection inside a task if it was closed meanwhile, and then waits for
// the reactor to be done with it: on the reactor that would be for ever. So Close is
// called only while no task runs there (inTasks), and tasks that begin after that
// (departing) get a goroutine.
//
// netpoll closes its descriptor when the peer hangs up. A goroutine that serves the
// connection has one of its own, or its answer could go to whoever gets the number.

// runTask is netpoll's runner.
func runTask(ctx context.Context, task func()) {
	c, ok := ctx.(*Conn)
	if !ok { // a Probe's, which only the reactor closes
		task()
		return
	}
	if !c.edge.enter() || !c.beginTask() {
		go task()
		return
	}
	task()
	c.endTask()
	c.edge.inline.Add(-1)
}

// enter says whether tasks may run on the reactor: not while the Edge closes, which
// closes connections from another goroutine.
func (e *Edge) enter() bool {
	e.inline.Add(1)
	if e.closing.Load() {
		e.inline.Add(-1)
		return false
	}
	return true
}

func (c *Conn) beginTask() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.departing {
		c.edge.inline.Add(-1)
		return false
	}
	c.inTasks++
	return true
}

// endTask starts what the task has left to a goroutine.
func (c *Conn) endTask() {
	c.mu.Lock()
	c.inTasks--
	spare := c.spare
	c.spare = -1
	depart := !c.slow && c.mayDepart()
	c.mu.Unlock()
	switch {
	case spare >= 0:
		c.startSlow(spare)
	case depart:
		c.edge.tasks.Add(1)
		go func() {
			c.depart()
			c.edge.tasks.Add(-1)
		}()
	}
}

// startSlow gives the connection a goroutine, which owns the descriptor own.
func (c *Conn) startSlow(own int) {
	c.edge.tasks.Add(1)
	go c.serveSlow(own)
}

// startHandOver hands over where that may wait.
func (c *Conn) startHandOver() {
	c.edge.tasks.Add(1)
	go func() {
		c.handOver(c.handed, true)
		c.edge.tasks.Add(-1)
	}()
}

// mayDepart says whether the connection is to be taken from netpoll now; if so, the
// caller must call depart. The caller holds mu.
func (c *Conn) mayDepart() bool {
	if !c.leaving || c.inTasks > 0 || c.departing {
		return false
	}
	c.departing = true
	return true
}

// onRequest is netpoll's callback: there are bytes.
func onRequest(ctx context.Context, np netpoll.Connection) error {
	c := ctx.(*Conn)
	r := np.Reader()
	p, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	if c.begin(p) {
		c.session.Data(p)
		c.end()
	}
	return r.Release()
}

// begin marks the connection as being served; false: it is served by a goroutine, which
// is given p, or not at all any more.
func (c *Conn) begin(p []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone || c.edge.closing.Load():
		return false
	case c.slow:
		total := c.edge.ahead.Add(int64(len(p)))
		if len(c.ahead)+len(p) > c.edge.o.AheadBytesMax || total > c.edge.o.AheadTotalBytesMax {
			c.edge.ahead.Add(int64(-len(p)))
			c.gone = true
			_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
			return false
		}
		c.ahead = append(c.ahead, p...)
		return false
	}
	c.busy = true
	return true
}

// end notes what Data has left to be done where waiting is allowed. The goroutine that
// does it needs a descriptor of its own, taken while netpoll's is certainly open.
func (c *Conn) end() {
	spare := -1
	var err error
	if c.deferred {
		spare, err = c.edge.ln.reserve.dup(c.fd)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy, c.deferred = false, false
	if err != nil { // no descriptor is left: netpoll will see the hang-up
		c.gone = true
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
		return
	}
	c.spare, c.slow = spare, spare >= 0
}

// serveSlow goes on with a connection on a goroutine of its own: first with what has not
// been sent, then with the request that has to wait, then with what came meanwhile.
func (c *Conn) serveSlow(own int) {
	defer c.edge.tasks.Add(-1)
	c.own, c.patience = own, c.edge.o.WriteTimeout
	p, ok := []byte(nil), true
	for ok {
		err := c.Write(c.unsent)
		c.unsent = nil
		if err != nil {
			c.Close()
		}
		c.mu.Lock()
		serve := !c.gone
		c.mu.Unlock()
		if serve {
			c.session.Data(p)
		}
		p, ok = c.nextSlow()
	}
}

// nextSlow gives what came meanwhile; false: there was nothing, the goroutine is done,
// and whatever is to become of the connection has been seen to.
func (c *Conn) nextSlow() ([]byte, bool) {
	c.mu.Lock()
	if p := c.ahead; p != nil && !c.gone {
		c.ahead = nil
		c.mu.Unlock()
		c.edge.ahead.Add(int64(-len(p)))
		return p, true
	}
	own := c.own
	c.edge.ahead.Add(int64(-len(c.ahead)))
	c.own, c.slow, c.ahead = -1, false, nil
	depart := c.mayDepart()
	end := c.left && c.handOver == nil
	c.mu.Unlock()
	_ = unix.Close(own)
	if end {
		c.over()
	}
	if depart {
		c.depart()
	}
	return nil, false
}

// depart makes netpoll close its descriptor, and hands the new one over.
func (c *Conn) depart() {
	_ = c.np.Close()
	if c.handOver != nil {
		c.handOver(c.handed, true)
	}
}

// closed is netpoll's close callback, called once, before netpoll closes the descriptor. A
// goroutine that serves the connection goes on with what has been read: a client that has
// closed its half still wants its answers.
func (c *Conn) closed() {
	c.mu.Lock()
	c.left = true
	end := !c.slow && c.handOver == nil
	if !c.slow {
		c.gone = true
	}
	spare := -1
	if c.inTasks == 0 { // no task will end that starts the goroutine: it was to be the first
		spare, c.spare = c.spare, -1
	}
	c.mu.Unlock()
	c.edge.deadlines.drop(c)
	switch {
	case end:
		c.over()
	case spare >= 0:
		c.startSlow(spare)
	}
}

// cutOff makes netpoll see a hang-up.
func (c *Conn) cutOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left {
		c.gone = true
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
	}
}

// over ends the life of a connection that was not handed over, once.
func (c *Conn) over() {
	c.session.Closed()
	c.edge.open.Add(-1)
}

// expire ends a connection that nobody is serving: last words and a FIN, and after a
// while of reading on, so that no reset destroys them, a shutdown in both directions,
// whose hang-up makes netpoll close it. The descriptor is still open here: closed()
// needs mu and comes before netpoll closes it.
func (c *Conn) expire(class DeadlineClass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.left || c.edge.deadlines.armed(c): // armed anew since its time was over
	case class == deadlineLinger:
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
	case c.busy || c.slow: // a deadline met a request that just goes on: it gets another one
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
