package loops

import (
	"slices"

	"throng/sse"
)

// A notice is an entry whose event has no topics: it is for every stream of its namespace.
// With a name, a gap, it is sent in its place in the order, as an event is; without one it
// only says where the namespace stands.

func notice(e *sse.Event) bool { return len(e.Topics) == 0 }

// named says whether it is a notice that is sent.
func named(e *sse.Event) bool { return len(e.Topics) == 0 && e.Name != "" }

// noticed keeps what dispatch sees in a notice, behind an entry with the ID before. If the log
// has gone back, what was read of it is not given to anybody who comes from now on.
func (l *Loop) noticed(st *nsState, e *sse.Event, before sse.ID) {
	if e.Name == "" {
		return
	}
	st.owed, st.owedAt = e, l.next
	if !e.ID.Less(before) {
		return
	}
	st.backAt = l.next + 1
	st.near.forget()
	l.group.pager.forget(st.ns)
	if sc := st.scan; sc != nil {
		sc.stale = true
		sc.drop(l)
		if sc.phase == phaseAwait {
			sc.phase = phaseRead
		}
	}
	if st.queues[queueAhead].n > 0 {
		st.regressed = true
	}
}

// tells says whether the notice at a sequence, with that ID, is to be told to a row that has
// everything up to last. If last is above, another node has told its client, unless the log
// has gone back.
func (s *nsState) tells(id sse.ID, seq uint64, last sse.ID) bool {
	return !id.Less(last) || seq+1 == s.backAt
}

// stepNotice sends the notice under way to the next live rows, for what the budget gives. It
// walks the table: whoever is in another state meets it in the ring.
func (l *Loop) stepNotice(st *nsState, budget int) int {
	j := &st.job
	writes, skipped := 0, 0
	for writes+skipped/skippedRows < budget {
		if j.row >= l.table.used || j.entry.Event.Name == "" {
			l.flushEvent(st)
			l.finish(st)
			return writes + skipped/skippedRows + 1
		}
		slot := j.row
		j.row++
		if r := &l.table.rows[slot]; r.state == stateLive && r.ns == st.ns.Index && l.deliver(st, slot) {
			writes++
		} else {
			skipped++
		}
	}
	l.flushEvent(st)
	l.observe(j)
	return budget
}

// tellOwed tells a row the newest notice if that is among what its cursor is to be moved past,
// as the log, from which the row goes on, has no notices; false: it could not be told, the
// cursor must stay.
func (l *Loop) tellOwed(slot uint32, st *nsState) bool {
	r := &l.table.rows[slot]
	if st.owed == nil || st.owedAt < r.cursor {
		return true
	}
	s := &l.table.sides[r.side]
	at := s.last
	if st.owedAt+1 == st.backAt {
		at = soonest(at, st.owed.ID)
	}
	e := &sse.Event{ID: at, Name: st.owed.Name, Data: slices.Clone(st.owed.Data)}
	e.Seal()
	b := &l.batch
	b.reset()
	b.add(e.Frame(r.format), at, 0)
	if whole, ok := l.send(slot, b); !ok || whole == 0 {
		return false
	}
	l.counts.gaps.Add(1)
	s.last = at
	return true
}
