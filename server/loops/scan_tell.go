package loops

import "throng/sse"

// tellSome tells the riders that lack what was removed a gap each, from their own place. They
// go on where the log does.
func (l *Loop) tellSome(sc *scan, budget int) int {
	used, idle := 0, 0
	// The log never came so far, or no longer, or the IDs are none of its: the riders go back
	// to where it is.
	unknown := !sc.at.Less(sc.gone.Resume)
	for used+idle/skippedRows < budget {
		slot := sc.rider
		if slot == 0 {
			sc.gone = nil
			sc.at, sc.phase = sc.low, phaseRead
			return used + idle/skippedRows + 1
		}
		s := &l.table.sides[l.table.rows[slot].side]
		if unknown && s.last == sc.gone.Resume { // where it was sent back to before
			s.upTo = s.last
		}
		resume := soonest(sc.gone.Resume, s.upTo)
		if !unknown && !s.last.Less(resume) {
			idle++
			l.passed(sc, slot)
			continue
		}
		used++
		l.tellGone(slot, sc.gone.Earliest, resume)
		l.passed(sc, slot)
	}
	return used + idle/skippedRows
}

// tellGone tells one rider its gap up to resume. It leaves the scan when its socket is full,
// or when there is nothing more for it.
func (l *Loop) tellGone(slot uint32, from, resume sse.ID) {
	token := l.table.token(slot)
	told := l.tell(slot, from, resume)
	r := l.table.find(token)
	if r == nil {
		return
	}
	s := &l.table.sides[r.side]
	if told {
		s.last = resume
	}
	if !told || r.blocked {
		l.leave(slot)
		return
	}
	if s.last == s.upTo {
		l.leave(slot)
		l.enqueue(slot)
	}
}
