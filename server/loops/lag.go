package loops

import (
	"throng/poller"
	"throng/sse"
)

// batchBytes is how much one row is sent by one system call: enough to be cheap, little
// enough that one reader does not hold up the others.
const batchBytes = 64 << 10

// ringMax is how many entries of the ring are looked at for one row at a time. Each is held
// against the row's topics.
const ringMax = 1024

// batch is the frames of one writev to one row, with where each leaves the row.
type batch struct {
	frames [][]byte
	ids    []sse.ID
	seqs   []uint64
	bytes  int
}

func (b *batch) reset() {
	clear(b.frames)
	b.frames, b.ids, b.seqs, b.bytes = b.frames[:0], b.ids[:0], b.seqs[:0], 0
}

func (b *batch) add(frame []byte, id sse.ID, seq uint64) {
	b.frames = append(b.frames, frame)
	b.ids = append(b.ids, id)
	b.seqs = append(b.seqs, seq)
	b.bytes += len(frame)
}

func (b *batch) full() bool { return len(b.frames) == poller.WritevMax || b.bytes >= batchBytes }

// lagFrom turns a live row whose socket did not take a frame whole into a laggard.
func (l *Loop) lagFrom(st *nsState, slot uint32, frame []byte, n int, err error) {
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return
	}
	r := &l.table.rows[slot]
	s := l.table.sideOf(slot)
	s.last, r.cursor = st.done, st.job.seq
	if n > 0 {
		s.last, r.cursor = st.job.entry.Event.ID, st.job.seq+1
		if !l.table.pin(s, frame[n:]) {
			l.close(slot, ReasonPins)
			return
		}
	}
	l.lags(slot)
	l.block(slot)
}

// lags makes a row a laggard: its stall time-out begins.
func (l *Loop) lags(slot uint32) {
	r := &l.table.rows[slot]
	r.state = stateLagging
	r.quiet = l.tick
	l.counts.lagging.Add(1)
	l.wheel.remove(slot)
	l.wheel.add(slot, l.due(slot))
}

// lag sends a laggard the next entries of the ring that it wants, and makes it live
// once it has dealt with everything that the fan-outs will not give it.
func (l *Loop) lag(slot uint32) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	st := l.ns[r.ns]
	if r.cursor < l.released {
		return l.lapped(slot)
	}
	b := &l.batch
	b.reset()
	front := st.front(l.next)
	seq, last, notices := r.cursor, s.last, 0
	for end := min(front, r.cursor+ringMax); seq < end && !b.full(); seq++ {
		e := l.reader.At(seq)
		if e.NS != st.ns {
			continue
		}
		if named(e.Event) && st.tells(e.Event.ID, seq, last) {
			last = e.Event.ID
			b.add(e.Event.Frame(r.format), last, seq)
			notices++
			continue
		}
		if !last.Less(e.Event.ID) { // another node gave it to the client, or it is a position
			continue
		}
		last = e.Event.ID
		if l.index.Has(r.chain, r.ns, e.Event.Topics) {
			b.add(e.Event.Frame(r.format), last, seq)
		}
	}
	if len(b.frames) > 0 {
		whole, ok := l.send(slot, b)
		if notices > 0 {
			l.countNotices(b.seqs[:whole])
		}
		if !ok {
			return false
		}
		if whole < len(b.frames) {
			if whole > 0 {
				s.last, r.cursor = b.ids[whole-1], b.seqs[whole-1]+1
			}
			return false
		}
	}
	s.last, r.cursor = last, seq
	if r.blocked { // the rest of the last frame is pinned
		return false
	}
	if seq < front {
		return true
	}
	l.skipKnown(st, r, last)
	r.state = stateLive
	l.counts.lagging.Add(-1)
	l.table.dropSide(slot)
	return false
}

// skipKnown moves the cursor of a row that goes live past what the fan-outs have still to give
// and its client has already: another node was faster.
func (l *Loop) skipKnown(st *nsState, r *row, last sse.ID) {
	for _, w := range st.pending.all() {
		if e := w.entry.Event; last.Less(e.ID) || named(e) && st.tells(e.ID, w.seq, last) {
			return
		}
		r.cursor = w.seq + 1
	}
}

// countNotices counts those among the entries sent.
func (l *Loop) countNotices(sent []uint64) {
	for _, seq := range sent {
		if notice(l.reader.At(seq).Event) {
			l.counts.gaps.Add(1)
		}
	}
}

// send writes a batch to a row and says how many frames the row need not be given
// again: a frame sent in part counts, its rest is pinned. Fewer than all: the row is
// blocked. !ok: it is closed.
func (l *Loop) send(slot uint32, b *batch) (whole int, ok bool) {
	r := &l.table.rows[slot]
	n, err := l.net.Writev(int(r.fd), b.frames)
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return 0, false
	}
	if n == 0 {
		l.block(slot)
		return 0, true
	}
	r.quiet = l.tick
	l.proves(l.ns[r.ns], slot)
	left := n
	for whole < len(b.frames) && left >= len(b.frames[whole]) {
		left -= len(b.frames[whole])
		whole++
	}
	if whole < len(b.frames) {
		l.block(slot)
		if left > 0 {
			if !l.table.pin(&l.table.sides[r.side], b.frames[whole][left:]) {
				l.close(slot, ReasonPins)
				return 0, false
			}
			whole++
		}
	}
	l.counts.delivered(whole, n)
	return whole, true
}

// lapped deals with a laggard that is further behind than the ring remembers.
func (l *Loop) lapped(slot uint32) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	st := l.ns[r.ns]
	if l.o.Lag == LagCatchUp || !s.last.Less(st.last) {
		if !l.tellOwed(slot, st) {
			return false
		}
	}
	if !s.last.Less(st.last) { // by other namespaces: it missed nothing
		r.cursor = l.next
		return !r.blocked
	}
	l.counts.lapped.Add(1)
	switch {
	case l.o.Lag == LagClose:
		l.close(slot, ReasonLapped)
		return false
	case l.o.Lag == LagSkip && !r.blocked:
		if !l.tell(slot, l.earliest(st.ns.Log), st.last) {
			return false
		}
		s.last, r.cursor = st.last, l.next
		return !r.blocked
	default:
		l.counts.lagging.Add(-1)
		r.state = stateCatchUp
		s.upTo, r.cursor = st.last, l.next
		return !r.blocked
	}
}

// tell sends a row a gap from its last position to resume; false: the socket is full,
// or the row is closed.
func (l *Loop) tell(slot uint32, earliest, resume sse.ID) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	gap := sse.NewGap(s.last.String(), earliest, resume)
	b := &l.batch
	b.reset()
	b.add(gap.Frame(r.format), resume, 0)
	whole, ok := l.send(slot, b)
	if !ok || whole == 0 {
		return false
	}
	l.counts.gaps.Add(1)
	return true
}
