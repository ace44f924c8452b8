package server

import (
	"slices"
	"time"

	"throng/breaker"
	"throng/poller"
)

// waits finds out how long what has just come to this node waits until it is looked at: in the
// kernel's queue of connections, at a reactor, behind what is ready there, and in a loop's mailbox. It looks at every tick of the watch and takes the least of the last ten:
// what is there even then is a standing line, which must not grow; a burst, or a processor that
// was away for a moment, leaves none (CoDel, RFC 8289, section 3). It belongs to the watch's
// goroutine.
type waits struct {
	srv    *Server
	probe  *poller.Probe // nil: there is none
	accept passage
	attach passage
	last   [waitTicks]time.Duration // a circle
	ticks  int
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
	// holdStreams and holdPublishes are how many times the target a line may be before hardly
	// anything more is let in: the limits need some tenths of a second to find how much may, and
	// what they let in meanwhile would wait for as long.
	holdStreams   = 3
	holdPublishes = 10
	// lateMost is how many times the target the scheduler, or a loop with its events, may be late.
	lateMost = 2.5
	// holdTicks is for how many ticks it must have been so long.
	holdTicks = waitTicks / 2
	// silentBusy is the pressure from which connections may go unheard, until it is below
	// silentIdle.
	silentBusy = 0.8
	silentIdle = 0.4
)

// begin makes the probe. Without one the kernel's queue still counts.
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
	var wait time.Duration
	if w.probe != nil {
		wait = w.probe.Waited()
	}
	accepted := w.srv.ln.Accepted()
	wait += w.accept.first(now, accepted+uint64(w.srv.ln.Waiting()), accepted)
	in, _ := w.srv.streams.Counts()
	wait += w.attach.first(now, in, in-min(in, uint64(w.srv.group.HandOvers())))
	w.last[w.ticks%waitTicks] = wait
	if step > lookEvery { // it stands for all of the time
		for i := range w.last {
			w.last[i] = wait
		}
	}
	w.ticks++
}

// standing is the wait that all of the last ticks had.
func (w *waits) standing() time.Duration { return slices.Min(w.last[:]) }

// lately is the wait that all of the last holdTicks had.
func (w *waits) lately() time.Duration {
	least := w.last[(w.ticks+waitTicks-1)%waitTicks]
	for i := 2; i <= holdTicks; i++ {
		least = min(least, w.last[(w.ticks+waitTicks-i)%waitTicks])
	}
	return least
}

// hush finds how many of the new connections should be heard. It belongs to the watch.
type hush struct {
	breaker.Silence
	share float64
	came  uint64
}

// hear lets the kernel drop new connections where refusing them is what the node would be
// busy with.
func (w *watch) hear(pressure float64, span time.Duration) {
	h := &w.hush
	came := w.srv.ln.Accepted() + uint64(w.srv.ln.Waiting())
	heard := came - min(h.came, came)
	h.came = came
	rate := w.srv.streams.Rate()
	if pressure < silentIdle || h.share == 1 && pressure < silentBusy {
		rate = 0
	}
	share := h.Share(heard, rate, span)
	if share == h.share {
		return
	}
	if err := w.srv.ln.Hear(share); err != nil {
		w.srv.log.Warn("new connections can't be left unheard; they are refused one by one", "error", err)
		h.Least = 1
		return
	}
	h.share = share
	w.srv.load.heard.set(share)
}
