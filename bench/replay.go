package bench

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// replay asks what it costs to give back what clients have missed. In each round the
// same events are delivered twice to as many streams: first as they are published, to
// streams that are there, then out of the log, to streams that connect with the ID from
// before the first of them. Each stream reads one of Options.Topics and must get its
// Options.Depth events, each once and in order, and then those that are published live.
//
// The ratio compares processor time of the server an event. The replay's part of
// connecting is taken off: as many times what a connect cost when the live streams came.
//
// A server of ours is started with a log large enough, if its defaults are not.
var replay = Scenario{
	Name:     "replay",
	About:    "clients that have missed events get them back: each once, how fast, at what cost",
	Defaults: Options{Streams: 1000, Topics: 16, Depth: 1000, PayloadBytes: 100, Pairs: 3},
	body:     runReplay,
}

const (
	replayNS = "default"
	// replayMark is the token of the topic on which the place before the events is found.
	replayMark = 1 << 32
	// replayWindow is how many events of a topic may be on their way in the live part.
	// net/http's peer has room for 64.
	replayWindow = 32
	// replayLive is how many events a topic gets when all are caught up.
	replayLive = 3

	// What throng keeps by default, and more than what an event costs its log beside
	// the data, bytes.
	retainedEvents      = 65536
	retainedBytes       = 32 << 20
	retainedEventBytes  = 512
	retainedShareToKeep = 2 // half of it: the log of the last round is there too
)

// replayRun is the state of the scenario.
type replayRun struct {
	*run
	t      target
	roster roster
	p      *publisher
	seqs   []uint64 // published, by topic

	live, again, connects []float64 // ns an event, ns an event, ns a connect; by round
	complete              *hdrhistogram.Histogram
	lag                   *hdrhistogram.Histogram
	done                  []float64 // s until all are complete, by round
}

func runReplay(r *run) error {
	r.keepInLog(r.o.Topics*r.o.Depth, r.o.PayloadBytes)
	t, err := r.server()
	if err != nil {
		return err
	}
	b := &replayRun{
		run: r, t: t, roster: roster{NS: replayNS, Topic: "replay/%d", Shared: uint64(r.o.Topics)},
		seqs: make([]uint64, r.o.Topics), complete: newHistogram(), lag: newHistogram(),
	}
	if b.p, err = newPublisher(r.w, t); err != nil {
		return err
	}
	r.phase("replay", int64(2*r.o.Pairs))
	for i := range r.o.Pairs {
		if err := b.round(i); err != nil {
			return err
		}
	}
	events := float64(r.o.Streams) * float64(r.o.Depth)
	r.report.compare("server CPU an event, connects taken off", "replay", "live", "ns", b.again, b.live)
	r.report.figure("server CPU a connect", median(b.connects)/1e3, "us")
	r.report.figure("all complete after, median", median(b.done), "s")
	r.report.figure("replayed a second, median", events/median(b.done), "1/s")
	r.report.latency("connect to complete", b.complete)
	r.report.latency("live after the replay, publish to delivery", b.lag)
	r.report.noFaults(r.w)
	return nil
}

// keepInLog makes room in the log of a server of ours for so many events.
func (r *run) keepInLog(events, size int) {
	keep := retainedShareToKeep * events
	if keep > retainedEvents {
		r.serverOption("--retain-events", fmt.Sprint(keep))
	}
	if bytes := keep * (size + retainedEventBytes); bytes > retainedBytes {
		r.serverOption("--retain-bytes", fmt.Sprint(bytes))
		r.serverOption("--retain-total-bytes", fmt.Sprint(2*bytes))
	}
}

// round delivers the events of a round live, then again.
func (b *replayRun) round(i int) error {
	mark, err := b.mark()
	if err != nil {
		return err
	}
	before := append([]uint64(nil), b.seqs...)
	if err := b.publishLive(); err != nil {
		return err
	}
	b.step(int64(2*i + 1))
	if err := b.resume(mark, before); err != nil {
		return err
	}
	b.step(int64(2*i + 2))
	b.w.closeAll()
	b.p, err = newPublisher(b.w, b.t)
	return err
}

