package loops

import (
	"slices"
	"sort"

	"throng/sse"
)

// Limits of near: what a client that was away for a moment has missed.
const (
	nearEvents = 4 * pageEvents // whole pages
	nearBytes  = 256 << 10      // by sse.Event.Size; one page may go beyond it
	// nearAnew is how often in a tick another stretch takes its place. In a storm of clients
	// from many places each would read a page of its own; those beyond it share a scan.
	nearAnew = 4
)

// near is the stretch of a namespace's log that streams were last given as they attached,
// or the last window of a scan that all its riders have left. A storm of clients that all
// missed the same reads it once. It is let go a tick after it was last of use.
type near struct {
	from   sse.ID // events holds all that the log has in (from, end]
	end    sse.ID
	events []*sse.Event
	bytes  int
	used   uint32 // tick
	anew   int    // how often another stretch has taken its place in the tick since
	since  uint32 // tick
	listed bool   // in Loop.nears
}

// after gives the index of the first event behind id; false: the stretch does not tell.
func (n *near) after(id sse.ID) (int, bool) {
	if len(n.events) == 0 || id.Less(n.from) || !id.Less(n.end) {
		return 0, false
	}
	return firstAfter(n.events, id), true
}

// firstAfter is the index of the first event whose ID is above id.
func firstAfter(events []*sse.Event, id sse.ID) int {
	return sort.Search(len(events), func(i int) bool { return id.Less(events[i].ID) })
}

// extend adds events that follow after in the log.
func (n *near) extend(after sse.ID, events []*sse.Event) {
	if !n.room(after) {
		n.forget()
		n.from = after
	}
	for _, e := range events {
		n.bytes += e.Size()
	}
	n.events = append(n.events, events...)
	n.end = events[len(events)-1].ID
}

// precede adds events from behind after up to where the stretch begins.
func (n *near) precede(after sse.ID, events []*sse.Event) {
	n.events = slices.Insert(n.events, 0, events...)
	for _, e := range events {
		n.bytes += e.Size()
	}
	n.from = after
}

// mayBegin says whether another stretch may take the place of this one.
func (n *near) mayBegin(tick uint32) bool {
	if n.since != tick {
		n.since, n.anew = tick, 0
	}
	return n.anew < nearAnew
}

// forget lets go of the events and keeps the room, unless it is a scan's.
func (n *near) forget() {
	clear(n.events)
	n.events, n.bytes = n.events[:0], 0
	if cap(n.events) > 2*nearEvents {
		n.events = nil
	}
}

// room says whether a page that follows id can be added without letting go of others.
func (n *near) room(id sse.ID) bool {
	return len(n.events) > 0 && id == n.end && len(n.events)+pageEvents <= nearEvents && n.bytes <= nearBytes
}

// fill adds to the batch what a row missed and wants, among the next pageEvents events at
// most, and says what it then has everything up to. What near does not hold is read if it is
// in memory, and unless anew only to add it to what near holds.
func (l *Loop) fill(slot uint32, b *batch, anew bool) sse.ID {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	st := l.ns[r.ns]
	n := &st.near
	last := s.last
	for looked := 0; looked < pageEvents && !b.full() && last.Less(s.upTo); {
		at, ok := n.after(last)
		if !ok {
			if !anew && !n.room(last) || !l.readNear(st, last, s.upTo) {
				return last
			}
			continue
		}
		n.used = l.tick
		for ; at < len(n.events) && looked < pageEvents && !b.full(); at++ {
			e := n.events[at]
			if s.upTo.Less(e.ID) {
				return s.upTo
			}
			looked++
			l.looked++
			last = e.ID
			if l.index.Has(r.chain, r.ns, e.Topics) {
				b.add(e.Frame(r.format), last, 0)
			}
		}
	}
	return last
}

// readNear reads the page behind last; false: it is not in memory, or there is none.
func (l *Loop) readNear(st *nsState, last, upTo sse.ID) bool {
	near := &st.near
	before := len(near.events) > 0 && last.Less(near.from)
	if before {
		upTo = soonest(upTo, near.from)
	}
	if may := near.mayBegin(l.tick); !may && !near.room(last) && (!before || near.anew > nearAnew) {
		return false
	}
	n, err := st.ns.Log.Peek(last, upTo, l.page[:])
	if err != nil || n == 0 {
		return false
	}
	l.counts.reads.Add(uint64(n))
	page := l.page[:n]
	defer clear(page)
	switch {
	case near.room(last):
		near.extend(last, page)
	case before && page[n-1].ID == near.from && len(near.events)+n <= nearEvents && near.bytes <= nearBytes:
		near.precede(last, page)
	case near.mayBegin(l.tick):
		near.anew++
		near.extend(last, page)
	default: // too far away: who comes from there in this tick does not try
		near.anew = nearAnew + 1
		return false
	}
	l.listNear(st)
	return true
}

// listNear sees to it that a stretch is let go in time.
func (l *Loop) listNear(st *nsState) {
	if !st.near.listed {
		st.near.listed = true
		l.nears = append(l.nears, st)
	}
}

// forgetNears lets go of the stretches that were of no use for a tick.
func (l *Loop) forgetNears() {
	kept := l.nears[:0]
	for _, st := range l.nears {
		if l.tick-st.near.used > 1 {
			st.near.forget()
			st.near.listed = false
			continue
		}
		kept = append(kept, st)
	}
	clear(l.nears[len(kept):])
	l.nears = kept
}
