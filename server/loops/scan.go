package loops

import (
	"time"

	"throng/replay"
	"throng/sse"
	"throng/topics"
)

// A window is what a scan reads and gives to its riders at a time.
const (
	windowFirst = 256      // events of the first one
	windowMax   = 4096     // events; each is twice as large as the one before it
	windowBytes = 1 << 20  // by sse.Event.Size, by the mean of the window before
	picksMax    = 64 << 10 // events noted for riders, each counted once for each rider
)

// gatherMax is how long a scan waits for riders while streams are still handed over: in a
// storm those that come first would otherwise have one for themselves.
const gatherMax = 100 * time.Millisecond

// phase is what a scan does next.
type phase uint8

const (
	phaseBoard phase = iota // the rows that wait become riders
	phaseRead               // the next window is wanted
	phaseAwait              // a pager reads it
	phasePick               // each event of the window is noted for the riders that want it
	phaseGive               // each rider is sent what was noted for it
	phaseTell               // history is gone: each rider concerned is told
	phaseRest               // the store is away: the riders stay, and later it goes on
	phaseOver
)

// scan is one walk through a namespace's log for all rows of a loop that want some of it.
// It begins at the lowest place of its riders, and rows that come while it is under way ride
// along if it has not passed theirs; the others wait for the next one. A rider whose socket
// is full leaves, with its place, and joins one later. Everything is a job for as many turns
// as it takes. Memory: a window of events, twice while a pager reads ahead, and 8 bytes a
// pick, of which there are picksMax at most.
type scan struct {
	st    *nsState
	phase phase

	at    sse.ID // every rider has what it wants up to here, or is further ahead
	upTo  sse.ID // the highest point of attachment of those that ever rode
	limit sse.ID // once it has come so far nobody joins any more: others wait

	begin  sse.ID       // behind which the window begins
	events []*sse.Event // the window
	end    sse.ID       // what the window reaches up to
	left   bool         // a rider has left in it, as its socket was full
	stale  bool         // the log has gone back since it was read
	size   int          // events of the next window
	upcome *page        // what a pager reads: this window while awaited, else the next
	alone  bool         // no page of another loop that is under way will do

	from   int // events[from:next] are in this pass
	next   int
	dense  int // from this event on riders look for themselves; -1: from none
	visits int // members looked at in this pass
	sets   []topics.Set
	set    int
	cursor topics.Cursor
	picks  []pick // picks[0] is nobody's

	rider   uint32 // the next one of the pass
	settled sse.ID // where the pass leaves a rider that takes everything
	low     sse.ID // lowest place of the riders that the pass has left behind
	looked  int    // events that riders looked at themselves in this window,
	found   int    // and how many of them they wanted

	gone    *replay.GoneError
	retryAt int64
	backOff int64
}

// pick is one event of the window for one rider, and the rider's next one.
type pick struct{ event, next uint32 }

// takes says whether a row with everything up to last may join.
func (s *scan) takes(last sse.ID) bool {
	if s.phase == phaseOver || s.phase == phaseBoard || !s.at.Less(s.limit) {
		return false
	}
	if s.phase == phasePick || s.phase == phaseGive {
		return !last.Less(s.end)
	}
	return !last.Less(s.at)
}

// askScan sees to it that a namespace with waiting rows gets a scan when it is its turn.
func (l *Loop) askScan(st *nsState) {
	if st.scan == nil && !st.asked {
		st.asked, st.askedAt = true, l.now
		l.asking.push(st)
	}
}

// scanSome gives the scans under way a quantum each, in turn, and answers what they used.
func (l *Loop) scanSome(quantum, budget int) int {
	l.wakeScans()
	for len(l.scans) < l.o.ScansMax && l.asking.len() > 0 {
		if st := l.asking.head(); l.mailbox.Len() > 0 && l.now-st.askedAt < int64(gatherMax) {
			break
		}
		l.startScan(l.asking.pop())
	}
	used := 0
	for n := len(l.scans); n > 0 && used < budget; n-- {
		if l.scanTurn >= len(l.scans) {
			l.scanTurn = 0
		}
		st := l.scans[l.scanTurn]
		used += l.scanOn(st.scan, quantum)
		switch st.scan.phase {
		case phaseRest:
			l.dropScan()
			l.resting = append(l.resting, st)
		case phaseOver:
			l.dropScan()
			st.scan = nil
			l.group.pager.scanEnded()
			if st.queues[queueWaits].n > 0 {
				l.askScan(st)
			}
		default:
			l.scanTurn++
		}
	}
	return used
}

