package server

import (
	"math"
	"sync/atomic"
	"time"
)

// flow is how much of a namespace may be on its way through the loops, and how much may wait
// for that, so that neither makes what is published late. A share of the ring alone is no
// measure: it may be a millisecond's work or a minute's. So publishers are held back by what
// the loops get done, before the queue's breaker has a reason to open.
//
// It is a congestion window. It grows only while it is felt and nothing is late, and is as
// much as was done in the time that is allowed when something is. It is enough for the loops
// to be never without work. Any goroutine may read it; the committer writes it.
type flow struct {
	target int64        // entries may be on their way for so long, ns; 0: with --breakers=off
	share  int64        // the most entries that may be
	crowd  int64        // the most publishes that may wait
	begin  int64        // the window of a namespace of which nothing was late lately
	window atomic.Int64 // entries that may be
	line   atomic.Int64 // publishes that may wait in the mailbox, and as many before the ring
	late   atomic.Bool  // more was on its way than the loops get done in time
	felt   atomic.Bool  // it held somebody back since the last look; anybody writes it

	// Of the committer.
	patience time.Duration // publishes may wait for so long while it is late, at least

	at    int64  // of the last look, ns
	dealt uint64 // by then
	busy  bool   // there was something to do then
}

const (
	// flowPart is what entries may be on their way for, of what opens the breaker: 25 ms by
	// default, which is also half of what makes the load limit publishes (--delay-target).
	flowPart = 8
	// flowBegin is the window of a namespace of which nothing was late lately, where publishers
	// wait: it grows in some tens of milliseconds. Where they are refused, or newer events take
	// the place of older ones, it is all of the share: a burst alone is no reason for that.
	flowBegin = 64
	// flowLeast is the smallest window: one is dealt with, and the next is there.
	flowLeast = 2
	// flowLook is between two looks, at least.
	flowLook = 25 * time.Millisecond
	// flowGrows is the time in which a window that is felt doubles.
	flowGrows = 100 * time.Millisecond
	// flowLineLeast is how many publishes may wait however slow the loops are: so many
	// publishers that each wait for their answers are served in turn, and none is refused.
	flowLineLeast = 64
	// flowChunkLeast is how many lines of a batch go to the log together at least: a log that
	// flushes each time is not to do it for each line.
	flowChunkLeast = 16
)

// prepare sets a flow that may be all of the share. lag is what opens the breaker; 0: none
// does. Where publishers wait it begins with less.
func (f *flow) prepare(share, crowd int, lag time.Duration, waits bool) {
	f.share, f.crowd, f.begin = int64(share), int64(crowd), int64(share)
	if lag > 0 {
		f.target = max(int64(lag/flowPart), 1)
		if waits {
			f.begin = min(flowBegin, f.share)
		}
	}
	f.window.Store(f.begin)
	f.line.Store(f.crowd)
}

// look measures what was done since the last look. published entries entered the ring,
// and dealt of them the loops have dealt with.
func (f *flow) look(now int64, published, dealt uint64) {
	span := float64(now - f.at)
	done := max(float64(int64(dealt-f.dealt)), 0) // less than before: a loop has streams now that had none
	unread := int64(published - dealt)
	busy, felt := f.busy, f.felt.Swap(false)
	f.at, f.dealt, f.busy = now, dealt, unread > 0
	window := f.window.Load()
	inTime := int64(min(done*float64(f.target)/span, float64(f.share)))
	late := busy && unread > max(inTime, flowLeast)
	switch {
	case late:
		window = max(inTime, min(window, f.share)/2, flowLeast)
	case felt || window < f.begin:
		window += 1 + int64(float64(window)*min(1, span/float64(flowGrows)))
	}
	f.window.Store(min(window, f.share))
	switch {
	case late:
		f.late.Store(true)
		f.line.Store(min(max(inTime, flowLineLeast), f.crowd))
		f.patience = time.Duration(min(flowLineLeast*span/max(done, 1), math.MaxInt64/2))
	case !felt:
		f.late.Store(false)
		f.line.Store(f.crowd)
	}
}

// most is how many events may go to the log now, for which there is room.
func (n *namespace) most() int {
	switch {
	case n.hub.queue.shut():
		return shutEventsMax
	case n.tail != nil:
		return batchEventsMax
	}
	most := int(max(n.flow.window.Load()-n.owed(), 1))
	if n.line.events > most {
		n.flow.felt.Store(true)
	}
	return min(most, batchEventsMax)
}

// owed is how many entries the loops with streams of the namespace have still to deal with.
func (n *namespace) owed() int64 {
	published, dealt := n.Progress()
	return int64(published - dealt)
}

// chunk is how many events of a batch are given to the log together: no more than the loops
// can take while they are late.
func (n *namespace) chunk() int {
	if n.tail != nil || !n.flow.late.Load() && !n.hub.queue.shut() {
		return batchEventsMax
	}
	return int(min(max(n.flow.window.Load(), flowChunkLeast), batchEventsMax))
}

// lookAtFlow takes a look if it is time for one. The committer calls it.
func (n *namespace) lookAtFlow(now int64) {
	if n.tail == nil && n.flow.due(now) {
		published, dealt := n.Progress()
		n.flow.look(now, published, dealt)
	}
}

func (f *flow) due(now int64) bool { return f.target > 0 && now-f.at >= int64(flowLook) }
