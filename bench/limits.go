package bench

import (
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"throng/bench/internal/sock"
)

// limits asks whether everybody is served in the end when very many clients come at once to
// a node that has no room. The node may have Options.Connections, and has them: streams
// that stay and read a ticker, and tenants who leave in groups while the storm goes on. Each
// of Options.Streams clients comes back when it was told to, until it is served; then it
// stays for Options.Hold and leaves for good. Every second one is an EventSource, the
// others take any answer.
//
// Nobody may be starved, no client may see a connection closed without an answer, and the
// streams that were there may miss nothing.
var limits = Scenario{
	Name:  "limits",
	About: "a reconnect storm against a node at its limits: everybody served in the end, told when to come back until then",
	Defaults: Options{
		Streams: 15000, Connections: 10000, PayloadBytes: 100, Hold: 2 * time.Second, Interval: 100 * time.Millisecond, Duration: 3 * time.Minute,
	},
	body: runLimits,
}

const (
	limitsNS = "limits"
	// limitsStay: of so many places one is taken by a stream that stays.
	limitsStay = 20
	// limitsGroups is how many groups the tenants leave in, limitsLeave the time between
	// the first group's leaving and the last's, in holds.
	limitsGroups = 10
	limitsLeave  = 5
	// limitsFillRate is how many tenants come a second: the node is to be full, not busy.
	limitsFillRate = 2000
	// limitsOwn are connections of the node that are neither stayers nor tenants: the
	// ticker's, and one request to its admin port does not count.
	limitsOwn = 1
	// A client that had to wait for so many medians of the waiting was starved; an event
	// that came later than limitsDelay was held up.
	limitsStarved = 5
	limitsDelay   = time.Second
	// limitsTurn is how many clients connect before the others are served.
	limitsTurn = 32
)

// limitsRun is the state of the scenario.
type limitsRun struct {
	*run
	t       target
	g       *agenda
	by      *callers
	watch   *watch
	stayers *overloadAudience
	tenants []*audience

	start   int64
	clients int // that have come
	tally   *outcomes
	waiting *hdrhistogram.Histogram // from a client's first attempt until it is served, ns
	tries   *hdrhistogram.Histogram
	last    int64 // when the last client was served
}

func runLimits(r *run) error {
	if err := r.limitsWorkers(); err != nil {
		return err
	}
	r.serverOption("--connections-max", fmt.Sprint(r.o.Connections))
	t, err := r.server()
	if err != nil {
		return err
	}
	l := &limitsRun{
		run: r, t: t, g: newAgenda(), by: newCallers(r.w, t, limitsNS, "limits/visit"), tally: newOutcomes(),
		waiting: newHistogram(), tries: newHistogram(),
	}
	l.by.hold, l.by.ended = int64(r.o.Hold), l.settled
	if err := l.fill(); err != nil {
		return err
	}
	if err := r.quiet(t); err != nil {
		return err
	}
	back := r.hurry()
	err = l.storm()
	back()
	if err != nil {
		return err
	}
	return l.tell()
}

// limitsWorkers starts a process for those who fill the node, where this one can't hold
// them beside the storm.
func (r *run) limitsWorkers() error {
	files, err := sock.FilesMax()
	if err != nil {
		return err
	}
	room := files - filesReserved
	switch {
	case r.o.Streams+r.o.Connections <= room:
		return nil
	case r.o.Streams+r.o.Connections/limitsStay > room || r.o.Connections > room:
		return fmt.Errorf("bench: %d clients of the storm and %d who fill the node: a process may open %d files, want a higher ulimit -n or less of them",
			r.o.Streams, r.o.Connections, files)
	}
	r.report.note("a worker holds the tenants: a process may open %d files", files)
	return r.newTeam(1)
}

// fill takes all places of the node.
func (l *limitsRun) fill() error {
	stay := max(l.o.Connections/limitsStay, 1)
	places := l.o.Connections - stay - limitsOwn
	if places < limitsGroups {
		return fmt.Errorf("bench: --connections %d: want %d at least", l.o.Connections, 2*limitsGroups)
	}
	l.phase("fill the node", int64(l.o.Connections))
	for i := range limitsGroups {
		a := l.spread(l.t, roster{NS: limitsNS, Topic: fmt.Sprintf("limits/tenant/%d", i)})
		a.rate = limitsFillRate
		if err := l.growTo(a, places*(i+1)/limitsGroups-places*i/limitsGroups); err != nil {
			return err
		}
		l.tenants = append(l.tenants, a)
		l.step(int64(places * (i + 1) / limitsGroups))
	}
	var err error
	l.stayers, err = newOverloadAudience(l.run, l.t, stay, true)
	return err
}

