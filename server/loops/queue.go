package loops

// queueID says in which of its namespace's queues a row that catches up is.
type queueID uint8

const (
	queueNone  queueID = iota // in none: it is served by itself, or its socket is full
	queueWaits                // for the next scan
	queueRides                // the scan under way
	queueAhead                // for the node: the client has more than this loop has seen
	queueCount
)

// rowQueue is rows in order of arrival, linked through their side records, so that one
// that closes leaves no trace.
type rowQueue struct {
	first, last uint32
	n           int
}

// link puts a row, which has a side record and is in no queue, at the end of q.
func (t *table) link(q *rowQueue, slot uint32, id queueID) {
	s := &t.sides[t.rows[slot].side]
	s.in, s.prev, s.next = id, q.last, 0
	if q.last != 0 {
		t.sides[t.rows[q.last].side].next = slot
	} else {
		q.first = slot
	}
	q.last = slot
	q.n++
}

// unlink takes a row out of the queue q that it is in.
func (t *table) unlink(q *rowQueue, slot uint32) {
	s := &t.sides[t.rows[slot].side]
	if s.prev != 0 {
		t.sides[t.rows[s.prev].side].next = s.next
	} else {
		q.first = s.next
	}
	if s.next != 0 {
		t.sides[t.rows[s.next].side].prev = s.prev
	} else {
		q.last = s.prev
	}
	s.in, s.prev, s.next = queueNone, 0, 0
	q.n--
}

// wait puts a row into one of its namespace's queues.
func (l *Loop) wait(st *nsState, slot uint32, id queueID) {
	l.table.link(&st.queues[id], slot, id)
	l.counts.waiting.Add(1)
}

// leave takes a row out of the queue that it is in, if any: it closes, is done, or its
// socket is full. What a scan had picked for it is forgotten.
func (l *Loop) leave(slot uint32) {
	r := &l.table.rows[slot]
	if r.side == 0 {
		return
	}
	s := &l.table.sides[r.side]
	if s.in == queueNone {
		return
	}
	st := l.ns[r.ns]
	if sc := st.scan; sc != nil && sc.rider == slot {
		sc.rider = s.next
	}
	l.table.unlink(&st.queues[s.in], slot)
	s.head, s.tail = 0, 0
	l.counts.waiting.Add(-1)
}
