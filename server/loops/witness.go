package loops

import "throng/poller"

// That a socket takes bytes proves little: one whose client is out of reach takes as many as
// its buffer holds, for as long as the kernel waits. So a stream that was seen to take
// something is a witness: when its client has acknowledged that, or some of it, others of the
// namespace are known to be served. A few are asked at a time, from anywhere in a fan-out, or
// the same bad reader would be asked again and again.

const (
	// witnessesMax is how many streams of a namespace are asked at a time, by a loop.
	witnessesMax = 4
	// witnessTicks is how long one is given until it is asked, and asked again: the way there
	// and back takes less than 250 ms, most often.
	witnessTicks = 2
)

// witness is a stream that took something.
type witness struct {
	st    *nsState
	token poller.Token
	at    int64  // when it took that, or was asked first, ns
	acked uint64 // by its client, when it was asked first
	tick  uint32 // when it was last looked at
	asked bool
}

// proves notes that a row took something.
func (l *Loop) proves(st *nsState, slot uint32) {
	if st.witnesses < witnessesMax && l.o.Failed != nil {
		st.witnesses++
		l.witnesses.push(witness{st: st, token: l.table.token(slot), at: l.now, tick: l.tick})
	}
}

// provesAny is proves for the writes of a fan-out. While there are witnesses it costs a
// comparison.
func (l *Loop) provesAny(st *nsState, sends []poller.Send) {
	if st.witnesses > 0 || len(sends) == 0 || l.o.Failed == nil {
		return
	}
	at := int(l.o.Random() % uint32(len(sends)))
	for range min(len(sends), witnessesMax) {
		if s := &sends[at]; s.N == len(s.P) {
			l.proves(st, s.Tag)
		}
		if at++; at == len(sends) {
			at = 0
		}
	}
}

// hear asks witnesses whose time has come, and answers how many.
func (l *Loop) hear(quantum int) int {
	used := 0
	for ; used < quantum && l.witnesses.len() > 0 && l.tick-l.witnesses.head().tick >= witnessTicks; used++ {
		if w := l.witnesses.pop(); l.ask(&w) {
			l.witnesses.push(w)
		} else {
			w.st.witnesses--
		}
	}
	return used
}

// hearAll asks those of one namespace, now.
func (l *Loop) hearAll(st *nsState) {
	if st.witnesses > 0 && st.heard != l.tick {
		st.heard = l.tick
		for i := range l.witnesses.all() {
			if w := &l.witnesses.all()[i]; w.st == st {
				l.ask(w)
			}
		}
	}
}

// ask asks the kernel what a witness has acknowledged; true: it is to be asked again. One that
// is always being sent something never has nothing outstanding, so it is asked twice.
func (l *Loop) ask(w *witness) (again bool) {
	proven := &w.st.ns.loops[l.id].proven
	r := l.table.find(w.token)
	if r == nil || w.at <= proven.Load() {
		return false
	}
	left, err := l.net.Outstanding(int(r.fd))
	if err != nil {
		return false
	}
	if left == 0 {
		proven.Store(w.at)
		return false
	}
	acked, err := l.net.Acknowledged(int(r.fd))
	switch {
	case err != nil:
		return false
	case !w.asked:
		w.asked, w.acked, w.at, w.tick = true, acked, l.now, l.tick
		return true
	case acked != w.acked:
		proven.Store(w.at)
	}
	return false
}

// never is a tick before the first.
const never = 1<<32 - 1

// proven is when a stream is known to have taken something, in any loop.
func (n *Namespace) proven() int64 {
	last := int64(0)
	for i := range n.loops {
		last = max(last, n.loops[i].proven.Load())
	}
	return last
}
