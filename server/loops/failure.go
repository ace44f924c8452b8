package loops

import (
	"errors"
	"net/netip"
	"time"

	"throng/poller"
)

// Failure is a stream that was closed because what it was sent did not go out, though its
// client had neither closed nor reset the connection.
type Failure struct {
	NS       *Namespace
	Peer     netip.Addr // the client's address; zero: unknown
	Trial    uint16     // Attach.Trial, if nothing was told of that yet
	Cause    error
	TimedOut bool  // nothing was taken for the stall time-out; otherwise a write failed on the spot
	At       int64 // by the Group's clock, ns
	// Proven is when a stream of the namespace was last seen to take something, in any loop,
	// by the same clock; 0: never. What counts is a write that a socket took whole (an event,
	// history, a heartbeat), and whatever one took that had been full: its client has read. A
	// stream's head does not count, as a new socket takes it whatever is behind, nor does the
	// part of a frame with which a socket is full. A way that is dead still takes as much as
	// the sockets' buffers hold, so a time-out is to be held against what was taken shortly
	// before it.
	Proven int64
}

// trialTicks is how long a stream on trial is watched at least, 2 s: its head has been
// acknowledged by then or was sent again.
const trialTicks = 8

// TrialMax is how long a loop watches a stream on trial at most.
func TrialMax(stall time.Duration) time.Duration {
	return time.Duration(trialTicks+ticks(stall)+1) * tickLength
}

var errStalled = errors.New("a stream took nothing for the stall time-out")

// never is a tick before the first.
const never = 1<<32 - 1

// proves notes that a stream of the namespace took something: the first time in a tick, and
// the first time after a failure. Otherwise it costs two comparisons.
func (l *Loop) proves(st *nsState) {
	if failures := st.ns.failures.Load(); st.proven != l.tick || st.failures != failures {
		st.proven, st.failures = l.tick, failures
		st.ns.loops[l.id].proven.Store(l.now)
	}
}

// provesAny is proves for a batch of writes, of one namespace.
func (l *Loop) provesAny(st *nsState, sends []poller.Send) {
	for i := range sends {
		if sends[i].N == len(sends[i].P) {
			l.proves(st)
			return
		}
	}
}

// proven is when a stream was last seen to take something, in any loop.
func (n *Namespace) proven() int64 {
	last := int64(0)
	for i := range n.loops {
		last = max(last, n.loops[i].proven.Load())
	}
	return last
}

// fails closes a stream whose writes came to nothing, and reports it. Only now is the kernel
// asked who the client is.
func (l *Loop) fails(slot uint32, reason Reason, cause error) {
	if r := &l.table.rows[slot]; r.state != stateLingering && l.o.Failed != nil {
		ns := l.ns[r.ns].ns
		l.o.Failed(Failure{NS: ns, Peer: l.net.Peer(int(r.fd)), Trial: r.trial, Cause: cause,
			TimedOut: reason == ReasonStalled, At: l.now, Proven: ns.proven()})
		ns.failures.Add(1)
		r.trial = 0
	}
	l.close(slot, reason)
}

// judge looks at a stream on trial whose time has come. Its client must have acknowledged all
// that it was sent; one that takes its time is watched for the stall time-out, and no longer,
// so that every trial has an end.
func (l *Loop) judge(slot uint32) {
	r := &l.table.rows[slot]
	age := l.tick - r.since
	if age < trialTicks {
		return
	}
	if left, err := l.net.Outstanding(int(r.fd)); err == nil && left == 0 && !r.blocked {
		l.judged(r, true)
	} else if age >= trialTicks+l.stall {
		l.judged(r, false)
	}
}

// judged ends a stream's trial, if it is on one.
func (l *Loop) judged(r *row, good bool) {
	if r.trial != 0 {
		l.tried(l.ns[r.ns].ns, r.trial, good)
		r.trial = 0
	}
}

func (l *Loop) tried(ns *Namespace, trial uint16, good bool) {
	if trial != 0 && l.o.Judged != nil {
		l.o.Judged(ns, trial, good)
	}
}
