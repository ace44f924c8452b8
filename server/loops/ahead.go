package loops

import (
	"errors"

	"throng/replay"
	"throng/sse"
)

// ahead is about the rows of one namespace whose clients come with an ID that this loop has
// not seen in the ring, since another node delivered it. Such a row waits until the ring has
// passed its ID: it must not be given that again, nor miss what follows. The store is asked
// whether it gave that ID at all, or the row would wait forever.
type ahead struct {
	lowest  sse.ID // no row whose ID is known waits for less; zero: there is none
	asked   *page  // the question under way
	unsure  bool   // there may be rows whose ID is not known
	listed  bool   // in Loop.aheads
	retryAt int64
	backOff int64
}

// tooSoon says whether a stream begins after something that the ring does not show yet, and soon
// does: an event whose publisher was answered while another one still fills the slot before,
// or the position of a namespace that has just been followed.
func (l *Loop) tooSoon(a *Attach) bool {
	st := l.stateOf(a.NS)
	if st.top.Less(a.Floor) {
		return true
	}
	return a.From == FromID && st.last.Less(a.ID) && !l.shows(st, a.ID) && !a.NS.Log.Last().Less(a.ID)
}

// shows says whether an entry that the loop has still to take goes up to id, or beyond.
func (l *Loop) shows(st *nsState, id sse.ID) bool {
	for seq := l.next; seq < l.reader.Available(); seq++ {
		if e := l.reader.At(seq); e.NS == st.ns && !e.Event.ID.Less(id) {
			return true
		}
	}
	return false
}

// waitAhead lets a row wait for the ring.
func (l *Loop) waitAhead(slot uint32) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	st := l.ns[r.ns]
	if s.sure {
		st.ahead.await(s.last)
	} else {
		st.ahead.unsure = true
	}
	l.wait(st, slot, queueAhead)
	if !st.ahead.listed {
		st.ahead.listed = true
		l.aheads = append(l.aheads, st)
	}
	return false
}

// await notes that a row whose ID is known waits for it.
func (a *ahead) await(id sse.ID) {
	if a.lowest.IsZero() || id.Less(a.lowest) {
		a.lowest = id
	}
}

// serveAheads sees to the rows that are ahead, and answers what that used.
func (l *Loop) serveAheads() int {
	used := 0
	kept := l.aheads[:0]
	for _, st := range l.aheads {
		used += l.serveAhead(st)
		if st.queues[queueAhead].n == 0 {
			st.ahead.listed = false
			if st.ahead.asked != nil {
				l.group.pager.forgo(st.ahead.asked)
				st.ahead.asked = nil
			}
			continue
		}
		kept = append(kept, st)
	}
	clear(l.aheads[len(kept):])
	l.aheads = kept
	return used
}

// serveAhead lets go on those that the ring has passed, and asks about the others, one
// question at a time.
func (l *Loop) serveAhead(st *nsState) int {
	a := &st.ahead
	used := 0
	if p := a.asked; p != nil && p.done.Load() {
		a.asked = nil
		used += l.answered(st, p)
	}
	if st.regressed || !a.lowest.IsZero() && !st.last.Less(a.lowest) {
		used += l.overtake(st)
	}
	if !a.unsure || a.asked != nil || a.retryAt > l.now {
		return used
	}
	for slot := st.queues[queueAhead].first; slot != 0; {
		s := &l.table.sides[l.table.rows[slot].side]
		if !s.sure {
			a.asked = l.group.pager.ask(l, st.ns, s.last, s.last, 0, true)
			return used + 1
		}
		slot = s.next
	}
	a.unsure = false
	return used
}

// overtake lets the rows go on whose IDs the loop has seen by now, or all if the log has gone
// back: what tells them so is in the ring.
func (l *Loop) overtake(st *nsState) int {
	looked := 0
	st.ahead.lowest = sse.ID{}
	for slot := st.queues[queueAhead].first; slot != 0; looked++ {
		s := &l.table.sides[l.table.rows[slot].side]
		next := s.next
		switch {
		case st.regressed || s.sure && !st.last.Less(s.last):
			s.upTo = s.last
			l.leave(slot)
			l.enqueue(slot)
		case s.sure:
			st.ahead.await(s.last)
		}
		slot = next
	}
	st.regressed = false
	return 1 + looked/skippedRows
}

// answered deals with what the store said about an ID. It holds for others as well: a log that
// gave an ID has come past those below it, and one that never gave it gave none above.
func (l *Loop) answered(st *nsState, p *page) int {
	a := &st.ahead
	var gone *replay.GoneError
	known := errors.As(p.err, &gone) && p.after.Less(gone.Resume) // and what followed is gone: the ring, or a scan, will tell
	if p.err != nil && gone == nil {
		if willPass(p.err) {
			a.backOff = l.backOff(a.backOff)
			a.retryAt = l.now + a.backOff
			return 1
		}
		l.o.Log.Error("a stream was closed: its position could not be looked up", "namespace", st.ns.Name, "error", p.err)
	}
	a.backOff = 0
	used := 1
	for slot := st.queues[queueAhead].first; slot != 0; {
		s := &l.table.sides[l.table.rows[slot].side]
		next := s.next
		switch {
		case p.err == nil || known:
			if !s.sure && !p.after.Less(s.last) {
				s.sure = true
				a.await(s.last)
			}
		case s.sure || s.last.Less(p.after):
		case gone != nil && used > quantum: // the answer holds for the others in the next round
			a.asked = p
			return used
		case gone != nil:
			l.turnBack(slot, gone.Earliest)
			used++
		case s.last == p.after:
			l.close(slot, ReasonLog)
			used++
		}
		slot = next
	}
	return used
}

// turnBack tells a row that its ID is none of the log's. It goes on live from where it
// attached.
func (l *Loop) turnBack(slot uint32, from sse.ID) {
	s := &l.table.sides[l.table.rows[slot].side]
	at := s.upTo
	l.leave(slot)
	token := l.table.token(slot)
	told := l.tell(slot, from, at)
	if r := l.table.find(token); r == nil || !told {
		return // it comes back as one that is ahead, and is told then
	}
	s.last = at
	l.enqueue(slot)
}
