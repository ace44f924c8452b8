package loops

import (
	"errors"

	"throng/replay"
	"throng/sse"
)

// attach makes a stream of a descriptor. From here on its place is fixed: what the ring
// has up to l.next is the log's to give, the rest is the ring's.
func (l *Loop) attach(fd int, a *Attach) {
	slot := l.enter(fd, stateCatchUp, a.Full)
	if slot == 0 {
		l.counts.crowded.Add(1)
		l.tried(a.NS, a.Trial, false)
		return
	}
	r := &l.table.rows[slot]
	st := l.stateOf(a.NS)
	r.ns, r.format, r.cursor = a.NS.Index, a.Format, l.next
	if a.Trial != 0 {
		r.trial = a.Trial
		l.wheel.remove(slot)
		l.wheel.add(slot, l.due(slot))
	}
	for _, topic := range a.Topics {
		chain, err := l.index.Join(r.ns, topic, slot, r.chain)
		if err != nil {
			l.full(slot, a, err)
			return
		}
		r.chain = chain
	}
	l.joined(st, 1)
	from, gap, sure := l.begins(st, a)
	head := append(l.encode[:0], a.Head...)
	head = sse.AppendRetry(head, l.retryMs())
	if gap != nil {
		head = append(head, gap.Frame(a.Format)...)
	} else {
		head = sse.AppendIDBlock(head, from)
	}
	l.encode = head
	b := &l.batch
	b.reset()
	b.add(head, from, 0)
	last := from
	switch {
	case from.Less(st.last):
		s := l.table.sideOf(slot)
		s.last, s.upTo = from, st.last
		last = l.fill(slot, b, true)
	case !l.skipTo(st, slot, from):
		s := l.table.sideOf(slot)
		s.last, s.upTo, s.sure = from, st.last, sure
	default:
		r.state = stateLive
	}
	l.sendFirst(slot, b, last)
}

func (l *Loop) joined(st *nsState, n int) {
	st.streams += n
	st.ns.loops[l.id].streams.Add(int64(n))
	l.counts.streams.Add(int64(n))
}

// begins finds the position a stream starts after, and the gap it must be told. It does not
// wait: what can't be told from memory, a scan or the store finds out, and then it is not sure.
func (l *Loop) begins(st *nsState, a *Attach) (from sse.ID, gap *sse.Event, sure bool) {
	log := st.ns.Log
	switch a.From {
	case FromEarliest:
		first := log.First()
		if first.Compare(st.last) > 0 {
			return st.last, nil, true
		}
		return first, nil, true
	case FromLost:
		from, gap = l.gapAt(st, a.Requested, l.earliest(log), log.First())
		return from, gap, true
	case FromID:
		_, err := log.Peek(a.ID, a.ID, nil)
		var gone *replay.GoneError
		if errors.As(err, &gone) {
			from, gap = l.gapAt(st, a.Requested, gone.Earliest, gone.Resume)
			return from, gap, true
		}
		return a.ID, nil, err == nil
	default:
		return st.last, nil, true
	}
}

// gapAt makes the gap event of a stream that goes on at resume.
func (l *Loop) gapAt(st *nsState, requested string, earliest, resume sse.ID) (sse.ID, *sse.Event) {
	if resume.Compare(st.last) > 0 {
		resume = st.last
	}
	l.counts.gaps.Add(1)
	return resume, sse.NewGap(requested, earliest, resume)
}

// earliest is the ID of the first event that a log holds, or its last ID: what the log
// answers to a position that it never gave. Where it can't say so from memory, it is the
// position just before that event.
func (l *Loop) earliest(log replay.Log) sse.ID {
	var gone *replay.GoneError
	if _, err := log.Peek(sse.ID{}, sse.ID{}, nil); errors.As(err, &gone) {
		return gone.Earliest
	}
	return log.First()
}

