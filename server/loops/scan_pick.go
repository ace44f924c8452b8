package loops

// Riders are found by the members of an event's topics. Where that shows more members than
// riders, because most riders want most events or because most members don't ride, it is
// cheaper that each rider holds the rest of the window against its own topics: the pass is
// dense then, as it is after a window of which riders that looked themselves wanted much. Looking at a member costs about twice what such a comparison does, as that
// has all it needs at hand.
const (
	denseAfter = 8   // events, before which nothing is concluded
	denseFloor = 256 // members that are looked at in any case
	// denseRiders is up to how many riders it is cheaper in any case: what the index takes to
	// find the members of one event.
	denseRiders = 4
)

// pickSome notes the next events of the window for the riders that want them.
func (l *Loop) pickSome(sc *scan, budget int) int {
	if l.deserted(sc) {
		return 1
	}
	looked := 0
	for sc.next < len(sc.events) && sc.dense < 0 {
		if looked >= budget*skippedRows {
			return budget
		}
		looked++
		if len(sc.sets) == 0 {
			sc.sets = l.index.Match(sc.st.ns.Index, sc.events[sc.next].Topics, sc.sets)
			if len(sc.sets) == 0 {
				sc.next++
				continue
			}
			sc.set = 0
			l.index.Start(sc.sets[0], &sc.cursor)
		}
		switch slot, ok := sc.cursor.Next(); {
		case !ok:
			l.nextPickSet(sc)
		case !l.pick(sc, slot):
			l.beginGive(sc)
			return looked/skippedRows + 1
		}
	}
	l.beginGive(sc)
	return looked/skippedRows + 1
}

// nextPickSet goes on with the next set of members that want the event, or the next event.
func (l *Loop) nextPickSet(sc *scan) {
	l.index.Stop(&sc.cursor)
	l.index.Release(sc.sets[sc.set])
	if sc.set++; sc.set < len(sc.sets) {
		l.index.Start(sc.sets[sc.set], &sc.cursor)
		return
	}
	sc.sets = sc.sets[:0]
	sc.next++
}

// stopPick lets go of the members of the event under way.
func (l *Loop) stopPick(sc *scan) {
	if len(sc.sets) == 0 {
		return
	}
	l.index.Stop(&sc.cursor)
	for _, s := range sc.sets[sc.set:] {
		l.index.Release(s)
	}
	sc.sets = sc.sets[:0]
}

// pick notes the event under way for a member, if it rides and lacks it; false: there is no
// room for more, or the pass has become dense.
func (l *Loop) pick(sc *scan, slot uint32) bool {
	sc.visits++
	riders := sc.st.queues[queueRides].n
	if sc.visits*2 > riders*max(sc.next-sc.from+1, denseAfter)+denseFloor {
		sc.dense = sc.next
		l.stopPick(sc)
		return false
	}
	r := &l.table.rows[slot]
	if r.state != stateCatchUp || r.side == 0 {
		return true
	}
	s := &l.table.sides[r.side]
	id := sc.events[sc.next].ID
	if s.in != queueRides || !s.last.Less(id) || s.upTo.Less(id) {
		return true
	}
	event := uint32(sc.next)
	if s.tail != 0 && sc.picks[s.tail].event == event { // by another of its topics
		return true
	}
	sc.picks = append(sc.picks, pick{event: event})
	at := uint32(len(sc.picks) - 1)
	if s.tail != 0 {
		sc.picks[s.tail].next = at
	} else {
		s.head = at
	}
	s.tail = at
	return len(sc.picks) <= picksMax
}
