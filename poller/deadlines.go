package poller

import (
	"sync"
	"time"
)

// DeadlineClass says what a connection in the request phase is being waited for.
type DeadlineClass uint8

// The classes. Every connection of a class has the same time, so a queue in order of
// arming is in order of expiry too: arming is O(1) and a sweep looks only at what expired.
const (
	DeadlineNone   DeadlineClass = iota // being served: whoever serves bounds the time
	DeadlineHead                        // the head of a request
	DeadlineBody                        // the rest of a body
	DeadlineIdle                        // the next request of a kept connection
	deadlineLinger                      // the client to take its last words
	deadlineClasses
)

// String names the class for logs and metrics.
func (d DeadlineClass) String() string {
	return [...]string{"none", "head", "body", "idle", "linger"}[d]
}

// deadlines are the queues. Any goroutine may call their methods.
type deadlines struct {
	mu     sync.Mutex
	after  [deadlineClasses]time.Duration
	queues [deadlineClasses]queue
}

type queue struct{ first, last *Conn }

// arm moves c to the end of class's queue.
func (d *deadlines) arm(c *Conn, class DeadlineClass, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.link(c, class, now)
}

// armFirst arms c unless it waits for something already.
func (d *deadlines) armFirst(c *Conn, class DeadlineClass, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.class == DeadlineNone {
		d.link(c, class, now)
	}
}

// link moves c to the end of class's queue. The caller holds mu.
func (d *deadlines) link(c *Conn, class DeadlineClass, now time.Time) {
	d.unlink(c)
	if class != DeadlineNone && !c.unlisted {
		c.class, c.listed = class, true
		c.due = now.Add(d.after[class])
		q := &d.queues[class]
		c.prev = q.last
		if q.last != nil {
			q.last.next = c
		} else {
			q.first = c
		}
		q.last = c
	}
}

// drop takes c out for good, and says whether it ever was in: then a sweep may hold it.
func (d *deadlines) drop(c *Conn) (known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unlink(c)
	c.unlisted = true
	return c.listed
}

// armed says whether c waits for anything.
func (d *deadlines) armed(c *Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return c.class != DeadlineNone
}

// unlink takes c out of its queue. The caller holds mu.
func (d *deadlines) unlink(c *Conn) {
	if c.class == DeadlineNone {
		return
	}
	q := &d.queues[c.class]
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		q.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		q.last = c.prev
	}
	c.prev, c.next, c.class = nil, nil, DeadlineNone
}

// expired takes at most len(dst) connections whose time is over out of the queues.
func (d *deadlines) expired(dst []expiry, now time.Time) int {
	n := 0
	d.mu.Lock()
	defer d.mu.Unlock()
	for class := DeadlineHead; class < deadlineClasses; class++ {
		for n < len(dst) {
			c := d.queues[class].first
			if c == nil || c.due.After(now) {
				break
			}
			d.unlink(c)
			dst[n] = expiry{c, class}
			n++
		}
	}
	return n
}

type expiry struct {
	conn  *Conn
	class DeadlineClass
}