// storm lets all clients come at once, and waits until each is served.
func (l *limitsRun) storm() error {
	var err error
	if l.watch, err = l.newWatch(l.t); err != nil {
		return err
	}
	l.report.axis("clients: served", "time since the storm began, s", "clients")
	l.report.axis("clients: refusals", "time since the storm began, s", "clients")
	l.stayers.begin(newHistogram())
	l.phase("storm", int64(l.o.Streams))
	l.start = l.w.now()
	l.g.every(l.start, int64(l.o.Interval), l.stayers.tick)
	l.g.every(l.start, watchEvery(time.Minute), func(int64) error { return l.look() })
	l.g.every(l.start, int64(overloadTend), func(int64) error {
		l.by.tend()
		return nil
	})
	leave := int64(l.o.Hold) * limitsLeave / limitsGroups
	for i, a := range l.tenants {
		l.g.at(l.start+leave*int64(i+1), func(int64) error {
			a.closeAll()
			return nil
		})
	}
	for l.clients < l.o.Streams {
		if err := errors.Join(l.come(), l.g.follow(l.run, l.w.now())); err != nil {
			return err
		}
	}
	for end := l.start + int64(l.o.Duration); l.tally.served < int64(l.o.Streams) && l.w.now() < end; {
		if l.w.faultCount > 0 {
			return errors.New("bench: the server broke its word; see the faults")
		}
		if err := l.g.follow(l.run, min(end, l.w.now()+int64(stepInterval))); err != nil {
			return err
		}
		l.step(l.tally.served)
	}
	l.stayers.over = true
	if err := l.g.follow(l.run, l.w.now()+int64(l.o.Hold+l.o.window)); err != nil {
		return err
	}
	err = l.w.until(l.ctx, "the ticker's last event comes", l.o.patience, l.stayers.whole)
	return errors.Join(err, l.look())
}

// come lets a few clients connect who have not yet; the others are served before the next.
func (l *limitsRun) come() error {
	for range min(limitsTurn, l.o.Streams-l.clients) {
		l.clients++
		now := l.w.now()
		if err := l.call(&call{by: l.by, due: now, first: now, tries: 1, kind: l.clients % callKinds, tally: l.tally}); err != nil {
			return err
		}
	}
	return nil
}

func (l *limitsRun) call(c *call) error {
	l.tally.attempts++
	return l.by.begin(c)
}

// settled takes an outcome: who is not served comes back. One whose connection was closed
// without an answer does so after the second that a client waits by itself.
func (l *limitsRun) settled(c *call) {
	l.tally.count(c.outcome, c.told())
	if c.givesUp() {
		l.tally.givenUp++
	}
	now := l.w.now()
	if c.outcome == served {
		l.last = now
		record(l.waiting, now-c.first)
		record(l.tries, int64(c.tries))
		record(l.tally.accepted, c.head-c.due)
		return
	}
	wait := c.wait
	if c.outcome == lost {
		wait = time.Second
	}
	l.g.at(now+int64(wait), func(due int64) error {
		return l.call(&call{by: l.by, due: due, first: c.first, tries: c.tries + 1, kind: c.kind, tally: l.tally})
	})
}

func (l *limitsRun) look() error {
	x := float64(l.w.now()-l.start) / 1e9
	l.report.sample("clients: served", x, float64(l.tally.served))
	l.report.sample("clients: refusals", x, float64(l.tally.refused))
	return l.watch.look()
}

// tell reports and checks.
func (l *limitsRun) tell() error {
	r, t := &l.run.report, l.tally
	r.check("clients served", int64(l.o.Streams), t.served)
	r.check("connections closed without an answer", 0, t.lost)
	r.check("streams that the server closed", 0, t.cut+int64(l.stayers.gone))
	r.check("events delivered to those who were there before", l.stayers.want, l.stayers.a.delivered)
	r.check("gaps told to them", 0, int64(l.stayers.a.gaps))
	r.figure("time until the last client was served", float64(l.last-l.start)/1e9, "s")
	r.figure("attempts", float64(t.attempts), "")
	r.figure("attempts a client, median", float64(l.tries.ValueAtQuantile(50)), "")
	r.figure("attempts a client, greatest", float64(l.tries.Max()), "")
	for _, told := range t.answers() {
		r.figure("refused with "+told, float64(t.told[told]), "")
	}
	r.figure("answers after which an EventSource never comes back", float64(t.givenUp), "")
	r.figure("ticks that the server refused", float64(l.stayers.refused), "")
	r.latency("waiting, first connect until served", l.waiting)
	r.latency("connect to head, of the attempt that was served", t.accepted)
	r.latency("event of those who were there before, due to delivery", l.stayers.a.lag)
	r.latency("the client's own lateness", l.g.late)
	median, longest := l.waiting.ValueAtQuantile(50), l.waiting.Max()
	r.goalTime("longest waiting, against the median", longest, limitsStarved*median, l.waiting.TotalCount())
	r.goalTime("longest delay of an event of those who were there before", l.stayers.a.lag.Max(), int64(limitsDelay), l.stayers.a.lag.TotalCount())
	samples, err := l.t.metrics(l.ctx)
	if err != nil {
		return err
	}
	for _, line := range nonZero(samples, "throng_shed_total") {
		r.note("%s", line)
	}
	r.noFaults(l.w)
	return nil
}
