package server

import (
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"throng/breaker"
)

// load is what everybody may know of how much there is to do. The watch writes it.
type load struct {
	signals      [signals]figure // against their targets
	refusedShare figure          // of new streams, 0 to 1
	shedShare    figure          // of new connections, by a limit, 0 to 1
	heard        figure          // of new connections, 0 to 1; the others the kernel drops
	starved      atomic.Bool     // hardly any memory is left: no new streams
	overloaded   atomic.Bool     // new work should go elsewhere
	slow         atomic.Bool     // requests wait: how long each did is asked
}

// figure is a number that one goroutine writes and others read.
type figure struct{ bits atomic.Uint64 }

func (f *figure) set(v float64) { f.bits.Store(math.Float64bits(v)) }
func (f *figure) get() float64  { return math.Float64frombits(f.bits.Load()) }

const (
	// lookEvery is between two looks at the load.
	lookEvery = 100 * time.Millisecond
	// tickEvery is between two looks at the clock while there is something to do: how late they
	// come is how late whatever waits for a processor is.
	tickEvery = 10 * time.Millisecond
	// idleEvery is between two looks at a node with nothing to do, which each wake it.
	idleEvery = 500 * time.Millisecond
	// idleShare is the part of one processor, or of what there is of one, below which there is
	// nothing to do.
	idleShare = 0.1
	// slowEvery is between two looks at what changes slowly, and takes longer to find out:
	// memory and descriptors.
	slowEvery = time.Second
	// floorFor is how long new streams must have been limited to the least there is, before the
	// node says that it is not ready: a balancer that takes it out for a moment does more harm.
	floorFor = 5 * time.Second
	// shareOver is the time over which the share of connections that are shed is averaged.
	shareOver = 2 * time.Second
	// streamsBurst is how much of the rate of new streams may come at once.
	streamsBurst = 20 * time.Millisecond
	// streamsLeast is how many may come at once at the least rate too: a page opens several.
	streamsLeast = 10
	// starvedFor is how long memory counts as used up, at least: giving back what is not needed
	// stops the program, and a host that is at its end by others' doing wavers.
	starvedFor = 5 * time.Second
	// stoodFor is for how long a line must have stood before the limits follow it. Until then who
	// has waited for too long is refused one by one: of a burst that is gone in a moment, no limit
	// need remain.
	stoodFor = 500 * time.Millisecond
	// allWell is the most that limits are told with --breakers=off: it engages none.
	allWell = 0.99
)

// Parts of the memory: above the first no new stream is let in, until it is less than the
// second. A process that is killed loses all of its streams.
const (
	starvedAbove = 0.95
	fedBelow     = 0.93
)

// watch looks at the load and adjusts the limits. It belongs to one goroutine.
type watch struct {
	srv     *Server
	measure func(now time.Time, late time.Duration) (loads [signals]float64, memory float64) // gauges.measure, but in tests
	idle    func() bool
	waits   *waits
	turn    standing // the line for a reactor
	entry   standing // all that a new stream waits for
	hush    hush

	before  [signals]float64 // what the last look found
	limited bool
	toldAt  time.Time
	floorAt time.Time // since when the rate is at its least; zero: it is not
	starved time.Time // since when memory is used up
	shed    uint64
	opened  uint64
	looked  time.Time
}

// watchNext prepares the watch and the limits that it adjusts.
func (s *Server) watchNext() {
	s.streams = breaker.NewLimiter(breaker.LimiterOptions{Min: float64(s.o.StreamsRateMin), Burst: streamsBurst, Least: streamsLeast, Clock: s.hub.clock})
	g := newGauges(s)
	s.watch = &watch{srv: s, measure: g.measure, idle: g.idle, waits: g.waits, looked: time.Now()}
	s.watch.turn.Target, s.watch.entry.Target = s.o.DelayTarget, agedStreams*s.o.DelayTarget
	s.load.heard.set(1)
	s.watch.hush = hush{share: 1, Silence: breaker.Silence{Least: 1 - float64(s.o.SilenceMax)/100, Target: time.Duration(hushTarget * float64(s.o.DelayTarget))}}
	if s.o.Breakers == "off" || s.o.DelayTarget == 0 {
		s.watch.hush.Least = 1
	}
	for i := range s.load.signals {
		s.table.Pressure[i].Func(s.load.signals[i].get)
	}
	s.table.Heard.Func(s.load.heard.get)
	s.table.LimitStreams.Func(s.streams.Rate)
	s.table.LimitPublishes.Func(s.publishes.Rate)
}

// watchLoad runs until the server closes.
func (s *Server) watchLoad() {
	w := s.watch
	w.looked = time.Now()
	defer w.waits.end()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		late, ok := w.rest(timer)
		if !ok {
			return
		}
		w.look(time.Now(), late)
	}
}

// rest waits for the next look, and says how late the ticks until then were: the second of
// them, as one says nothing, or the only one.
func (w *watch) rest(timer *time.Timer) (late time.Duration, ok bool) {
	step, all := tickEvery, lookEvery
	if w.resting() {
		step, all = idleEvery, idleEvery
	}
	var worst, second time.Duration
	ticks := 0
	for end := time.Now().Add(all); ; {
		w.waits.ask()
		due := time.Now().Add(step)
		timer.Reset(step)
		select {
		case <-w.srv.stop:
			return 0, false
		case <-timer.C:
		}
		now := time.Now()
		switch by := now.Sub(due); {
		case by > worst:
			worst, second = by, worst
		case by > second:
			second = by
		}
		ticks++
		w.waits.tick(step)
		w.slows()
		w.hear(now, step)
		if !now.Before(end) {
			break
		}
	}
	if ticks > 2 {
		return second, true
	}
	return worst, true
}

