package bench

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// storm asks whether every event comes once when all streams lose their connection at
// the same moment and resume from their last ID while events go on, how long each stream
// is away, and what it costs.
var storm = Scenario{
	Name:     "storm",
	About:    "all streams lose their connection at once and resume while events go on",
	Defaults: Options{Streams: 15000, Topics: 16, Events: 300, PayloadBytes: 100, Pairs: 3, Interval: stormInterval},
	spreads:  true,
	body:     runStorm,
}

const (
	// stormInterval lets the events of one storm span the whole reconnect.
	stormInterval = 10 * time.Millisecond
	// stormPublishers is how many connections publish: one that waits for an answer does
	// not hold up the others.
	stormPublishers = 4
)

// stormRun is the state of one storm.
type stormRun struct {
	*run
	pool      *publisherPool
	audience  *audience
	published map[uint64]uint64 // by token
	want      int64             // deliveries
	next      int64             // due time of the next event
	left      int
	rng       *rand.Rand
	cost      []float64 // us of the server a client, by round
}

func runStorm(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	a := r.spread(t, roster{NS: "default", Topic: "storm/%d", Shared: uint64(r.o.Topics)})
	s := &stormRun{run: r, audience: a, published: make(map[uint64]uint64), rng: rand.New(rand.NewPCG(r.o.Seed, 0))}
	if err := r.growTo(a, r.o.Streams); err != nil {
		return err
	}
	if err := a.collect(r.ctx); err != nil { // what follows are the resumes
		return err
	}
	a.lag, a.live, a.firstByte = newHistogram(), newHistogram(), newHistogram()
	if s.pool, err = newPool(r.w, t, stormPublishers); err != nil {
		return err
	}
	if err := s.warmUp(); err != nil {
		return err
	}
	for i := range r.o.Pairs {
		r.phase(fmt.Sprintf("storm %d of %d", i+1, r.o.Pairs), int64(r.o.Events))
		if err := s.round(); err != nil {
			return err
		}
	}
	return s.takeStock()
}

// warmUp publishes an event to each topic: where IDs come with events only, a stream
// without any could not resume.
func (s *stormRun) warmUp() error {
	for token := range uint64(s.o.Topics) {
		if err := s.publish(token, s.w.now()); err != nil {
			return err
		}
	}
	if err := s.pool.drain(s.ctx); err != nil {
		return err
	}
	return s.delivered(s.audience, s.want)
}

// takeStock reports and checks.
func (s *stormRun) takeStock() error {
	if err := s.surplus(); err != nil {
		return err
	}
	a, r := s.audience, &s.run.report
	if err := a.collect(s.ctx); err != nil {
		return err
	}
	behind, err := a.behind(s.ctx, s.published)
	if err != nil {
		return err
	}
	r.check("events delivered, each once to each stream", s.want, a.delivered)
	r.check("streams that are not at the last event", 0, behind)
	r.check("gaps", 0, int64(a.gaps))
	r.figure("server CPU a client, from the break until all are live, events included, median", median(s.cost), "us")
	r.latency("break of all connections to live again", a.live)
	r.latency("reconnect to first byte", a.firstByte)
	r.latency("publish to delivery, resumed ones included", a.lag)
	s.pool.report(r, "")
	r.noFaults(s.w)
	return nil
}

// round publishes a third of the events, breaks all connections, and publishes the rest
// while the streams come back.
func (s *stormRun) round() error {
	s.left, s.next = s.o.Events, s.w.now()
	before := s.o.Events * 2 / 3
	for s.left > before {
		if err := s.pace(s.w.now() + int64(turnMax)); err != nil {
			return err
		}
	}
	start, err := s.use(s.audience.target)
	if err != nil {
		return err
	}
	if err := s.audience.resume(s.ctx, s.pace); err != nil {
		return err
	}
	spent, err := s.since(s.audience.target, start)
	if err != nil {
		return err
	}
	s.cost = append(s.cost, float64(spent.process)/1e3/float64(s.o.Streams))
	for s.left > 0 {
		if err := s.pace(s.w.now() + int64(turnMax)); err != nil {
			return err
		}
	}
	if err := s.pool.drain(s.ctx); err != nil {
		return err
	}
	return s.delivered(s.audience, s.want)
}

// pace serves the swarm until the next event is due, or until the deadline, and publishes
// the event.
func (s *stormRun) pace(deadline int64) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.w.faultCount > 0 {
		return fmt.Errorf("bench: %s broke the order or the count", s.audience.target.name)
	}
	if s.left > 0 {
		deadline = min(deadline, s.next)
	}
	if err := s.pool.turn(deadline); err != nil {
		return err
	}
	if s.left == 0 || s.w.now() < s.next {
		return nil
	}
	s.left--
	due := s.next
	s.next += int64(s.o.Interval)
	s.step(int64(s.o.Events - s.left))
	return s.publish(uint64(s.rng.IntN(s.o.Topics)), due)
}

// publish publishes the next event of a topic.
func (s *stormRun) publish(token uint64, due int64) error {
	taken, err := s.pool.add(s.audience.roster.event(token, s.published[token]+1, due, s.o.PayloadBytes))
	if taken {
		s.published[token]++
		s.want += int64(s.readers(int(token)))
	}
	return err
}

// readers is how many streams have a topic.
func (s *stormRun) readers(topic int) int {
	return (s.o.Streams - topic + s.o.Topics - 1) / s.o.Topics
}
