package loops

import (
	"throng/poller"
	"throng/sse"
	"throng/topics"
)

// dispatchMax is how many entries of the ring one turn takes: without members they
// cost some ten nanoseconds each.
const dispatchMax = 1024

// waiting is an entry of the ring, copied: a fan-out that takes long must not hold the
// ring, or one namespace's crowd would stop the publishers of all others.
type waiting struct {
	seq   uint64
	entry Entry
	due   due
}

// job is a fan-out under way. It lasts as many turns as it takes.
type job struct {
	active    bool
	seq       uint64
	entry     Entry
	frames    [2][]byte // by sse.Format; encoded when the first row wants it
	sets      []topics.Set
	at        int    // the set under way
	row       uint32 // of a notice: the next slot of the table
	cursor    topics.Cursor
	begun     int64
	due       due
	delivered int
	sent      int // frames and bytes since they were last counted
	bytes     int
}

// place is what a live row that becomes a laggard outside of a fan-out has dealt with:
// the last ID and the first sequence that is still to come. A live row's own cursor only
// says what it was given last, or where it attached.
func (l *Loop) place(st *nsState, cursor uint64) (sse.ID, uint64) {
	if st.job.active {
		cursor = max(cursor, st.job.seq)
	} else {
		cursor = max(cursor, st.front(l.next))
	}
	last := st.done
	if st.job.active && st.job.seq < cursor {
		last = st.job.entry.Event.ID
	}
	for _, w := range st.pending.all() {
		if w.seq < cursor {
			last = w.entry.Event.ID
		}
	}
	for seq := l.next; seq < cursor; seq++ {
		if e := l.reader.At(seq); e.NS == st.ns {
			last = e.Event.ID
		}
	}
	return last, cursor
}

// dispatch takes what is new in the ring. An entry without a stream of its namespace is
// done with at once; the others wait for their namespace's turn.
func (l *Loop) dispatch() {
	available := min(l.reader.Available(), l.next+dispatchMax)
	for ; l.next < available; l.next++ {
		e := l.reader.At(l.next)
		st := l.stateOf(e.NS)
		before := st.last
		st.last = e.Event.ID
		st.top = latest(st.top, st.last)
		if notice(e.Event) {
			l.noticed(st, e.Event, before)
		}
		if st.streams == 0 && !st.job.active && st.pending.len() == 0 {
			st.done = st.last
			l.entryDone(st)
			continue
		}
		if st.pending.len() == 0 && !st.job.active {
			l.active = append(l.active, st)
		}
		st.pending.push(waiting{l.next, *e, due{e.At, l.pace.fair}})
	}
	l.taken.Store(l.next)
}

func (l *Loop) entryDone(st *nsState) {
	st.ns.loops[l.id].done.Add(1)
	l.progressed = true
}

// fanOuts gives the namespaces with work one quantum each, in turn, as far as the budget
// goes, and answers what they used. The next round goes on where this one ended.
func (l *Loop) fanOuts(quantum, budget int) int {
	used := 0
	for n := len(l.active); n > 0 && used < budget; n-- {
		if l.turnOf >= len(l.active) {
			l.turnOf = 0
		}
		st := l.active[l.turnOf]
		used += l.fanOut(st, quantum)
		if !st.job.active && st.pending.len() == 0 {
			l.active[l.turnOf] = l.active[len(l.active)-1]
			l.active[len(l.active)-1] = nil
			l.active = l.active[:len(l.active)-1]
			continue
		}
		l.turnOf++
	}
	return used
}

// fanOut goes on with a namespace's events, one after the other, for a quantum.
func (l *Loop) fanOut(st *nsState, quantum int) int {
	used := 0
	for used < quantum {
		if !st.job.active {
			if st.pending.len() == 0 {
				return used
			}
			l.begin(st)
		}
		if notice(st.job.entry.Event) {
			used += l.stepNotice(st, quantum-used)
			continue
		}
		used += l.step(st, quantum-used)
	}
	return used
}

