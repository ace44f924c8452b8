package server

import (
	"time"

	"throng/replay"
)

// line is what waits for room in a namespace's share of the ring, or for the queue's
// breaker. The committer alone touches it; while somebody waits there is a committer.
type line struct {
	waiting []*pending       // in the order in which they were published
	events  int              // of them that are not refused
	holding bool             // there was no room when it was last looked
	newest  map[string]*spot // of each set of topics; none that is refused
	looked  int              // how many of waiting are in newest: all at the last look, or none
}

// lineLook is how often the committer looks at the mailbox and the breaker, while it waits
// for room: nobody wakes it for these.
const lineLook = 20 * time.Millisecond

// turnAway counts events that are not stored, and tells the breaker. It gives the error.
func (n *namespace) turnAway(err error, events int) error {
	n.hub.table.Shed[shedReasonOf(err)].Add(uint64(events))
	if err != errConflated {
		n.hub.queue.refused(err, err == errPublishTimeout)
	}
	return err
}

// admits says whether the mailbox has room for a publish of that rank. Where events are
// shed by priority, low ones may take half of it and only high ones the last eighth: what
// is in it can't be shed before the committer has taken it.
func (n *namespace) admits(rank priority) bool {
	size := min(n.mailbox.Size(), int(n.flow.line.Load()))
	if n.policy.sheds() {
		switch rank {
		case priorityLow:
			size /= 2
		case priorityNormal:
			size -= size / 8
		}
		size = max(size, 1)
	}
	return n.mailbox.Len() < size
}

// full is why a publish is refused for which the mailbox has no room.
func (n *namespace) full() error {
	switch {
	case n.policy == policyRefuse:
		return errQueueFull
	case n.policy.sheds():
		return errShed
	}
	return errMailboxFull
}

// refuseNow decides about a publish that was not stored at once, as far as that needs no
// waiting: it is refused, or (nil) it goes through the mailbox.
func (n *namespace) refuseNow(rank priority, events int) error {
	err := error(nil)
	switch {
	case !n.admits(rank):
		return n.turnAway(n.full(), events)
	case n.policy == policyRefuse:
		err = errQueueFull
	case n.policy.sheds() && rank == priorityLow:
		err = errShed
	}
	if err == nil || n.makeRoom() {
		return nil
	}
	return n.turnAway(err, events)
}

// hasRoom says whether the namespace may bring more. While the queue's breaker is not closed
// that is when the loops have dealt with all that it brought: those that are behind because
// of one namespace must not be held against the others. Of a shared store the tail waits
// for the ring's room, not the publisher.
func (n *namespace) hasRoom() bool {
	if n.hub.queue.shut() {
		return n.Unread() == 0
	}
	return n.tail != nil || n.room() && n.owed() < n.flow.window.Load()
}

// makeRoom is hasRoom, once the loops that sleep have let go of what they need not keep.
func (n *namespace) makeRoom() bool {
	if n.hasRoom() {
		return true
	}
	n.hub.group.NudgeAll()
	if n.hasRoom() {
		return true
	}
	n.flow.felt.Store(true)
	return false
}

// gather takes publishes from the mailbox: one batch, or all that may wait. Where the policy
// chooses among them it takes all, and leaves the choice to that.
func (n *namespace) gather() {
	l := &n.line
	for {
		switch {
		case !l.holding && l.events >= batchEventsMax:
			return
		case n.policy == policyBlock && len(l.waiting) >= int(n.flow.line.Load()):
			return
		}
		p, ok := n.mailbox.Pop()
		if !ok {
			return
		}
		if !p.state.CompareAndSwap(pendingWaits, pendingTaken) {
			n.hub.recycle(p)
			continue
		}
		p.live = len(p.records)
		l.events += p.live
		l.waiting = append(l.waiting, p)
	}
}

// hold applies the policy to what waits. If that leaves all of it, it waits a little for
// room; else the committer looks first whether its own publish was among what was refused.
func (n *namespace) hold() {
	l := &n.line
	if !l.holding {
		l.holding = true
		if !n.room() {
			n.hub.table.RingFull.Inc()
		}
		n.gather()
	}
	switch n.policy {
	case policyRefuse:
		for _, p := range l.waiting {
			n.refuseAll(p, errQueueFull)
		}
	case policyShed, policyShedOldest:
		n.shed()
	case policyConflate:
		n.conflate()
	}
	now := n.hub.clock()
	n.lookAtFlow(now)
	left := min(n.expire(now), lineLook)
	if n.dismiss() {
		return
	}
	if !n.hub.group.AwaitSpace(n.hasRoom, time.Now().Add(left)) && n.hub.clock() < now+int64(left) { // the loops have ended
		for _, p := range l.waiting {
			n.refuseAll(p, errPublishTimeout)
		}
		_ = n.dismiss()
	}
}

