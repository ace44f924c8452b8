package loops

import "throng/sse"

var comment = []byte(sse.Comment)

// beat puts a live row's heartbeat into the outbox: the namespace's current ID, so that the position
// of a quiet topic stays fresh, or a comment while a fan-out is under way that the row
// may not have had yet.
func (l *Loop) beat(slot uint32) {
	r := &l.table.rows[slot]
	st := l.ns[r.ns]
	frame := comment
	if !st.job.active && st.pending.len() == 0 && r.cursor <= l.next {
		if st.beatID != st.done || st.beat == nil {
			st.beat = sse.AppendIDBlock(nil, st.done)
			st.beatID = st.done
		}
		frame = st.beat
	}
	l.beatWith(slot, frame)
}

func (l *Loop) beatWith(slot uint32, frame []byte) {
	r := &l.table.rows[slot]
	r.quiet = l.tick
	l.out.add(r.fd, slot, frame)
	if l.out.full() {
		l.flushBeats()
	}
}

// flushBeats writes the heartbeats in the outbox.
func (l *Loop) flushBeats() {
	sends := l.out.flush(l.poll)
	bytes := 0
	for i := range sends {
		s := &sends[i]
		bytes += s.N
		if s.N < len(s.P) {
			l.beatFailed(s.Tag, s.P, s.N, s.Err)
		} else {
			l.proves(l.ns[l.table.rows[s.Tag].ns], s.Tag)
		}
		s.P = nil
	}
	if len(sends) > 0 {
		l.counts.heartbeats.Add(uint64(len(sends)))
		l.counts.bytes.Add(uint64(bytes))
	}
}

// beatFailed makes a laggard of a live row whose socket did not take its heartbeat whole. One
// that waits for history leaves its queue until the socket takes something.
func (l *Loop) beatFailed(slot uint32, frame []byte, n int, err error) {
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return
	}
	r := &l.table.rows[slot]
	s := l.table.sideOf(slot)
	if r.state == stateCatchUp {
		l.leave(slot)
	} else {
		s.last, r.cursor = l.place(l.ns[r.ns], r.cursor)
	}
	if n > 0 {
		if !l.table.pin(s, frame[n:]) {
			l.close(slot, ReasonPins)
			return
		}
	}
	if r.state != stateCatchUp {
		l.lags(slot)
	}
	l.block(slot)
}
