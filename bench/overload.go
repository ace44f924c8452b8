package bench

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"throng/bench/internal/sock"
)

// overload asks what becomes of accepted work when a server is offered three times what it
// can take, for Options.Duration: new streams, then publishes, then both. The server has a
// share of the processors, Options.ServerCPU, so that the generator is not what is
// overloaded; a run in which it was late is marked as invalid.
//
// First the peak is found, by a closed loop in which more and more is under way. A turn is
// then three phases of an open loop with arrivals at random moments: a reference of 80 % of
// the peak, the overload, and 80 % again. A server of ours is measured twice in turn, with
// its breakers and with --breakers=off, under the same load: three times the greater peak
// of the two.
//
// Streams that were there before get a ticker event ten times a second all the while.
var overload = Scenario{
	Name:  "overload",
	About: "three times the load that a server can take: accepted work, goodput, memory and recovery, with breakers and without",
	Defaults: Options{
		Streams: 200, Connections: 2048, PayloadBytes: 100, Pairs: 1, Duration: time.Minute, Interval: 100 * time.Millisecond,
		ServerCPU: 0.25, Load: loadAll, Stubborn: stubbornOff, Hold: time.Second, Sources: overloadSources,
	},
	body: runOverload,
}

// Values of Options.Load and Options.Stubborn.
const (
	loadConnections = "connections"
	loadPublishes   = "publishes"
	loadBoth        = "both"
	loadAll         = "all"

	stubbornOn  = "on"
	stubbornOff = "off"
)

const (
	// overloadSources is 1.8 million ports: those of a minute stay in TIME_WAIT.
	overloadSources = 64
	// overloadRetained is the log of a namespace of a server of ours, in events.
	overloadRetained = 8192
	// awakeFrom is how long a run must be for its generator not to sleep: a shorter one measures
	// nothing, and takes a processor from whatever runs beside it.
	awakeFrom = 5 * time.Second
	// generatorGC is the GOGC of a generator that measures.
	generatorGC = 1000
	// overloadFactor and overloadCalm are shares of the peak.
	overloadFactor = 3
	overloadCalm   = 0.8
	// The warm-up, the reference and what follows the overload are parts of its length.
	overloadWarmPart      = 6
	overloadReferencePart = 4
	// The warm-up rises in so many steps: a thousand connections that were idle cost what they need
	// again, memory above all, when each has its first request.
	warmSteps = 8
	// overloadRest lets a server forget what it took to open the first streams.
	overloadRest      = 3 * time.Second
	overloadAfterPart = 2
	// speedOff is how far the machine's speed may be from what it was while the peak was found; a
	// turn in which it was farther is repeated, until it was taken turnTries times.
	speedOff  = 0.1
	turnTries = 3
)

// overloadSide is a server in one of its two ways.
type overloadSide struct {
	name string
	argv []string
	on   bool
}

// overloadRun is the state of the scenario.
type overloadRun struct {
	*run
	sides   []overloadSide
	peaks   map[string]float64 // a second, by load: connections and publishes
	results []*overloadResult

	sustained map[string]bool // by load: the side without breakers did it in time

	pace  *pace
	paces map[string]float64 // by load: a round's time while the peak was what was offered, ns
}

func runOverload(r *run) error {
	if r.o.URL != "" {
		return errors.New("bench: overload starts its servers itself, with a share of the processors: it takes no --url")
	}
	o := &overloadRun{run: r, peaks: make(map[string]float64), sustained: make(map[string]bool), paces: make(map[string]float64)}
	var err error
	if o.pace, err = newPace(r.w.now); err != nil {
		return err
	}
	defer func() {
		if err := o.pace.close(); err != nil {
			r.report.note("the machine's own speed was not measured throughout: %v", err)
		}
	}()
	// A log that is soon full: memory that grows is then not the events'.
	r.serverOption("--retain-events", fmt.Sprint(overloadRetained))
	o.sides = []overloadSide{{"server", r.o.Server, true}}
	if isOurs(r.o.Server) {
		o.sides = []overloadSide{
			{"breakers on", withOption(r.o.Server, "--breakers", "on"), true},
			{"breakers off", withOption(r.o.Server, "--breakers", "off"), false},
		}
	}
	if r.o.ServerCPU == noQuota {
		r.report.note("the server has no share of the processors of its own: it may be the generator that is overloaded")
	}
	if err := o.findPeaks(); err != nil {
		return err
	}
	for pair := range r.o.Pairs {
		for _, load := range o.loads() {
			for _, s := range o.sides {
				if err := o.measure(s, load, pair); err != nil {
					return fmt.Errorf("%s, %s: %w", load, s.name, err)
				}
			}
		}
	}
	o.tell()
	r.report.noFaults(r.w)
	return nil
}

