package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

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
	batch      []replay.Record
	taken      []*pending
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
)

var (
	errMailboxFull    = errors.New("too many publishes are waiting")
	errPublishTimeout = errors.New("the publish waited too long for its turn and was not stored")
)

// pending is one publish on its way: its records are the publisher's again when done
// has been signalled.
type pending struct {
	records []replay.Record
	err     error
	state   atomic.Uint32
	done    chan struct{} // holds one token
}

// States of a pending publish.
const (
	pendingWaits     = iota // in the mailbox; its publisher may still give up
	pendingTaken            // the committer has it: the publisher waits for the outcome
	pendingAbandoned        // its publisher gave up: the committer throws it away
)

// publish stores the records and puts them into the ring. It returns once the log has
// them; each record then has its event's ID or its own error. owned says whether p is
// the caller's again: one that was given up is still in the mailbox, and the committer
// recycles it.
func (n *namespace) publish(p *pending) (owned bool, err error) {
	p.state.Store(pendingWaits)
	p.err = nil
	deadline := time.Now().Add(n.hub.o.PublishTimeout)
	if !n.mailbox.TryPush(p) {
		return true, errMailboxFull
	}
	n.commit(p)
	select {
	case <-p.done:
		return true, p.err
	default:
	}
	return p.wait(deadline)
}

func (p *pending) wait(deadline time.Time) (owned bool, err error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		if p.state.CompareAndSwap(pendingWaits, pendingAbandoned) {
			return false, errPublishTimeout
		}
		<-p.done // it was taken: the outcome is near
	}
	return true, p.err
}

// publishNow is publish for a caller that must not wait: it stores the records if nobody
// else is at it and there is room. Otherwise it does nothing, and done is false.
func (n *namespace) publishNow(records []replay.Record) (done bool, err error) {
	if !n.hub.store.Resident() || n.mailbox.Len() > 0 || !n.room() || n.hub.group.Room() < len(records) ||
		!n.committing.CompareAndSwap(false, true) {
		return false, nil
	}
	if !n.room() { // another committer was faster
		n.letCommit()
		return false, nil
	}
	rest, err := n.store(records)
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
			if left--; left == 0 {
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

// commitBatch takes one batch from the mailbox through the log into the ring; false:
// nothing waited. Only the committer calls it.
func (n *namespace) commitBatch() bool {
	events := 0
	for events < batchEventsMax {
		p, ok := n.mailbox.Pop()
		if !ok {
			break
		}
		if p.state.CompareAndSwap(pendingWaits, pendingTaken) {
			events += len(p.records)
			n.taken = append(n.taken, p)
		} else {
			n.hub.recycle(p)
		}
	}
	switch len(n.taken) {
	case 0:
		return false
	case 1:
		p := n.taken[0]
		p.finish(n.append(p.records))
	default:
		n.commitTogether(events)
	}
	clear(n.taken)
	n.taken = n.taken[:0]
	return true
}

// commitTogether commits several publishes as one batch.
func (n *namespace) commitTogether(events int) {
	if cap(n.batch) < events {
		n.batch = make([]replay.Record, 0, events)
	}
	for _, p := range n.taken {
		n.batch = append(n.batch, p.records...)
	}
	err := n.append(n.batch)
	at := 0
	for _, p := range n.taken {
		at += copy(p.records, n.batch[at:at+len(p.records)])
		p.finish(err)
	}
	clear(n.batch)
	n.batch = n.batch[:0]
	if cap(n.batch) > batchEventsKept {
		n.batch = nil
	}
}

// finish gives a publish back to its publisher.
func (p *pending) finish(err error) {
	p.err = err
	p.done <- struct{}{}
}

// append gives the batch to the log and what the log took to the loops. Before the
// log it waits until the namespace's share of the ring has room; after it there is no
// way back: appended means broadcast. Of a shared store the tail does that, at its pace.
func (n *namespace) append(batch []replay.Record) error {
	if n.tail == nil && !n.room() {
		n.hub.table.RingFull.Inc()
		if !n.hub.group.AwaitSpace(n.room, time.Now().Add(n.hub.o.PublishTimeout)) {
			return errPublishTimeout
		}
	}
	rest, err := n.store(batch)
	n.broadcast(rest)
	return err
}

// store gives the batch to the log and what the log took to the ring, as far as that has
// room; the rest is to be broadcast.
func (n *namespace) store(batch []replay.Record) (rest []loops.Entry, err error) {
	begun := n.hub.clock()
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