// mark is the ID of the place before what is published next.
func (b *replayRun) mark() (string, error) {
	a := b.audience(b.t)
	err := a.openAll(b.ctx, 1, func(int) subscription {
		return subscription{ns: replayNS, topic: "replay/mark", token: replayMark}
	})
	if err != nil {
		return "", err
	}
	id := a.streams[0].lastID
	a.closeAll()
	if id == (eventID{}) {
		return "", fmt.Errorf("bench: %s does not say where a stream attaches: there is no ID to resume from", b.t.name)
	}
	return id.String(), nil
}

func (b *replayRun) subscription(i int, seqs []uint64, lastID string) subscription {
	sub := b.roster.subscription(i)
	sub.seq, sub.lastID = seqs[sub.token], lastID
	return sub
}

// publish gives each topic its next event.
func (b *replayRun) publish() error {
	for topic := range b.seqs {
		b.seqs[topic]++
		e := b.roster.event(uint64(topic), b.seqs[topic], b.w.now(), b.o.PayloadBytes)
		if err := b.publishOn(b.p, e); err != nil {
			return err
		}
	}
	return nil
}

// publishLive publishes the events of a round to streams that are there.
func (b *replayRun) publishLive() error {
	a := b.audience(b.t)
	if err := b.quiet(b.t); err != nil {
		return err
	}
	start, err := b.use(b.t)
	if err != nil {
		return err
	}
	if err := a.openAll(b.ctx, b.o.Streams, func(i int) subscription { return b.subscription(i, b.seqs, "") }); err != nil {
		return err
	}
	spent, err := b.since(b.t, start)
	if err != nil {
		return err
	}
	b.connects = append(b.connects, float64(spent.process)/float64(b.o.Streams))
	if err := b.quiet(b.t); err != nil {
		return err
	}
	if start, err = b.use(b.t); err != nil {
		return err
	}
	for i := range b.o.Depth {
		if err := b.publish(); err != nil {
			return err
		}
		if err := b.delivered(a, int64(b.o.Streams)*int64(i+1-replayWindow)); err != nil {
			return err
		}
	}
	want := int64(b.o.Streams) * int64(b.o.Depth)
	if err := b.delivered(a, want); err != nil {
		return err
	}
	if spent, err = b.since(b.t, start); err != nil {
		return err
	}
	if err := b.surplus(); err != nil {
		return err
	}
	b.report.check("events delivered live", want, a.delivered)
	b.live = append(b.live, float64(spent.process)/float64(want))
	a.closeAll()
	return nil
}

// resume connects streams that have missed the events of a round.
func (b *replayRun) resume(mark string, before []uint64) error {
	a := b.audience(b.t)
	a.onEvent = func(s *stream, p payload) {
		if p.seq == b.seqs[p.token] {
			record(b.complete, s.now-s.dialed)
		}
	}
	if err := b.quiet(b.t); err != nil {
		return err
	}
	start, err := b.use(b.t)
	if err != nil {
		return err
	}
	if err := a.openAll(b.ctx, b.o.Streams, func(i int) subscription { return b.subscription(i, before, mark) }); err != nil {
		return err
	}
	want := int64(b.o.Streams) * int64(b.o.Depth)
	if err := b.delivered(a, want); err != nil {
		return err
	}
	spent, err := b.since(b.t, start)
	if err != nil {
		return err
	}
	if err := b.surplus(); err != nil {
		return err
	}
	b.report.check("events delivered again, each once", want, a.delivered)
	connects := b.connects[len(b.connects)-1] * float64(b.o.Streams)
	b.again = append(b.again, max(float64(spent.process)-connects, 0)/float64(want))
	b.done = append(b.done, float64(spent.at)/1e9)
	a.onEvent, a.lag = nil, b.lag
	for range replayLive {
		if err := b.publish(); err != nil {
			return err
		}
	}
	want += int64(b.o.Streams) * replayLive
	if err := b.delivered(a, want); err != nil {
		return err
	}
	b.report.check("events delivered again and then live", want, a.delivered)
	return nil
}
