package loops

import (
	"throng/sse"
)

// catchUp sees to a row that wants history and can take some: what near holds it gets on
// the spot, for the rest it joins a scan. At the point of attachment it goes over to the
// ring.
func (l *Loop) catchUp(slot uint32) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	if s.in != queueNone || r.blocked {
		return false
	}
	switch s.last.Compare(s.upTo) {
	case 0:
		return l.caughtUp(slot)
	case 1:
		return l.waitAhead(slot)
	}
	b := &l.batch
	b.reset()
	last := l.fill(slot, b, false)
	if last == s.last {
		l.joinScan(slot)
		return false
	}
	if len(b.frames) > 0 {
		whole, ok := l.send(slot, b)
		if !ok {
			return false
		}
		l.counts.replayed.Add(uint64(whole))
		if whole < len(b.frames) {
			if whole > 0 {
				s.last = b.ids[whole-1]
			}
			return false
		}
	}
	s.last = last
	return !r.blocked
}

// joinScan lets a row ride the scan under way if that has not passed its place yet;
// otherwise it waits for the next one.
func (l *Loop) joinScan(slot uint32) {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	st := l.ns[r.ns]
	if sc := st.scan; sc != nil && sc.takes(s.last) {
		l.wait(st, slot, queueRides)
		sc.upTo, sc.low = latest(sc.upTo, s.upTo), soonest(sc.low, s.last)
		return
	}
	l.wait(st, slot, queueWaits)
	l.askScan(st)
}

// caughtUp lets a row go on from the ring. If that has moved past the row meanwhile, the
// log has what is missing: the row never lagged, so no policy applies.
func (l *Loop) caughtUp(slot uint32) bool {
	r := &l.table.rows[slot]
	if r.cursor < l.released {
		st := l.ns[r.ns]
		if !l.tellOwed(slot, st) {
			return false
		}
		s := &l.table.sides[r.side]
		s.upTo, r.cursor = latest(s.last, st.last), l.next
		return !r.blocked
	}
	l.lags(slot)
	return true
}

func latest(a, b sse.ID) sse.ID {
	if a.Less(b) {
		return b
	}
	return a
}

func soonest(a, b sse.ID) sse.ID {
	if b.Less(a) {
		return b
	}
	return a
}
