package loops

import "throng/sse"

// nsState is what a loop keeps of a namespace it has seen.
type nsState struct {
	ns        *Namespace
	last      sse.ID        // of the newest entry taken from the ring
	top       sse.ID        // the highest of all entries taken: a notice may go back behind it
	done      sse.ID        // of the newest entry that the fan-out is through with
	pending   fifo[waiting] // entries whose fan-out has not begun
	settled   int           // so many of them wait for more than the fan-out that was running when they came
	job       job
	streams   int
	witnesses int    // of its rows, in Loop.witnesses
	heard     uint32 // the tick in which they were asked because of a failure
	beat      []byte // the heartbeat that names beatID
	beatID    sse.ID

	near      near
	queues    [queueCount]rowQueue // of rows that catch up
	scan      *scan                // under way, or resting
	asked     bool                 // in Loop.asking
	askedAt   int64                // since when, ns
	ahead     ahead
	owed      *sse.Event // the newest notice with a name,
	owedAt    uint64     // and its sequence
	backAt    uint64     // sequence behind the newest notice with which the log went back; 0: there is none
	regressed bool       // that came while rows were ahead
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

// stateOf gives the loop's state of a namespace; an evicted one's place may have gone
// to another, which then starts anew.
func (l *Loop) stateOf(ns *Namespace) *nsState {
	for int(ns.Index) >= len(l.ns) {
		l.ns = append(l.ns, nil)
	}
	st := l.ns[ns.Index]
	if st == nil || st.ns != ns {
		st = &nsState{ns: ns, last: ns.Origin, top: ns.Origin, done: ns.Origin, heard: never}
		l.ns[ns.Index] = st
	}
	return st
}
