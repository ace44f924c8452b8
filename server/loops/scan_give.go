package loops

import (
	"throng/sse"
)

// beginGive begins the pass over the riders: with all of the window, or with what was
// picked so far.
func (l *Loop) beginGive(sc *scan) {
	sc.settled = sc.end
	if sc.dense < 0 && sc.next < len(sc.events) {
		sc.settled = sc.at
		if sc.next > 0 {
			sc.settled = sc.events[sc.next-1].ID
		}
	}
	sc.low = sc.upTo
	sc.rider = sc.st.queues[queueRides].first
	sc.phase = phaseGive
}

// giveSome sends the next riders what they are to have of the window.
func (l *Loop) giveSome(sc *scan, budget int) int {
	used, idle := 0, 0
	for used+idle/skippedRows < budget {
		slot := sc.rider
		if slot == 0 {
			l.flushGives()
			l.given(sc)
			return used + idle/skippedRows + 1
		}
		cost, more := l.give(sc, slot)
		if cost == 0 {
			idle++
		}
		used += cost + l.looks()
		if !more {
			l.passed(sc, slot)
		}
		if l.out.full() {
			l.flushGives()
		}
	}
	l.flushGives()
	return used + idle/skippedRows
}

// passed goes on to the next rider, unless that one has left, and the pass has moved on by
// itself.
func (l *Loop) passed(sc *scan, slot uint32) {
	if sc.rider != slot {
		return
	}
	s := &l.table.sides[l.table.rows[slot].side]
	sc.low = soonest(sc.low, s.last)
	sc.rider = s.next
}

// given ends the pass: more of the same window, or the next one. Where all riders are further
// ahead, what is between is left out.
func (l *Loop) given(sc *scan) {
	sc.picks, sc.visits, sc.from = sc.picks[:1], 0, sc.next
	if sc.dense < 0 && sc.next < len(sc.events) {
		sc.phase = phasePick
		return
	}
	sc.at = latest(sc.end, sc.low)
	sc.phase = phaseRead
}

// wideCost is what a write of several frames costs, in writes of one: a quantum of them is as
// many as one of those that are not made together.
const wideCost = outboxSends / quantum

// give sends a rider the next of what it wants of the window, as much as one system call
// takes, and says what that cost; more: that is not all.
func (l *Loop) give(sc *scan, slot uint32) (cost int, more bool) {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	b := &l.batch
	b.reset()
	last, head := s.last, s.head
	for ; head != 0 && !b.full(); head = sc.picks[head].next {
		e := sc.events[sc.picks[head].event]
		last = e.ID
		b.add(e.Frame(r.format), last, 0)
	}
	if more = head != 0; !more && sc.dense >= 0 {
		last, more = l.lookAround(sc, r, s.upTo, last)
	}
	if !more {
		last = latest(last, soonest(sc.settled, s.upTo))
	}
	if len(b.frames) == 1 && !more {
		cost = 1
		l.before[l.out.n] = s.last
		l.out.add(r.fd, slot, b.frames[0])
	} else if len(b.frames) > 0 {
		cost = wideCost
		whole, ok := l.send(slot, b)
		if !ok {
			return cost, false
		}
		l.counts.replayed.Add(uint64(whole))
		if whole < len(b.frames) {
			if whole > 0 {
				s.last = b.ids[whole-1]
			}
			sc.left = true
			l.leave(slot)
			return cost, false
		}
	}
	s.last, s.head = last, head
	if head == 0 {
		s.tail = 0
	}
	switch {
	case r.blocked: // the rest of the last frame is pinned
		sc.left = true
		l.leave(slot)
	case s.last == s.upTo:
		l.leave(slot)
		l.enqueue(slot)
	default:
		return cost, more
	}
	return cost, false
}

// flushGives makes the writes of one frame each, many by one system call. Where a socket took
// nothing, its row is put back to where it was.
func (l *Loop) flushGives() {
	sends := l.out.flush(l.poll)
	whole, bytes := 0, 0
	for i := range sends {
		p := &sends[i]
		if p.N > 0 {
			l.table.rows[p.Tag].quiet = l.tick
			whole++
			bytes += p.N
		}
		if p.N < len(p.P) {
			l.notGiven(p.Tag, p.P[p.N:], p.N, p.Err, l.before[i])
		} else {
			l.proves(l.ns[l.table.rows[p.Tag].ns], p.Tag)
		}
		p.P = nil
	}
	if whole > 0 {
		l.counts.delivered(whole, bytes)
		l.counts.replayed.Add(uint64(whole))
	}
}

// notGiven deals with a rider whose socket did not take its frame whole.
func (l *Loop) notGiven(slot uint32, rest []byte, n int, err error, before sse.ID) {
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return
	}
	if sc := l.ns[l.table.rows[slot].ns].scan; sc != nil {
		sc.left = true
	}
	l.leave(slot)
	s := &l.table.sides[l.table.rows[slot].side]
	if n == 0 {
		s.last = before
	} else if !l.table.pin(s, rest) {
		l.close(slot, ReasonPins)
		return
	}
	l.block(slot)
}

// lookAround adds to the batch what a rider wants of the window behind last, and says what
// it then has everything up to, and whether there is more.
func (l *Loop) lookAround(sc *scan, r *row, upTo, last sse.ID) (sse.ID, bool) {
	b := &l.batch
	if !last.Less(sc.end) {
		return last, false
	}
	at := max(sc.dense, firstAfter(sc.events, last))
	begun, wanted := at, len(b.frames)
	for ; at < len(sc.events) && !b.full(); at++ {
		e := sc.events[at]
		if upTo.Less(e.ID) {
			last, at = upTo, len(sc.events)
			break
		}
		last = e.ID
		if l.index.Has(r.chain, r.ns, e.Topics) {
			b.add(e.Frame(r.format), last, 0)
		}
	}
	l.looked += at - begun
	sc.looked += at - begun
	sc.found += len(b.frames) - wanted
	return last, at < len(sc.events)
}
