package check

import (
	"slices"

	"throng/sse"
)

// walker goes through the log of one lineage beside what is known.
type walker struct {
	*judge
	l        *lineage
	index    int             // in the log
	at       sse.ID          // the last ID
	next     int             // in events: the first beyond at
	segment  int             // gaps so far
	earliest sse.ID          // that the last gap told of
	given    map[ref]giving  // of events with several IDs
	late     map[sse.ID]bool // what comes later, though it should not; made when needed
}

// walk judges one lineage.
func (j *judge) walk(l *lineage, final bool) {
	j.takeOver(l.violations)
	if !l.attached {
		return
	}
	w := &walker{judge: j, l: l, given: make(map[ref]giving)}
	w.begin()
	for i, e := range l.log {
		w.index = i
		if e.gap {
			w.gap(e)
		} else {
			w.event(e)
		}
	}
	if final && !l.ended {
		w.index = len(l.log)
		w.missing(sse.ID{Major: ^uint64(0), Minor: ^uint64(0)}, "the end")
	}
}

// giving is when an event came last: between which gaps, and under which ID.
type giving struct {
	segment int
	id      sse.ID
}

// begin finds what the lineage is owed first.
func (w *walker) begin() {
	l := w.l
	w.at = l.start
	if l.earliest {
		w.at = sse.ID{}
		if !w.promise.Survives {
			w.at = sse.ID{Major: l.start.Major}
		}
		if w.promise.MayLose { // what it owes is what it finds
			w.at = l.start
		}
	}
	w.seek()
	if w.promise.MayLose || l.earliest {
		return
	}
	// A point of attachment that lies in the future would excuse what follows it.
	for _, k := range w.events[:w.next] {
		if k.acked && k.topics&l.topics != 0 && w.records[k.ref.publisher].of(k.ref.number).sent > l.startAt && !w.comesLater(k.id) {
			w.add(Lost, "%v was attached at %v when it was %s, and never got what was published after that: %s; %s",
				l, l.start, seconds(l.startAt), w.told(k.ref), l.connectionOf(0))
		}
	}
}

// seek finds the first known event beyond the last ID.
func (w *walker) seek() {
	w.next, _ = slices.BinarySearchFunc(w.events, w.at, func(k known, id sse.ID) int {
		if k.id.Compare(id) <= 0 {
			return -1
		}
		return 1
	})
}

// event takes the next event of the log.
func (w *walker) event(e entry) {
	if int(e.publisher) >= len(w.records) || w.namespace(int(e.publisher)) != w.ns || w.topics(e.ref())&w.l.topics == 0 {
		w.add(Foreign, "%v was given %v, %s; %s", w.l, e.id, w.told(e.ref()), w.l.connectionOf(w.index))
	}
	if e.id.Compare(w.at) <= 0 {
		w.notRising(e)
		return
	}
	if before, again := w.given[e.ref()]; again && before.segment == w.segment && !w.lostBehind(before.id) {
		w.add(Twice, "%v was given it a second time, as %v, and no gap lies between: %s; %s", w.l, e.id, w.told(e.ref()), w.l.connectionOf(w.index))
	}
	if w.several[e.ref()] {
		w.given[e.ref()] = giving{w.segment, e.id}
	}
	if e.id.Less(w.earliest) {
		w.add(BadGap, "%v was given %v, and a gap before had said that the earliest event is %v: %s; %s",
			w.l, e.id, w.earliest, w.told(e.ref()), w.l.connectionOf(w.index))
	}
	w.missing(e.id, e.id.String())
	w.at = e.id
	w.seek()
}

// lostBehind says whether a store that may lose has lost an event after it was delivered.
// Nobody missed it, so no gap need tell; and its publisher, whose answer was lost too, is
// right to try again, with a key that the store knows no more.
func (w *walker) lostBehind(id sse.ID) bool { return w.held != nil && !w.held[id] }

