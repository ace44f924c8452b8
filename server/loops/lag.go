package loops

import (
	"errors"

	"throng/poller"
	"throng/replay"
	"throng/sse"
)

// batchBytes is how much one row is sent by one system call: enough to be cheap, little
// enough that one reader does not hold up the others.
const batchBytes = 64 << 10

// scanMax is how many entries of the ring are looked at for one row at a time, and
// catchUpMax how many events of the log. Each is held against the row's topics.
const (
	scanMax    = 1024
	catchUpMax = 4 * pageEvents
)

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
	seq, last := r.cursor, s.last
	for end := min(front, r.cursor+scanMax); seq < end && !b.full(); seq++ {
		e := l.reader.At(seq)
		if e.NS != st.ns {
			continue
		}
		last = e.Event.ID
		if l.index.Has(r.chain, r.ns, e.Event.Topics) {
			b.add(e.Event.Frame(r.format), last, seq)
		}
	}
	if len(b.frames) > 0 {
		whole, ok := l.send(slot, b)
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
	r.state = stateLive
	l.counts.lagging.Add(-1)
	l.table.dropSide(slot)
	return false
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
	if s.last.Compare(st.last) >= 0 { // by other namespaces: it missed nothing
		r.cursor = l.next
		return true
	}
	l.counts.lapped.Add(1)
	switch l.o.Lag {
	case LagClose:
		l.close(slot, ReasonLapped)
		return false
	case LagSkip:
		if !l.tell(slot, l.earliest(st.ns.Log), st.last) {
			return false
		}
		s.last, r.cursor = st.last, l.next
		return !r.blocked
	default:
		l.counts.lagging.Add(-1)
		r.state = stateCatchUp
		s.upTo, r.cursor = st.last, l.next
		return true
	}
}

// catchUp sends a row the next of what it missed, from the log: as much as one system
// call takes, or what there is among the next catchUpMax events. At the point of attachment
// it goes over to the ring.
func (l *Loop) catchUp(slot uint32) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	st := l.ns[r.ns]
	if s.last.Compare(s.upTo) >= 0 {
		return l.caughtUp(slot)
	}
	b := &l.batch
	b.reset()
	last, err := l.fill(slot, b, catchUpMax)
	if len(b.frames) == 0 {
		s.last = last
		if err != nil {
			return l.catchUpFailed(slot, st, err)
		}
		return true
	}
	whole, ok := l.send(slot, b) // an error is met again behind these
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
	s.last = last
	return !r.blocked
}

// fill adds what a row missed and wants, page by page, among the next most events, and
// says what it then has everything up to.
func (l *Loop) fill(slot uint32, b *batch, most int) (sse.ID, error) {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	log := l.ns[r.ns].ns.Log
	last := s.last
	for looked := 0; looked < most && !b.full() && last.Compare(s.upTo) < 0; looked += pageEvents {
		n, err := log.After(l.context, last, s.upTo, l.page[:])
		l.looked += n
		if err != nil {
			return last, err
		}
		if n == 0 {
			return s.upTo, nil
		}
		last = l.addMissed(slot, b, last, l.page[:n])
		clear(l.page[:n])
	}
	return last, nil
}

// caughtUp lets a row go on from the ring. If that has moved past the row meanwhile, the
// log has what is missing: the row never lagged, so no policy applies.
func (l *Loop) caughtUp(slot uint32) bool {
	r := &l.table.rows[slot]
	if r.cursor < l.released {
		l.table.sides[r.side].upTo, r.cursor = l.ns[r.ns].last, l.next
		return true
	}
	l.lags(slot)
	return true
}

// catchUpFailed tells a gap when the log let go of what the row was still to be given.
func (l *Loop) catchUpFailed(slot uint32, st *nsState, err error) bool {
	var gone *replay.GoneError
	if !errors.As(err, &gone) {
		l.o.Log.Error("a stream was closed: its history could not be read", "namespace", st.ns.Name, "error", err)
		l.close(slot, ReasonLog)
		return false
	}
	s := &l.table.sides[l.table.rows[slot].side]
	resume := gone.Resume
	if resume.Compare(s.upTo) > 0 {
		resume = s.upTo
	}
	if !l.tell(slot, gone.Earliest, resume) {
		return false
	}
	s.last = resume
	return !l.table.rows[slot].blocked
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