// resting says whether there is nothing to do, and nothing in force that should end.
func (w *watch) resting() bool {
	return w.idle() && w.srv.streams.Rate() == 0 && w.srv.publishes.Rate() == 0 && w.hush.share == 1
}

// look takes one look. A limit is moved by what two looks agree on, and the better of the last
// two is what is shown: a garbage collection or a tick that was late once is no reason to send
// anybody away.
func (w *watch) look(now time.Time, late time.Duration) {
	s := w.srv
	span := now.Sub(w.looked)
	loads, memory := w.measure(now, late)
	for i, v := range loads {
		s.load.signals[i].set(min(v, w.before[i]))
	}
	w.before = loads
	publishes, streams := w.presses(&loads, span)
	streams = max(streams, loads[signalMemory], loads[signalDescriptors])
	// Events take no descriptors, and what they take of memory has limits of its own; only
	// when there is hardly any left they are held up as well.
	if memory > starvedAbove {
		publishes = max(publishes, memory/starvedAbove)
	}
	if s.o.Breakers == "off" {
		streams, publishes, memory = min(streams, allWell), min(publishes, allWell), 0
	}
	w.feed(memory, now)
	s.streams.Tick(streams)
	s.publishes.Tick(publishes)
	s.load.refusedShare.set(s.streams.RefusedShare())
	if s.load.starved.Load() {
		s.load.refusedShare.set(1)
	}
	w.count(now)
	w.judge(now)
}

// presses is how the signals press on publishes and on new streams, but for memory and
// descriptors. Busy processors on which nothing waits have room: work that comes one by one costs
// more than the same in bunches. (That much is why BBR looks at both.) So unless they are not to
// be all used they only say how far it is to the target.
//
// Publishes are held to a shorter line than streams are. Both wait for the same reactors, and
// streams more than once: by one target for both, publishes would leave them next to nothing.
// A loop that is behind presses on streams only: each namespace may have no more events on their
// way than the loops get done (flow), and a limit for all publishers would be one man's batch.
func (w *watch) presses(loads *[signals]float64, span time.Duration) (publishes, streams float64) {
	o := &w.srv.o
	cpu := loads[signalCPU]
	if o.CPUTarget == 100 && o.DelayTarget > 0 {
		cpu = min(cpu, busyNotLate)
	}
	both := max(cpu, loads[signalHost], loads[signalLateness])
	publishes = max(both, w.turn.presses(loads[signalDelay], span))
	streams = max(both, loads[signalLag], w.entry.presses(loads[signalEntry], span))
	return publishes, streams
}

// standing is a line and for how long it has been too long.
type standing struct {
	breaker.Line
	stood time.Duration
}

// presses is how the line presses; wait is in times of its target.
func (l *standing) presses(wait float64, span time.Duration) float64 {
	pressure := l.Pressure(time.Duration(wait*float64(l.Target)), span)
	if l.stood += span; wait < 1 {
		l.stood = 0
	}
	if l.stood < stoodFor {
		return min(pressure, busyNotLate)
	}
	return pressure
}

// feed notes whether memory is nearly used up. Before anybody is sent away, what Go holds and
// does not need is given back.
func (w *watch) feed(memory float64, now time.Time) {
	starved := &w.srv.load.starved
	switch {
	case !starved.Load() && memory > starvedAbove:
		w.srv.log.Warn("memory is nearly used up: no new streams are let in", "share", memory)
		starved.Store(true)
		w.starved = now
		debug.FreeOSMemory()
	case starved.Load() && memory < fedBelow && now.Sub(w.starved) >= starvedFor:
		w.srv.log.Info("there is memory again: new streams are let in", "share", memory)
		starved.Store(false)
	}
}

// count averages the share of connections that a limit sheds, and tells the door what became
// of the others.
func (w *watch) count(now time.Time) {
	s := w.srv
	shed := s.table.Shed[shedConnections].Value() + s.table.Shed[shedRequests].Value() + s.table.Shed[shedDescriptors].Value()
	opened := uint64(s.opened.Load())
	out, in := float64(shed-w.shed), float64(opened-w.opened)
	share := 0.0
	if out > 0 {
		share = out / (out + in)
	}
	old := s.load.shedShare.get()
	s.load.shedShare.set(old + (share-old)*min(1, float64(now.Sub(w.looked))/float64(shareOver)))
	w.shed, w.opened, w.looked = shed, opened, now
	s.door.tell(s.tablesFull())
}

// judge finds whether new work should go elsewhere, and tells the log when new streams are
// limited and when no more, not oftener than it tells of connections that are shed.
func (w *watch) judge(now time.Time) {
	s := w.srv
	rate := s.streams.Rate()
	atFloor := rate > 0 && rate <= float64(s.o.StreamsRateMin) && s.load.refusedShare.get() > 0
	switch {
	case !atFloor && !s.load.starved.Load():
		w.floorAt = time.Time{}
	case w.floorAt.IsZero():
		w.floorAt = now
	}
	s.load.overloaded.Store(s.door.open() || !w.floorAt.IsZero() && now.Sub(w.floorAt) > floorFor)
	switch {
	case rate > 0 && !w.limited && now.Sub(w.toldAt) >= shedEvery:
		w.limited, w.toldAt = true, now
		args := []any{"streams_a_second", math.Round(rate)}
		for i, name := range signalNames {
			args = append(args, name, math.Round(100*s.load.signals[i].get())/100)
		}
		s.log.Warn("the load limits new streams; signals are shares of their targets", args...)
	case rate == 0 && w.limited:
		w.limited = false
		s.log.Info("new streams are not limited any more")
	}
}