func (l *Loop) begin(st *nsState) {
	j := &st.job
	j.active = true
	w := st.pending.pop()
	st.settled = max(st.settled-1, 0)
	j.seq, j.entry = w.seq, w.entry
	j.due = due{l.now - w.due.late(l.now, &l.pace), l.pace.fair}
	j.sets = l.index.Match(st.ns.Index, j.entry.Event.Topics, j.sets[:0])
	j.at, j.row, j.delivered, j.begun = 0, 1, 0, l.now
	if len(j.sets) > 0 {
		l.index.Start(j.sets[0], &j.cursor)
	}
}

// skippedRows is how many rows that need no write cost as much as one write.
const skippedRows = 64

// step writes the event to the next members, for what the budget gives. It uses at
// least 1.
func (l *Loop) step(st *nsState, budget int) int {
	j := &st.job
	writes, skipped := 0, 0
	for writes+skipped/skippedRows < budget {
		if j.at == len(j.sets) {
			l.flushEvent(st)
			l.finish(st)
			return writes + skipped/skippedRows + 1
		}
		slot, ok := j.cursor.Next()
		if !ok {
			l.nextSet(j)
			continue
		}
		if l.deliver(st, slot) {
			writes++
		} else {
			skipped++
		}
	}
	l.flushEvent(st)
	l.observe(j)
	return budget
}

func (l *Loop) nextSet(j *job) {
	l.index.Stop(&j.cursor)
	l.index.Release(j.sets[j.at])
	j.at++
	if j.at < len(j.sets) {
		l.index.Start(j.sets[j.at], &j.cursor)
	}
}

// observe counts what a step has written, all at once: a delivery costs no atomic
// operation.
func (l *Loop) observe(j *job) {
	if j.sent > 0 {
		j.delivered += j.sent
		l.counts.delivered(j.sent, j.bytes)
		l.o.Lags.ObserveNs(l.o.Clock()-j.entry.At, j.sent)
		if notice(j.entry.Event) {
			l.counts.gaps.Add(uint64(j.sent))
		}
		j.sent, j.bytes = 0, 0
	}
}

func (l *Loop) finish(st *nsState) {
	j := &st.job
	l.observe(j)
	if j.delivered > 0 {
		l.o.Broadcasts.ObserveNs(l.o.Clock()-j.begun, 1)
	}
	st.done = j.entry.Event.ID
	j.active = false
	j.entry = Entry{}
	j.frames = [2][]byte{}
	st.settle(l.now, &l.pace)
	l.entryDone(st)
}

// deliver puts the event under way for one row into the outbox, and says whether it did.
// A row that attached later, has the event already (by another of its topics), catches up
// or lags is passed over: the log or the ring gives it the event in its order.
func (l *Loop) deliver(st *nsState, slot uint32) bool {
	r := &l.table.rows[slot]
	j := &st.job
	if r.state != stateLive || r.cursor > j.seq {
		return false
	}
	frame := j.frames[r.format]
	if frame == nil {
		frame = j.entry.Event.Frame(r.format)
		j.frames[r.format] = frame
	}
	poller.Prefetch(&l.table.rows[j.cursor.Peek()])
	r.cursor = j.seq + 1
	l.out.add(r.fd, slot, frame)
	if l.out.full() {
		l.flushEvent(st)
	}
	return true
}

// flushEvent writes what the outbox holds of the event under way. A row whose socket did
// not take its frame whole lags from here on.
func (l *Loop) flushEvent(st *nsState) {
	j := &st.job
	sends := l.out.flush(l.poll)
	l.provesAny(st, sends)
	for i := range sends {
		s := &sends[i]
		if s.N > 0 {
			j.sent++
			j.bytes += s.N
		}
		if s.N == len(s.P) {
			l.table.rows[s.Tag].quiet = l.tick
		} else {
			l.lagFrom(st, s.Tag, s.P, s.N, s.Err)
		}
		s.P = nil
	}
}