// refuseAll refuses all that is left of a publish.
func (n *namespace) refuseAll(p *pending, err error) {
	events := 0
	for i := range p.records {
		if p.records[i].Err == nil {
			p.records[i].Err = err
			events++
		}
	}
	p.live -= events
	n.line.events -= events
	_ = n.turnAway(err, events)
}

// refuse gives up one event. Its publisher is told by dismiss, if it was the last one, or
// with the others.
func (n *namespace) refuse(p *pending, i int, err error) {
	p.records[i].Err = n.turnAway(err, 1)
	p.live--
	n.line.events--
}

// dismiss answers those of which nothing is left to store; false: there was none.
func (n *namespace) dismiss() bool {
	l := &n.line
	before := len(l.waiting)
	kept := l.waiting[:0]
	for _, p := range l.waiting {
		if p.live > 0 {
			kept = append(kept, p)
		} else {
			p.finish(nil)
		}
	}
	clear(l.waiting[len(kept):])
	l.waiting = kept
	l.looked = min(l.looked, len(kept))
	return len(kept) < before
}

// expire refuses what has waited for too long, and says how long the next one may.
func (n *namespace) expire(now int64) time.Duration {
	limit, err := n.hub.o.PublishTimeout, errPublishTimeout
	switch {
	case n.hub.queue.shut():
		limit, err = min(limit, n.hub.queue.wait), errQueueOpen
	case n.flow.late.Load():
		limit, err = min(limit, max(n.hub.queue.wait, n.flow.patience)), errQueueOpen
	}
	least := limit
	for _, p := range n.line.waiting {
		if left := limit - time.Duration(now-p.since); left > 0 {
			least = min(least, left)
			continue
		}
		n.refuseAll(p, err)
		n.line.newest, n.line.looked = nil, 0
	}
	return least
}

// shed refuses what is of low priority, and of the rest what is more than may wait: what
// matters least first, and of the same priority the newest or the oldest.
func (n *namespace) shed() {
	l := &n.line
	over := -int(n.flow.line.Load())
	for _, p := range l.waiting {
		for i, of := range p.priorities {
			if of == priorityLow && p.records[i].Err == nil {
				n.refuse(p, i, errShed)
			}
		}
		if p.live > 0 {
			over++
		}
	}
	for rank := priorityNormal; over > 0 && rank <= priorityHigh; rank++ {
		for i := range l.waiting {
			p := l.waiting[i]
			if n.policy == policyShed {
				p = l.waiting[len(l.waiting)-1-i]
			}
			if over > 0 && p.live > 0 && p.rank() == rank {
				n.refuseAll(p, errShed)
				over--
			}
		}
	}
}

// portion is how many publishes of the front go to the log together.
func (l *line) portion(most int) (publishes, events int) {
	for _, p := range l.waiting {
		if events >= most {
			break
		}
		publishes++
		events += p.live
	}
	return publishes, events
}

// leave takes the first publishes out of the line.
func (l *line) leave(publishes, events int) {
	kept := copy(l.waiting, l.waiting[publishes:])
	clear(l.waiting[kept:])
	l.waiting = l.waiting[:kept]
	l.events -= events
	l.holding = false
	if l.looked > 0 { // the spots have moved
		l.newest, l.looked = nil, 0
	}
}

// appendLive appends what of the records is not refused.
func appendLive(dst []replay.Record, p *pending) []replay.Record {
	if p.live == len(p.records) {
		return append(dst, p.records...)
	}
	for i := range p.records {
		if p.records[i].Err == nil {
			dst = append(dst, p.records[i])
		}
	}
	return dst
}

// takeBack copies what became of them, and gives what is left of src.
func (p *pending) takeBack(src []replay.Record) []replay.Record {
	for i := range p.records {
		if p.records[i].Err == nil {
			p.records[i], src = src[0], src[1:]
		}
	}
	return src
}