// skipTo moves the row's cursor past entries that the client has already: it may come
// from another loop that was further ahead. false: from another node, and the ring does not
// show all of them yet.
func (l *Loop) skipTo(st *nsState, slot uint32, id sse.ID) bool {
	if !st.last.Less(id) {
		return true
	}
	if !l.shows(st, id) {
		return false
	}
	r := &l.table.rows[slot]
	for seq := l.next; seq < l.reader.Available(); seq++ {
		e := l.reader.At(seq)
		switch c := e.Event.ID.Compare(id); {
		case e.NS != st.ns:
		case c > 0 || c == 0 && named(e.Event): // of which it may not have been told
			return true
		default:
			r.cursor = seq + 1
		}
	}
	return true
}

// retryMs is the stream's retry: field: 1 to 1.5 times the base, so that clients that
// lost their connections together do not come back together.
func (l *Loop) retryMs() int {
	base := l.o.RetryMs
	if base < 2 {
		return base
	}
	return base + int(l.o.Random()%uint32(base/2+1))
}

// sendFirst writes the head and what is behind it in the batch; with all of it the row has
// everything up to last. A row that missed no more than that is live at once, as its place
// in the ring is where its history ends. What the socket does not take is pinned or left
// to catchUp, and a row without history goes on as a laggard.
func (l *Loop) sendFirst(slot uint32, b *batch, last sse.ID) {
	r := &l.table.rows[slot]
	n, err := l.writeFirst(r, b.frames)
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return
	}
	l.counts.bytes.Add(uint64(n))
	whole, left := 0, n
	for whole < len(b.frames) && left >= len(b.frames[whole]) {
		left -= len(b.frames[whole])
		whole++
	}
	replayed := max(whole-1, 0)
	switch {
	case whole < len(b.frames):
		if whole > 0 && left > 0 {
			replayed++
		}
		l.cutShort(slot, b, whole, left)
	case r.state == stateCatchUp:
		s := &l.table.sides[r.side]
		if s.last = last; last != s.upTo {
			l.enqueue(slot)
			break
		}
		r.state = stateLive
		l.table.dropSide(slot)
	}
	l.counts.events.Add(uint64(replayed))
	l.counts.replayed.Add(uint64(replayed))
}

// writeFirst makes the one system call; most streams have nothing but a head.
func (l *Loop) writeFirst(r *row, frames [][]byte) (int, error) {
	if len(frames) == 1 {
		return l.net.Write(int(r.fd), frames[0])
	}
	return l.net.Writev(int(r.fd), frames)
}

// cutShort keeps what a full socket did not take of a row's first bytes: whole frames and
// left bytes of the next are out. The head is encoded in a buffer of the loop, so the rest
// of it is copied.
func (l *Loop) cutShort(slot uint32, b *batch, whole, left int) {
	r := &l.table.rows[slot]
	s := l.table.sideOf(slot)
	rest := b.frames[whole][left:]
	switch {
	case whole == 0:
		s.last = b.ids[0]
		rest = append([]byte(nil), rest...)
	case left == 0:
		s.last = b.ids[whole-1]
		rest = nil
	default:
		s.last = b.ids[whole]
	}
	if rest != nil && !l.table.pin(s, rest) {
		l.close(slot, ReasonPins)
		return
	}
	if r.state == stateLive {
		l.lags(slot)
	}
	l.block(slot)
}

// full refuses a stream for which there was no room.
func (l *Loop) full(slot uint32, a *Attach, err error) {
	l.o.Log.Warn("a stream was refused", "loop", l.id, "namespace", a.NS.Name, "error", err)
	r := &l.table.rows[slot]
	l.judged(slot, false)
	l.index.Leave(r.chain)
	r.chain = 0
	r.state = stateLingering
	l.wheel.remove(slot)
	l.wheel.add(slot, l.due(slot))
	if !l.table.pin(l.table.sideOf(slot), a.Full) {
		l.close(slot, ReasonPins)
		return
	}
	l.enqueue(slot)
}
