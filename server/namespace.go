package server

import (
	"context"
	"sync/atomic"
	"time"

	"throng/breaker"
	"throng/internal/obs"
	"throng/replay"
	"throng/ringbuf"
	"throng/server/loops"
)

// namespace is one tenant: its log, its place in the loops, and its committer.
//
// The committer is not a goroutine: a publisher that finds the namespace without one
// becomes it, takes what waits in the mailbox as one batch, and goes on until the
// mailbox is empty or its own event is done and others have had their share. A publish
// that meets nobody else costs no hand-over at all, and under load batches form by
// themselves (group commit).
type namespace struct {
	*loops.Namespace
	hub        *hub
	mailbox    *ringbuf.Mailbox[*pending]
	committing atomic.Bool
	used       atomic.Int64 // when it was last asked for, by the hub's clock, ns
	users      atomic.Int64 // requests that hold it: it may not be evicted
	stored     *obs.Counter
	tail       replay.Followed // the log, if its events come back by a tail; else nil
	following  following
	policy     queuePolicy
	line       line
	flow       flow
	batch      []replay.Record
}

// Limits of one batch.
const (
	// batchEventsMax is how many events are given to the log at once.
	batchEventsMax = 1024
	// batchEventsKept is for how many events a namespace that rests keeps memory.
	batchEventsKept = 128
	// batchesForOthers is how many batches a publisher commits after its own before it
	// hands the rest to a goroutine.
	batchesForOthers = 4
	// shutEventsMax is how many events a namespace may have on their way while the queue's
	// breaker is not closed: enough that the loops do not wait for publishers.
	shutEventsMax = 16
)

// publish stores the records and puts them into the ring. It returns once the log has
// them; each record then has its event's ID or its own error. owned says whether p is
// the caller's again: one that was given up is still in the mailbox, and the committer
// recycles it.
func (n *namespace) publish(p *pending) (owned bool, err error) {
	p.state.Store(pendingWaits)
	p.err = nil
	p.since = n.hub.clock()
	if !n.admits(p.rank()) || !n.mailbox.TryPush(p) {
		return true, n.turnAway(n.full(), len(p.records))
	}
	n.commit(p)
	select {
	case <-p.done:
		return true, p.err
	default:
	}
	return n.await(p)
}

// publishNow is publish for a caller that must not wait: it stores the records if nobody
// else is at it and there is room, or refuses them if the policy does that at once.
// Otherwise it does nothing, and done is false.
func (n *namespace) publishNow(records []replay.Record, rank priority) (done bool, err error) {
	if !n.hub.store.Resident() || n.mailbox.Len() > 0 || !n.hasRoom() || n.hub.group.Room() < len(records) ||
		!n.committing.CompareAndSwap(false, true) {
		err = n.refuseNow(rank, len(records))
		return err != nil, err
	}
	if !n.hasRoom() { // another committer was faster
		n.letCommit()
		err = n.refuseNow(rank, len(records))
		return err != nil, err
	}
	pass, _ := n.hub.queue.enter()
	rest, err := n.store(records)
	n.hub.queue.settle(pass, err)
	if len(rest) > 0 { // other namespaces have filled the ring meanwhile
		n.hub.background.Go(func() {
			n.broadcast(rest)
			n.commitRest()
		})
		return true, err
	}
	n.letCommit()
	return true, err
}

// letCommit ends the caller's time as committer and sees to what came meanwhile.
func (n *namespace) letCommit() {
	n.committing.Store(false)
	if n.mailbox.Len() > 0 && n.committing.CompareAndSwap(false, true) {
		n.hub.background.Go(n.commitRest)
	}
}

// room says whether the namespace's share of the ring has room.
func (n *namespace) room() bool { return n.Unread() < n.hub.share }

// commit makes the caller the committer, if there is none.
func (n *namespace) commit(own *pending) {
	left := batchesForOthers
	for n.committing.CompareAndSwap(false, true) {
		for n.commitBatch() {
			if len(own.done) == 0 {
				continue
			}
			if left--; left == 0 || n.line.holding && len(n.line.waiting) > 0 {
				n.hub.background.Go(n.commitRest)
				return
			}
		}
		n.committing.Store(false)
		if n.mailbox.Len() == 0 {
			return
		}
	}
}