// notRising tells a repetition from an event that comes too late.
func (w *walker) notRising(e entry) {
	kind := Order
	if slices.ContainsFunc(w.l.log[:w.index], func(o entry) bool { return !o.gap && o.id == e.id }) {
		kind = Twice
	}
	w.add(kind, "%v was given %v after %v: %s; %s", w.l, e.id, w.at, w.told(e.ref()), w.l.connectionOf(w.index))
}

// missing looks at what lies between the last ID and the next one of the log.
func (w *walker) missing(until sse.ID, name string) {
	for ; w.next < len(w.events) && w.events[w.next].id.Less(until); w.next++ {
		k := &w.events[w.next]
		if k.topics&w.l.topics == 0 || w.comesLater(k.id) || w.excused(k) {
			continue
		}
		w.add(Lost, "%v was not given %v, between %v and %s, and no gap says so: %s; %s",
			w.l, k.id, w.at, name, w.told(k.ref), w.l.connectionOf(w.index))
	}
}

// excused says whether a store that may lose lost an event, and the lineage was told: by
// a gap right here, before it or behind.
func (w *walker) excused(k *known) bool {
	if w.held == nil || w.held[k.id] {
		return false
	}
	if w.l.earliest && w.records[k.ref.publisher].of(k.ref.number).sent < w.l.startAt {
		return true // it asked for what there was, when this was gone perhaps
	}
	log := w.l.log
	for i := w.index - 1; i >= 0; i-- {
		if log[i].gap {
			w.toldLost++
			return true
		}
		if log[i].id.Less(k.id) {
			break
		}
	}
	for i := w.index; i < len(log); i++ {
		if log[i].gap {
			w.toldLost++
			return true
		}
	}
	return false
}

// comesLater says whether an event is in the log from here on: then its order is wrong,
// and nothing is lost.
func (w *walker) comesLater(id sse.ID) bool {
	if w.late == nil {
		w.late = make(map[sse.ID]bool)
		top := w.l.start
		for _, e := range w.l.log {
			if !e.gap && e.id.Compare(top) <= 0 {
				w.late[e.id] = true
			} else {
				top = e.id
			}
		}
	}
	return w.late[id]
}

// gap takes the next gap of the log.
func (w *walker) gap(e entry) {
	g := w.l.gaps[e.number]
	w.gaps++
	w.segment++
	w.earliest = g.earliest
	if !w.promise.MayLose && e.id.Compare(w.at) < 0 {
		w.add(Order, "%v was told a gap that goes on at %v, and was at %v already; %s", w.l, e.id, w.at, w.l.connectionOf(w.index))
		return
	}
	// What precedes the position that the gap is told for is not covered by it.
	from := w.at
	if from.Less(g.requested) {
		from = g.requested
		w.missing(from.Next(), "the gap after "+g.requested.String())
	}
	lost := 0
	for w.at = from; w.next < len(w.events) && w.events[w.next].id.Compare(e.id) <= 0; w.next++ {
		if k := &w.events[w.next]; from.Less(k.id) {
			lost++
			w.covered(k, e, g)
		}
	}
	w.forNothing(e, g, lost)
	w.at = e.id
	w.seek()
}

// covered is an event in the range of a gap.
func (w *walker) covered(k *known, e entry, g gap) {
	if k.topics&w.l.topics == 0 || w.comesLater(k.id) {
		return
	}
	w.toldLost++
	kept := w.promise.Survives && !w.promise.MayLose || !w.promise.Survives && k.id.Major == e.id.Major
	if kept || w.held[k.id] {
		w.add(LostThoughTold, "%v was told a gap from %v to %v, and %v in it was kept: %s; %s",
			w.l, g.requested, e.id, k.id, w.told(k.ref), w.l.connectionOf(w.index))
	}
}

// forNothing judges a gap that covers no event of any topic.
func (w *walker) forNothing(e entry, g gap, lost int) {
	switch {
	case lost > 0:
	case !w.promise.Survives && g.requested.Major < e.id.Major: // nobody can know what there was
	case w.promise.Doubts, w.promise.MayLose:
		w.doubts++
	default:
		w.add(GapForNothing, "%v was told a gap from %v to %v, in which there was nothing; %s", w.l, g.requested, e.id, w.l.connectionOf(w.index))
	}
}
