package bench

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// resume asks what it takes when all clients come back at once and each has missed many
// events. In each round the same events are delivered twice to as many streams: first as
// they are published in batches, to streams that are there, then out of the store, to
// streams that connect with the ID from before the first of them, all at once. Each stream
// must get its Options.Events events, each once and in order, and then one more that is
// published live.
//
// All streams read one topic, or each its own: then the events of all are interleaved in
// one log, and a server that reads the log for each stream reads it as many times.
//
// A server of ours is started with room in its log for what a round publishes.
var resume = Scenario{
	Name:     "resume",
	About:    "all clients come back at once and get what they missed: how fast, against live; how often the store is read",
	Defaults: Options{Streams: 15000, Topics: 1, Events: 100, Lines: 1000, PayloadBytes: 150, Pairs: 3, Store: storeMemory},
	spreads:  true,
	body:     runResume,
}

// resumeNS is the namespace of all topics: one log.
const resumeNS = "default"

// resumeRun is the state of the scenario.
type resumeRun struct {
	*run
	t     target
	store *storeProcess // nil: the server has its events in its own process
	seq   uint64        // of the last event of every topic

	live, again          resumeSide
	connects             []float64 // ns of the server a connect, by round
	published            []float64 // s from the first batch to the last answer, live, by round
	attached             []float64 // s from the first connect until all are attached, by round
	memoryAt, memoryPeak []float64 // VmRSS when they come back and its greatest, bytes, by round
	storeCost            []float64 // ns of the store's own process an event, by round
	reads                []resumeReads

	lag       *hdrhistogram.Histogram // publish to delivery, live
	closing   *hdrhistogram.Histogram // the same of the event after the resume
	firstByte *hdrhistogram.Histogram
	complete  *hdrhistogram.Histogram // connect to the last missed event; nil: workers hold the streams
}

// resumeSide is live delivery or the resume, by round.
type resumeSide struct {
	took  []float64 // s until the last event is delivered
	cost  []float64 // ns of the server an event, connects taken off
	whole []float64 // the same with connects
}

func runResume(r *run) error {
	if r.o.Topics == topicsOwn || r.o.Topics > r.o.Streams {
		r.o.Topics = r.o.Streams
		r.report.Options.Topics = r.o.Topics
	}
	r.keepRound()
	r.serverOption("--publish-timeout", publishLimit.String())
	r.serverOption("--breakers", "off") // what is asked is how fast it can be; they spread a crowd over time
	store, err := r.startStore()
	if err != nil {
		return err
	}
	t, err := r.server()
	if err != nil {
		return err
	}
	b := &resumeRun{
		run: r, t: t, store: store,
		lag: newHistogram(), closing: newHistogram(), firstByte: newHistogram(),
	}
	if r.team == nil {
		b.complete = newHistogram()
	}
	for i := range r.o.Pairs {
		if err := b.round(i); err != nil {
			return err
		}
	}
	b.tell()
	return nil
}

// keepRound makes room in the log of a server of ours for the events of one round, those
// that close it, and the one before them.
func (r *run) keepRound() {
	keep := r.o.Topics * (r.o.Events + 2)
	if keep > retainedEvents {
		r.serverOption("--retain-events", fmt.Sprint(keep))
	}
	if bytes := keep * (r.o.PayloadBytes + retainedEventBytes); bytes > retainedBytes {
		r.serverOption("--retain-bytes", fmt.Sprint(bytes))
		r.serverOption("--retain-total-bytes", fmt.Sprint(2*bytes))
	}
}

// events is how many deliveries the events of a round make.
func (b *resumeRun) events() int64 { return int64(b.o.Streams) * int64(b.o.Events) }

// streams are those that have everything up to an event and come with the ID of it.
func (b *resumeRun) streams(seq uint64, lastID string) roster {
	return roster{NS: resumeNS, Topic: resumeTopic, Shared: uint64(b.o.Topics), Seq: seq, LastID: lastID}
}

// round delivers the events of a round live, then again.
func (b *resumeRun) round(i int) error {
	b.phase(fmt.Sprintf("round %d of %d, live", i+1, b.o.Pairs), b.events())
	mark, err := b.mark()
	if err != nil {
		return err
	}
	before := b.seq
	if err := b.deliverLive(); err != nil {
		return err
	}
	b.phase(fmt.Sprintf("round %d of %d, resume", i+1, b.o.Pairs), b.events())
	return b.comeBack(mark, before)
}

