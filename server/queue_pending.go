package server

import (
	"sync/atomic"
	"time"

	"throng/replay"
)

// pending is one publish on its way: its records are the publisher's again when done
// has been signalled.
type pending struct {
	records    []replay.Record
	priorities []priority // of the first records; the others' are normal
	err        error
	since      int64 // when it was published, by the hub's clock, ns
	live       int   // records that are not refused; the committer's
	state      atomic.Uint32
	done       chan struct{} // holds one token
}

// States of a pending publish.
const (
	pendingWaits     = iota // in the mailbox; its publisher may still give up
	pendingTaken            // the committer has it: the publisher waits for the outcome
	pendingAbandoned        // its publisher gave up: the committer throws it away
)

// add puts a record behind the others.
func (p *pending) add(r replay.Record, of priority) {
	if of != priorityNormal {
		for len(p.priorities) < len(p.records) {
			p.priorities = append(p.priorities, priorityNormal)
		}
		p.priorities = append(p.priorities, of)
	}
	p.records = append(p.records, r)
}

// priority is that of a record.
func (p *pending) priority(i int) priority {
	if i < len(p.priorities) {
		return p.priorities[i]
	}
	return priorityNormal
}

// rank is the highest priority of the records that are not refused.
func (p *pending) rank() priority {
	if len(p.priorities) == 0 {
		return priorityNormal
	}
	highest := priorityLow
	for i := range p.records {
		if p.records[i].Err == nil {
			highest = max(highest, p.priority(i))
		}
	}
	return highest
}

// turnedAway is why there was no room for it as a whole; nil: there was, or only single events
// gave way to others. Its publisher asks once it has it again.
func (p *pending) turnedAway() error {
	if p.live > 0 {
		return nil
	}
	for i := range p.records {
		if err := p.records[i].Err; err != errShed && err != errConflated {
			return err
		}
	}
	return nil
}

// finish gives a publish back to its publisher.
func (p *pending) finish(err error) {
	p.err = err
	p.done <- struct{}{}
}

// await waits for the outcome. A publish that nobody has taken in time is given up.
func (n *namespace) await(p *pending) (owned bool, err error) {
	events := len(p.records)
	timer := time.NewTimer(time.Duration(p.since + int64(n.hub.o.PublishTimeout) - n.hub.clock()))
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		if p.state.CompareAndSwap(pendingWaits, pendingAbandoned) {
			return false, n.turnAway(errPublishTimeout, events)
		}
		<-p.done // it was taken: whoever has it keeps to the time
	}
	return true, p.err
}
