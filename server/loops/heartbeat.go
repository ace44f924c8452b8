package loops

import "throng/sse"

var comment = []byte(sse.Comment)

// beat sends a live row its heartbeat: the namespace's current ID, so that the position
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
	n, err := l.net.Write(int(r.fd), frame)
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return
	}
	l.counts.heartbeats.Add(1)
	l.counts.bytes.Add(uint64(n))
	if n == len(frame) {
		r.quiet = l.tick
		return
	}
	s := l.table.sideOf(slot)
	s.last, r.cursor = l.place(st, r.cursor)
	if n > 0 {
		if !l.table.pin(s, frame[n:]) {
			l.close(slot, ReasonPins)
			return
		}
	}
	l.lags(slot)
	l.block(slot)
}
