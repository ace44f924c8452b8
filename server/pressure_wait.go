package server

import (
	"slices"
	"time"

	"throng/poller"
)

// waits finds out how long what has just come to this node waits until it is looked at: in the
// kernel's queue of connections, at a reactor, behind what is ready there, and in a loop's
// mailbox. It looks at every tick of the watch and takes the least of the last ten: what is there
// even then is a standing line, which must not grow; a burst, or a processor that was away for a
// moment, leaves none (CoDel, RFC 8289, section 3). It belongs to the watch's goroutine.
type waits struct {
	srv    *Server
	probe  *poller.Probe // nil: there is none
	accept passage
	attach passage
	turns  [waitTicks]time.Duration // for a reactor: a circle
	last   [waitTicks]time.Duration // all in all
	ticks  int

	waiting int // connections to be accepted, by the last tick
	inside  int // descriptors on their way to a loop, of streams and of refused requests
}

// passage is a line that is left in the order of coming, of which only the numbers of those
// who came and who left are known. It remembers how many had come when.
type passage struct {
	at   [passageTicks]time.Time
	came [passageTicks]uint64
	next int
}

// passageTicks is how many ticks a passage remembers: who waits for longer counts as waiting
// for that.
const passageTicks = 128

// first is how long the first in the line waits, where so many have come, and left.
func (p *passage) first(now time.Time, came, left uint64) (wait time.Duration) {
	p.at[p.next], p.came[p.next] = now, came
	p.next = (p.next + 1) % passageTicks
	if came <= left {
		return 0
	}
	for i := range passageTicks { // the oldest first
		if k := (p.next + i) % passageTicks; p.came[k] > left && !p.at[k].IsZero() {
			return now.Sub(p.at[k])
		}
	}
	return 0
}

const (
	// waitTicks is how many ticks the least is of: a tenth of a second.
	waitTicks = int(lookEvery / tickEvery)
	// lateMost is how many times the target the scheduler, or a loop with its events, may be late.
	lateMost = 2.5
)

// begin makes the probe, which end closes. Without one the kernel's queue still counts.
func (w *waits) begin() {
	var err error
	if w.probe, err = poller.NewProbe(w.srv.reactors()); err != nil {
		w.srv.log.Warn("how long requests wait for a reactor is not known", "error", err)
	}
}

func (w *waits) end() {
	if w.probe != nil {
		w.probe.Close()
	}
}

// ask begins a measurement, which tick ends.
func (w *waits) ask() {
	if w.probe != nil {
		w.probe.Ask()
	}
}

// tick notes how long it takes now, after so long a step.
func (w *waits) tick(step time.Duration) {
	now := time.Now()
	var turn time.Duration
	if w.probe != nil {
		turn = w.probe.Waited()
	}
	wait := turn
	accepted := w.srv.ln.Accepted()
	w.waiting = w.srv.ln.Waiting()
	wait += w.accept.first(now, accepted+uint64(w.waiting), accepted)
	w.inside = w.srv.group.HandOvers()
	came, left := w.srv.group.StreamHandOvers() // refused requests are in the mailboxes as well
	wait += w.attach.first(now, came, left)
	w.turns[w.ticks%waitTicks], w.last[w.ticks%waitTicks] = turn, wait
	if step > lookEvery { // it stands for all of the time
		for i := range w.last {
			w.turns[i], w.last[i] = turn, wait
		}
	}
	w.ticks++
}

// standing is the wait that all of the last ticks had: of a request for its reactor, and of a
// new stream for all that it waits for.
func (w *waits) standing() (turn, entry time.Duration) {
	return slices.Min(w.turns[:]), slices.Min(w.last[:])
}

// longest is the longest wait of the last ticks.
func (w *waits) longest() time.Duration { return slices.Max(w.last[:]) }

// turn is how long a request waits for its reactor, by the last tick.
func (w *waits) turn() time.Duration { return w.turns[(w.ticks+waitTicks-1)%waitTicks] }