// mark is the ID of the place before what is published next.
func (b *resumeRun) mark() (string, error) {
	a := b.audience(b.t)
	err := a.openAll(b.ctx, 1, func(int) subscription { return subscription{ns: resumeNS, topic: "resume", token: replayMark} })
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

// deliverLive publishes the events of a round to streams that are there.
func (b *resumeRun) deliverLive() error {
	a := b.spread(b.t, b.streams(b.seq, ""))
	a.lag = b.lag
	if err := b.attachAll(a); err != nil {
		return err
	}
	f, err := newFeed(b.w, b.t, b.o)
	if err != nil {
		return err
	}
	before, err := b.use(b.t)
	if err != nil {
		return err
	}
	if err := f.publish(b.run, &b.seq, b.o.Events, a); err != nil {
		return err
	}
	b.published = append(b.published, float64(b.w.now()-before.at)/1e9)
	if err := b.deliveredAll(a, b.events()); err != nil {
		return err
	}
	spent, err := b.since(b.t, before)
	if err != nil {
		return err
	}
	if err := b.surplus(); err != nil {
		return err
	}
	b.report.check("events delivered live", b.events(), a.delivered)
	b.live.add(spent, float64(b.events()), 0)
	f.conn.close()
	if err := a.collect(b.ctx); err != nil {
		return err
	}
	a.closeAll()
	return nil
}

// attachAll opens the streams of an audience, and notes what a connect costs.
func (b *resumeRun) attachAll(a *audience) error {
	if err := b.quiet(b.t); err != nil {
		return err
	}
	before, err := b.use(b.t)
	if err != nil {
		return err
	}
	if err := b.growTo(a, b.o.Streams); err != nil {
		return err
	}
	spent, err := b.since(b.t, before)
	if err != nil {
		return err
	}
	b.connects = append(b.connects, float64(spent.process)/float64(b.o.Streams))
	return b.quiet(b.t)
}

// comeBack connects all streams that have missed the events of a round.
func (b *resumeRun) comeBack(mark string, before uint64) error {
	a := b.spread(b.t, b.streams(before, mark))
	a.firstByte = b.firstByte
	if b.complete != nil {
		a.onEvent = func(s *stream, p payload) {
			if p.seq == b.seq {
				record(b.complete, s.now-s.dialed)
			}
		}
	}
	if err := b.quiet(b.t); err != nil {
		return err
	}
	look, err := b.look()
	if err != nil {
		return err
	}
	if err := b.growTo(a, b.o.Streams); err != nil {
		return err
	}
	b.attached = append(b.attached, float64(b.w.now()-look.usage.at)/1e9)
	if err := b.deliveredAll(a, b.events()); err != nil {
		return err
	}
	spent, err := b.since(b.t, look.usage)
	if err != nil {
		return err
	}
	if err := b.lookAgain(look); err != nil {
		return err
	}
	if err := b.surplus(); err != nil {
		return err
	}
	b.report.check("events delivered again, each once", b.events(), a.delivered)
	connects := b.connects[len(b.connects)-1] * float64(b.o.Streams)
	b.again.add(spent, float64(b.events()), connects)
	return b.close(a)
}

// close publishes one more event of each topic to an audience that has come back: it must
// reach all of them, which are live then.
func (b *resumeRun) close(a *audience) error {
	if err := a.collect(b.ctx); err != nil { // what follows is not the resume's
		return err
	}
	a.onEvent, a.firstByte, a.lag = nil, nil, b.closing
	f, err := newFeed(b.w, b.t, b.o)
	if err != nil {
		return err
	}
	if err := f.publish(b.run, &b.seq, 1, nil); err != nil {
		return err
	}
	want := b.events() + int64(b.o.Streams)
	if err := b.delivered(a, want); err != nil {
		return err
	}
	if err := b.surplus(); err != nil {
		return err
	}
	b.report.check("events delivered again and then one live", want, a.delivered)
	f.conn.close()
	if err := a.collect(b.ctx); err != nil {
		return err
	}
	a.closeAll()
	return nil
}

// deliveredAll waits until an audience has got so many events, and tells of the progress.
func (b *resumeRun) deliveredAll(a *audience, want int64) error {
	const steps = 100
	for i := range int64(steps) {
		if err := b.delivered(a, want*(i+1)/steps); err != nil {
			return err
		}
		b.step(a.delivered)
	}
	return nil
}

func (s *resumeSide) add(spent usage, events, connects float64) {
	s.took = append(s.took, float64(spent.at)/1e9)
	s.cost = append(s.cost, max(float64(spent.process)-connects, 0)/events)
	s.whole = append(s.whole, float64(spent.process)/events)
}
