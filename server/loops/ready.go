package loops

import (
	"throng/poller"
)

func again(err error) bool { return err == poller.ErrAgain }

// enqueue puts a row that can do something into the ready queue, once.
func (l *Loop) enqueue(slot uint32) {
	r := &l.table.rows[slot]
	if !r.queued {
		r.queued = true
		l.ready.push(l.table.token(slot))
	}
}

// block notes that a row's socket is full: the poller tells when it is not. Writable is
// armed the first time; most rows never need it.
func (l *Loop) block(slot uint32) {
	r := &l.table.rows[slot]
	r.blocked = true
	if r.armed {
		return
	}
	r.armed = true
	if err := l.poll.Mod(int(r.fd), l.table.token(slot)); err != nil {
		l.o.Log.Error("a full socket could not be watched", "loop", l.id, "error", err)
	}
}

// serveReady lets rows in the queue do one thing each: finish a frame, send a page, or
// read and throw away. Those with more to do queue again, behind the others.
func (l *Loop) serveReady(quantum int) int {
	used := 0
	for n := l.ready.len(); n > 0 && used < quantum; n-- {
		token := l.ready.pop()
		r := l.table.find(token)
		if r == nil {
			continue
		}
		used++
		r.queued = false
		if l.serve(token.Slot()) {
			l.enqueue(token.Slot())
		}
		used += l.looks()
	}
	return used
}

// serve does one thing for a row; true: it can do more at once.
func (l *Loop) serve(slot uint32) bool {
	r := &l.table.rows[slot]
	if r.state == stateLingering {
		return l.lingers(slot)
	}
	if r.side != 0 && l.table.sides[r.side].pin != 0 {
		return l.unpin(slot)
	}
	switch r.state {
	case stateCatchUp:
		return l.catchUp(slot)
	case stateLagging:
		return l.lag(slot)
	}
	return false
}

// unpin sends the rest of a half-sent frame; true: all of it is out.
func (l *Loop) unpin(slot uint32) bool {
	r := &l.table.rows[slot]
	s := &l.table.sides[r.side]
	rest := l.table.pins[s.pin]
	n, err := l.net.Write(int(r.fd), rest)
	if err != nil && !again(err) {
		l.closeFailed(slot, err)
		return false
	}
	if n > 0 {
		r.quiet = l.tick
		l.counts.bytes.Add(uint64(n))
		if r.state != stateLingering {
			l.proves(l.ns[r.ns], slot)
		}
	}
	if n < len(rest) {
		l.table.pins[s.pin] = rest[n:]
		l.block(slot)
		return false
	}
	l.table.unpin(s)
	return true
}

// event deals with one readiness report.
func (l *Loop) event(e poller.Event) {
	r := l.table.find(e.Token)
	if r == nil {
		return
	}
	slot := e.Token.Slot()
	if r.state == stateLingering {
		r.blocked = false
		l.enqueue(slot)
		return
	}
	if e.Flags&poller.Failed != 0 {
		if err := l.net.Failure(int(r.fd)); err != nil {
			l.closeFailed(slot, err)
			return
		}
	}
	if e.Flags&(poller.Hangup|poller.Failed) != 0 {
		l.close(slot, ReasonPeer)
		return
	}
	if e.Flags&poller.Readable != 0 && !l.listen(slot) {
		return
	}
	if e.Flags&poller.Writable != 0 && r.blocked {
		r.blocked = false
		l.enqueue(slot)
	}
}

// listen reads what a client sends on its stream, which means nothing, up to the
// limit; false: the row is closed.
func (l *Loop) listen(slot uint32) bool {
	r := &l.table.rows[slot]
	for {
		n, err := l.net.Read(int(r.fd), l.scratch)
		if again(err) {
			return true
		}
		if err != nil {
			l.closeFailed(slot, err)
			return false
		}
		r.heard += uint32(n)
		if int(r.heard) > l.o.ClientBytesMax {
			l.close(slot, ReasonClientBytes)
			return false
		}
	}
}

// lingers goes on with a refused request: the answer, the FIN, then reading until the
// client is done or the limit reached. One call reads once.
func (l *Loop) lingers(slot uint32) bool {
	r := &l.table.rows[slot]
	if !r.finished {
		if l.table.sides[r.side].pin != 0 && !l.unpin(slot) {
			return false
		}
		if err := l.net.ShutdownWrite(int(r.fd)); err != nil {
			l.close(slot, ReasonPeer)
			return false
		}
		r.finished = true
	}
	n, err := l.net.Read(int(r.fd), l.scratch)
	if again(err) {
		return false
	}
	if err != nil {
		l.close(slot, ReasonAnswered)
		return false
	}
	r.heard += uint32(n)
	if int(r.heard) > l.o.LingerBytesMax {
		l.close(slot, ReasonLinger)
		return false
	}
	return true
}