// dropScan takes the scan whose turn it is out of those under way.
func (l *Loop) dropScan() {
	last := len(l.scans) - 1
	l.scans[l.scanTurn] = l.scans[last]
	l.scans[last] = nil
	l.scans = l.scans[:last]
}

// startScan begins a scan, or goes on with one that has rested.
func (l *Loop) startScan(st *nsState) {
	st.asked = false
	if st.scan == nil {
		if st.queues[queueWaits].n == 0 {
			return
		}
		st.scan = &scan{st: st, size: windowFirst, events: l.spare.events, picks: l.spare.picks}
		l.spare = scan{}
		if st.scan.picks == nil {
			st.scan.picks = make([]pick, 1, windowFirst)
		}
		l.counts.scans.Add(1)
		l.group.pager.scans.Add(1)
	}
	l.scans = append(l.scans, st)
}

// wakeScans puts scans whose rest is over behind those that ask for their turn.
func (l *Loop) wakeScans() {
	kept := l.resting[:0]
	for _, st := range l.resting {
		if st.scan.retryAt > l.now {
			kept = append(kept, st)
			continue
		}
		st.scan.phase = phaseRead
		st.asked = true
		l.asking.push(st)
	}
	clear(l.resting[len(kept):])
	l.resting = kept
}

// scanOn goes on with a scan and answers what it used; 0: it can't.
func (l *Loop) scanOn(sc *scan, budget int) int {
	used := 0
	for used < budget {
		before := used
		switch sc.phase {
		case phaseBoard:
			used += l.board(sc, budget-used)
		case phaseRead:
			used += l.readWindow(sc)
		case phaseAwait:
			used += l.takePage(sc)
		case phasePick:
			used += l.pickSome(sc, budget-used)
		case phaseGive:
			used += l.giveSome(sc, budget-used)
		case phaseTell:
			used += l.tellSome(sc, budget-used)
		}
		if used == before {
			break
		}
	}
	return used
}

// board makes riders of the rows that wait, those that come meanwhile too.
func (l *Loop) board(sc *scan, budget int) int {
	st := sc.st
	waits, rides := &st.queues[queueWaits], &st.queues[queueRides]
	for n := 0; n < budget*skippedRows && waits.n > 0; n++ {
		slot := waits.first
		s := &l.table.sides[l.table.rows[slot].side]
		if rides.n == 0 && sc.upTo.IsZero() {
			sc.at = s.last
		}
		sc.at, sc.upTo = soonest(sc.at, s.last), latest(sc.upTo, s.upTo)
		l.table.unlink(waits, slot)
		l.table.link(rides, slot, queueRides)
	}
	if waits.n == 0 {
		sc.limit = sc.upTo
		sc.phase = phaseRead
	}
	return 1
}

// deserted ends a scan without riders. Those that have left because of full sockets will soon
// be back: the window is kept at hand for them.
func (l *Loop) deserted(sc *scan) bool {
	if sc.st.queues[queueRides].n > 0 {
		return false
	}
	if len(sc.events) > 0 && sc.left && !sc.stale {
		l.listNear(sc.st)
		sc.st.near = near{from: sc.begin, end: sc.events[len(sc.events)-1].ID, events: sc.events, used: l.tick, listed: true}
		sc.events = nil
	}
	l.endScan(sc)
	return true
}

// endScan lets go of everything that a scan has.
func (l *Loop) endScan(sc *scan) {
	l.stopPick(sc)
	sc.drop(l)
	clear(sc.events[:cap(sc.events)])
	if l.spare.picks == nil && cap(sc.picks) <= 2*windowMax {
		l.spare = scan{events: sc.events[:0], picks: sc.picks[:1]}
	}
	sc.events, sc.picks, sc.phase = nil, nil, phaseOver
}
