package loops

import (
	"context"
	"errors"

	"throng/replay"
	"throng/sse"
)

// readWindow takes the next window out of memory, or asks a pager for it.
func (l *Loop) readWindow(sc *scan) int {
	if l.deserted(sc) {
		return 1
	}
	if sc.upcome != nil && sc.upcome.after != sc.at {
		sc.drop(l)
	}
	if sc.upcome != nil {
		sc.phase = phaseAwait
		return 1
	}
	log := sc.st.ns.Log
	at := sc.at
	sc.events = grown(sc.events, sc.size)
	n := 0
	for n < sc.size {
		got, err := log.Peek(at, sc.upTo, sc.events[n:sc.size])
		if err != nil {
			if n > 0 {
				break // it is met again behind these
			}
			if errors.Is(err, replay.ErrNotResident) {
				sc.upcome = l.group.pager.ask(l, sc.st.ns, at, sc.upTo, sc.size, sc.alone)
				sc.events, sc.phase = sc.events[:0], phaseAwait
				return 1
			}
			return l.scanFailed(sc, err)
		}
		if got == 0 {
			at = sc.upTo
			break
		}
		n += got
		at = sc.events[n-1].ID
		if !at.Less(sc.upTo) {
			break
		}
	}
	l.counts.reads.Add(uint64(n))
	sc.events = sc.events[:n]
	sc.open(at)
	return 1 + n/skippedRows
}

// grown gives a slice of n, of b's memory if that has the room.
func grown(b []*sse.Event, n int) []*sse.Event {
	if cap(b) < n {
		return make([]*sse.Event, n)
	}
	return b[:n]
}

// open begins with a window that reaches up to end.
func (s *scan) open(end sse.ID) {
	s.begin, s.end, s.from, s.next, s.visits, s.backOff = s.at, end, 0, 0, 0, 0
	s.dense = -1
	if s.found*4 > s.looked || s.st.queues[queueRides].n <= denseRiders {
		s.dense = 0
	}
	s.looked, s.found, s.left, s.stale = 0, 0, false, false
	s.size = min(2*s.size, windowMax)
	bytes := 0
	for _, e := range s.events {
		bytes += e.Size()
	}
	if n := len(s.events); n > 0 && bytes > 0 {
		s.size = max(min(s.size, windowBytes*n/bytes), pageEvents)
	}
	s.phase = phasePick
}

// takePage makes the window of what a pager has read.
func (l *Loop) takePage(sc *scan) int {
	p := sc.upcome
	if l.deserted(sc) {
		return 1
	}
	if !p.done.Load() {
		return 0
	}
	sc.upcome = nil
	at := sc.at
	if p.err != nil && (p.after == at || willPass(p.err)) {
		return l.scanFailed(sc, p.err)
	}
	end := soonest(p.upTo, sc.upTo)
	events := p.events
	if n := len(events); n > 0 {
		end = events[n-1].ID
		events = events[firstAfter(events, at):]
	}
	if sc.alone = p.err != nil || !at.Less(end); sc.alone { // another loop's page, which says nothing of this place
		sc.phase = phaseRead
		return 1
	}
	sc.events = append(sc.events[:0], events...)
	l.readAhead(sc, end)
	sc.open(end)
	return 1 + len(events)/skippedRows
}

// readAhead lets a pager read the window behind the one that begins.
func (l *Loop) readAhead(sc *scan, end sse.ID) {
	if !end.Less(sc.upTo) {
		return
	}
	if _, err := sc.st.ns.Log.Peek(end, end, nil); errors.Is(err, replay.ErrNotResident) {
		sc.upcome = l.group.pager.ask(l, sc.st.ns, end, sc.upTo, sc.size, false)
	}
}

// drop gives up what a pager was asked for.
func (s *scan) drop(l *Loop) {
	if s.upcome != nil {
		l.group.pager.forgo(s.upcome)
		s.upcome = nil
	}
}

// willPass says whether a failed read is worth another try.
func willPass(err error) bool {
	return errors.Is(err, replay.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// scanFailed deals with a window that could not be read.
func (l *Loop) scanFailed(sc *scan, err error) int {
	var gone *replay.GoneError
	sc.events = sc.events[:0]
	switch {
	case errors.As(err, &gone):
		sc.gone, sc.phase, sc.low = gone, phaseTell, sc.upTo
		sc.rider = sc.st.queues[queueRides].first
	case willPass(err):
		sc.backOff = l.backOff(sc.backOff)
		sc.retryAt = l.now + sc.backOff
		sc.events, sc.phase = nil, phaseRest
	default:
		l.o.Log.Error("streams were closed: their history could not be read", "namespace", sc.st.ns.Name, "error", err)
		for riders := &sc.st.queues[queueRides]; riders.n > 0; {
			l.close(riders.first, ReasonLog)
		}
		l.endScan(sc)
	}
	return 1
}