// commitRest is a committer that owns no publish.
func (n *namespace) commitRest() {
	for {
		for n.commitBatch() {
		}
		n.committing.Store(false)
		if n.mailbox.Len() == 0 || !n.committing.CompareAndSwap(false, true) {
			return
		}
	}
}

// commitBatch takes one batch from the mailbox through the log into the ring, or waits a
// little for room; false: nothing waits. Only the committer calls it.
func (n *namespace) commitBatch() bool {
	n.gather()
	if len(n.line.waiting) == 0 {
		n.line.holding = false
		return false
	}
	if n.makeRoom() {
		n.commitSome()
	} else {
		n.hold()
	}
	return true
}

// commitSome commits the front of the line, for which there is room. Before the log a publish
// may wait or be refused; after it there is no way back: appended means broadcast.
func (n *namespace) commitSome() {
	l := &n.line
	most := n.most()
	pass, _ := n.hub.queue.enter() // without leave too: nothing of the namespace is unread then
	publishes, events := l.portion(most)
	if p := l.waiting[0]; publishes == 1 && p.live == len(p.records) {
		err := n.append(p.records)
		n.hub.queue.settle(pass, err)
		l.leave(1, events)
		p.finish(err)
		return
	}
	n.commitTogether(pass, publishes, events)
}

// commitTogether commits several publishes as one batch.
func (n *namespace) commitTogether(pass breaker.Pass, publishes, events int) {
	if cap(n.batch) < events {
		n.batch = make([]replay.Record, 0, events)
	}
	for _, p := range n.line.waiting[:publishes] {
		n.batch = appendLive(n.batch, p)
	}
	err := n.append(n.batch)
	n.hub.queue.settle(pass, err)
	rest := n.batch
	for _, p := range n.line.waiting[:publishes] {
		rest = p.takeBack(rest)
		p.finish(err)
	}
	n.line.leave(publishes, events)
	clear(n.batch)
	n.batch = n.batch[:0]
	if cap(n.batch) > batchEventsKept {
		n.batch = nil
	}
}

// append gives the batch to the log and what the log took to the loops. Of a shared store
// the tail does that, at its pace.
func (n *namespace) append(batch []replay.Record) error {
	rest, err := n.store(batch)
	n.broadcast(rest)
	return err
}

// store gives the batch to the log and what the log took to the ring, as far as that has
// room; the rest is to be broadcast.
func (n *namespace) store(batch []replay.Record) (rest []loops.Entry, err error) {
	begun := n.hub.clock()
	n.lookAtFlow(begun)
	if err := n.Log.Append(context.Background(), batch); err != nil {
		return nil, err
	}
	now := n.hub.clock()
	n.hub.table.AppendDuration.ObserveNs(now-begun, 1)
	n.used.Store(now)
	stored := 0
	for i := range batch {
		r := &batch[i]
		if r.Duplicate || r.Err != nil || r.Spooled != 0 {
			continue
		}
		stored++
		if n.tail != nil { // it comes back by the tail, in the order that all nodes see
			continue
		}
		entry := loops.Entry{Event: r.Event, NS: n.Namespace, At: now}
		if len(rest) > 0 || !n.hub.group.TryPublish(entry) {
			rest = append(rest, entry)
		}
	}
	if stored > 0 && n.tail == nil {
		n.hub.group.NudgeFor(n.Namespace)
	}
	n.stored.Add(uint64(stored))
	return rest, nil
}

// broadcast puts entries that the log has into the ring, however long that takes.
func (n *namespace) broadcast(rest []loops.Entry) {
	if len(rest) == 0 {
		return
	}
	n.hub.table.RingFull.Inc()
	for _, entry := range rest {
		n.hub.group.AwaitSpace(func() bool { return n.hub.group.TryPublish(entry) }, time.Time{})
	}
	n.hub.group.NudgeFor(n.Namespace)
}