// measure takes a turn, and takes it again when the machine was slower or faster meanwhile than
// when the peak was found: then what was offered is not what it should have been.
func (o *overloadRun) measure(s overloadSide, load string, pair int) error {
	for try := 1; ; try++ {
		err := o.with(s, func(t target, q *quota) error { return o.turn(s, load, pair, t, q) })
		if err != nil || o.o.short() || try == turnTries {
			return err
		}
		last := len(o.results) - 1
		name, speed := o.farthest(o.results[last])
		if math.Abs(speed-1) <= speedOff {
			return nil
		}
		o.logf("overload: in the %s the machine was at %.0f %% of its speed while the peak was found: once more", name, 100*speed)
		o.results = o.results[:last]
	}
}

// speed is how fast the machine was in a phase, of what it was while the peak was found; 1 when
// none was.
func (o *overloadRun) speed(load string, p *overloadPhase) float64 {
	var then float64
	for _, kind := range kinds(load) {
		then += o.paces[kind] / float64(len(kinds(load)))
	}
	if then == 0 || p.pace == 0 {
		return 1
	}
	return then / p.pace
}

// farthest is the phase, of those that count, in which the speed was farthest from 1.
func (o *overloadRun) farthest(r *overloadResult) (name string, speed float64) {
	speed = 1
	for _, p := range r.phases[:atAfter] {
		if s := o.speed(r.load, p); math.Abs(s-1) >= math.Abs(speed-1) {
			name, speed = p.name, s
		}
	}
	return name, speed
}

// hurry gives the generator's thread precedence, where it may, until back is called: its
// clock is the measure. It does not sleep meanwhile: over loopback it is the server that pays
// for waking a client, and that costs it as much as the rest of an event, the oftener the less
// there is to do. Clients behind a network cost it nothing of the kind. Garbage is collected
// seldom, since that stops the thread until all others, which have no precedence, agree.
func (r *run) hurry() (back func()) {
	r.w.awake = runtime.NumCPU() > 1 && r.o.Duration >= awakeFrom
	runtime.LockOSThread()
	percent := debug.SetGCPercent(generatorGC)
	err := sock.Nice(calmNice)
	if err != nil && !r.unhurried {
		r.unhurried = true
		r.report.note("the generator runs at ordinary priority: %v", err)
	}
	return func() {
		r.w.awake = false
		if err == nil {
			_ = sock.Nice(0) // what was raised can be lowered
		}
		debug.SetGCPercent(percent)
		runtime.UnlockOSThread()
	}
}

// loads are those that were asked for.
func (o *overloadRun) loads() []string {
	if o.o.Load == loadAll {
		return []string{loadConnections, loadPublishes, loadBoth}
	}
	return []string{o.o.Load}
}

// kinds are what a load consists of.
func kinds(load string) []string {
	switch load {
	case loadConnections, loadPublishes:
		return []string{load}
	}
	return []string{loadConnections, loadPublishes}
}

// with starts a server in its share of the processors, and stops it.
func (o *overloadRun) with(s overloadSide, do func(t target, q *quota) error) error {
	var q *quota
	if o.o.ServerCPU != noQuota {
		var err error
		if q, err = newQuota(o.o.ServerCPU); err != nil {
			return err
		}
		o.afterwards = append(o.afterwards, q.close)
	}
	t, err := o.start(s.name, q.wrap(s.argv), o.o.Wire)
	if err != nil {
		return err
	}
	back := o.hurry() // after the start: a child has the priority of the thread that starts it
	err = do(t, q)
	back()
	if err != nil {
		return err
	}
	o.w.closeAll()
	o.targets = slices.DeleteFunc(o.targets, func(other target) bool { return other.process == t.process })
	return errors.Join(t.stop(), q.close())
}

// newLoad makes one kind of work.
func (o *overloadRun) newLoad(kind string, t target, g *agenda, seed uint64) (overloadLoad, error) {
	if kind == loadConnections {
		return newConnectionLoad(o.run, t, g, seed)
	}
	return newPublishLoad(o.run, t, g, seed)
}
