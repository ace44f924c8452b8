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
	// Proven is when a stream of the namespace last took something that its client has
	// acknowledged, in any loop, by the same clock; 0: never. It is found out by samples
	// (witness.go), so it may be that this was a second or so later. A stream's head does not
	// count.
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

// fails closes a stream whose writes came to nothing, and reports it. Only now is the kernel
// asked who the client is.
func (l *Loop) fails(slot uint32, reason Reason, cause error) {
	if r := &l.table.rows[slot]; r.state != stateLingering && l.o.Failed != nil {
		st := l.ns[r.ns]
		l.hearAll(st)
		l.o.Failed(Failure{NS: st.ns, Peer: l.net.Peer(int(r.fd)), Trial: l.endTrial(slot), Cause: cause,
			TimedOut: reason == ReasonStalled, At: l.now, Proven: st.ns.proven()})
	}
	l.close(slot, reason)
}

// judge looks at a stream on trial whose time has come. Its client must have acknowledged all
// that it was sent, or, as it may be sent more all the time, some of it since it was first
// looked at. One that takes its time is watched for the stall time-out, and no longer, so that
// every trial has an end.
func (l *Loop) judge(slot uint32) {
	r := &l.table.rows[slot]
	age := l.tick - r.since
	if age < trialTicks {
		return
	}
	if l.serves(slot) {
		l.judged(slot, true)
	} else if age >= trialTicks+l.stall {
		l.judged(slot, false)
	}
}

// serves says whether a stream on trial gets rid of what it is sent.
func (l *Loop) serves(slot uint32) bool {
	r := &l.table.rows[slot]
	if left, err := l.net.Outstanding(int(r.fd)); err != nil || left == 0 {
		return err == nil && !r.blocked
	}
	acked, err := l.net.Acknowledged(int(r.fd))
	if err != nil {
		return false
	}
	before, seen := l.trials[l.table.token(slot)]
	if !seen {
		if l.trials == nil {
			l.trials = make(map[poller.Token]uint64)
		}
		l.trials[l.table.token(slot)] = acked
	}
	return seen && acked != before
}

// endTrial takes a stream off trial, and gives the trial's number.
func (l *Loop) endTrial(slot uint32) (trial uint16) {
	r := &l.table.rows[slot]
	if trial = r.trial; trial != 0 {
		r.trial = 0
		delete(l.trials, l.table.token(slot))
	}
	return trial
}

// judged ends a stream's trial, if it is on one.
func (l *Loop) judged(slot uint32, good bool) {
	if r := &l.table.rows[slot]; r.trial != 0 {
		l.tried(l.ns[r.ns].ns, l.endTrial(slot), good)
	}
}

func (l *Loop) tried(ns *Namespace, trial uint16, good bool) {
	if trial != 0 && l.o.Judged != nil {
		l.o.Judged(ns, trial, good)
	}
}
