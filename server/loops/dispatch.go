package loops

import (
	"throng/poller"
	"throng/sse"
	"throng/topics"
)

// dispatchMax is how many entries of the ring one turn takes: without members they
// cost some ten nanoseconds each.
const dispatchMax = 1024

// nsState is what a loop keeps of a namespace it has seen.
type nsState struct {
	ns      *Namespace
	last    sse.ID        // of the newest entry taken from the ring
	done    sse.ID        // of the newest entry that the fan-out is through with
	pending fifo[waiting] // entries whose fan-out has not begun
	job     job
	streams int
	beat    []byte // the heartbeat that names beatID
	beatID  sse.ID
}

// waiting is an entry of the ring, copied: a fan-out that takes long must not hold the
// ring, or one namespace's crowd would stop the publishers of all others.
type waiting struct {
	seq   uint64
	entry Entry
}

// job is a fan-out under way. It lasts as many turns as it takes.
type job struct {
	active    bool
	seq       uint64
	entry     Entry
	frames    [2][]byte // by sse.Format; encoded when the first row wants it
	sets      []topics.Set
	at        int // the set under way
	cursor    topics.Cursor
	begun     int64
	delivered int
	sent      int // frames and bytes since they were last counted
	bytes     int
}

// oldest is the first entry that the namespace's fan-outs are not through with: its
// sequence, and when it was published.
func (s *nsState) oldest() (seq uint64, at int64) {
	if s.job.active {
		return s.job.seq, s.job.entry.At
	}
	w := s.pending.head()
	return w.seq, w.entry.At
}

// front is the sequence from which on the fan-outs will serve a live row: a row that
// has dealt with everything below may go live.
func (s *nsState) front(next uint64) uint64 {
	switch {
	case s.job.active:
		return s.job.seq + 1
	case s.pending.len() > 0:
		return s.pending.head().seq
	default:
		return next
	}
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

// stateOf gives the loop's state of a namespace; an evicted one's place may have gone
// to another, which then starts anew.
func (l *Loop) stateOf(ns *Namespace) *nsState {
	for int(ns.Index) >= len(l.ns) {
		l.ns = append(l.ns, nil)
	}
	st := l.ns[ns.Index]
	if st == nil || st.ns != ns {
		st = &nsState{ns: ns, last: ns.Origin, done: ns.Origin}
		l.ns[ns.Index] = st
	}
	return st
}

// dispatch takes what is new in the ring. An entry without a stream of its namespace is
// done with at once; the others wait for their namespace's turn.
func (l *Loop) dispatch() {
	available := min(l.reader.Available(), l.next+dispatchMax)
	for ; l.next < available; l.next++ {
		e := l.reader.At(l.next)
		st := l.stateOf(e.NS)
		st.last = e.Event.ID
		if st.streams == 0 && !st.job.active && st.pending.len() == 0 {
			st.done = st.last
			l.entryDone(st)
			continue
		}
		if st.pending.len() == 0 && !st.job.active {
			l.active = append(l.active, st)
		}
		st.pending.push(waiting{l.next, *e})
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
		used += l.step(st, quantum-used)
	}
	return used
}

func (l *Loop) begin(st *nsState) {
	j := &st.job
	j.active = true
	w := st.pending.pop()
	j.seq, j.entry = w.seq, w.entry
	j.sets = l.index.Match(st.ns.Index, j.entry.Event.Topics, j.sets[:0])
	j.at, j.delivered, j.begun = 0, 0, l.now
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
