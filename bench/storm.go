package bench

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// storm asks whether every event comes once when all streams lose their connection at
// the same moment and resume from their last ID while events go on.
var storm = Scenario{
	Name:     "storm",
	About:    "all streams lose their connection at once and resume while events go on",
	Defaults: Options{Streams: 5000, Events: 300, PayloadBytes: 100, Pairs: 3, Interval: stormInterval},
	body:     runStorm,
}

const (
	// stormTopics: the streams share this many topics.
	stormTopics = 16
	// stormInterval lets the events of one storm span the whole reconnect.
	stormInterval = 10 * time.Millisecond
	// stormTurn bounds a wait when no event is due.
	stormTurn = time.Millisecond
)

// stormRun is the state of one storm.
type stormRun struct {
	*run
	p         *publisher
	audience  *audience
	published [stormTopics]uint64
	next      int64 // due time of the next event
	left      int
	rng       *rand.Rand
}

func runStorm(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	s := &stormRun{run: r, audience: r.audience(t), rng: rand.New(rand.NewPCG(r.o.Seed, 0))}
	if s.p, err = newPublisher(r.w, t); err != nil {
		return err
	}
	attach := newHistogram()
	s.audience.firstByte = attach
	if err := s.audience.openAll(r.ctx, r.o.Streams, func(i int) subscription { return s.subscription(i, 0, "") }); err != nil {
		return err
	}
	attach.Reset() // what follows are the resumes
	s.audience.lag = newHistogram()
	for i := range r.o.Pairs {
		r.logf("storm: %d of %d", i+1, r.o.Pairs)
		if err := s.round(); err != nil {
			return err
		}
	}
	if err := r.surplus(); err != nil {
		return err
	}
	var want, wrong int64
	for i, st := range s.audience.streams {
		want += int64(s.published[i%stormTopics])
		if st.seq != s.published[i%stormTopics] {
			wrong++
		}
	}
	r.report.check("events delivered, each once to each stream", want, s.audience.delivered)
	r.report.check("streams that are not at the last event", 0, wrong)
	r.report.check("gaps", 0, int64(s.audience.gaps))
	r.report.latency("reconnect to first byte", attach)
	r.report.latency("publish to delivery, resumed ones included", s.audience.lag)
	r.report.noFaults(r.w)
	return nil
}

func (s *stormRun) subscription(i int, seq uint64, lastID string) subscription {
	topic := i % stormTopics
	return subscription{ns: "default", topic: fmt.Sprintf("storm/%d", topic), token: uint64(topic), seq: seq, lastID: lastID}
}

// round publishes a third of the events, breaks all connections, and publishes the rest
// while the streams come back.
func (s *stormRun) round() error {
	s.left, s.next = s.o.Events, s.w.now()
	for s.left > s.o.Events*2/3 {
		if err := s.pace(true); err != nil {
			return err
		}
	}
	a := s.audience
	old := a.streams
	a.streams, a.attached = nil, 0
	for _, st := range old {
		st.conn.reset()
	}
	for i, st := range old {
		if _, err := a.open(s.subscription(i, st.seq, st.lastID.String())); err != nil {
			return err
		}
		for i-a.attached >= connectsMax {
			if err := s.pace(true); err != nil {
				return err
			}
		}
		if err := s.pace(false); err != nil {
			return err
		}
	}
	for s.left > 0 {
		if err := s.pace(true); err != nil {
			return err
		}
	}
	return s.w.until(s.ctx, "all streams resume and catch up", deliveryLimit, s.caughtUp)
}

// pace publishes the next event if it is due; otherwise, with wait set, it serves the
// swarm until then, or for one turn when none is left.
func (s *stormRun) pace(wait bool) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.w.faultCount > 0 {
		return fmt.Errorf("bench: %s broke the order or the count", s.audience.target.name)
	}
	if now := s.w.now(); s.left == 0 || now < s.next {
		if !wait {
			return nil
		}
		return s.w.turn(max(s.next, now+int64(stormTurn)))
	}
	topic := s.rng.IntN(stormTopics)
	s.published[topic]++
	e := event{"default", fmt.Sprintf("storm/%d", topic), payload{uint64(topic), s.published[topic], s.next}, s.o.PayloadBytes}
	s.left--
	s.next += int64(s.o.Interval)
	return s.p.publish(s.ctx, e)
}

func (s *stormRun) caughtUp() bool {
	a := s.audience
	if a.attached < len(a.streams) {
		return s.w.faultCount > 0
	}
	for i, st := range a.streams {
		if st.seq != s.published[i%stormTopics] {
			return s.w.faultCount > 0
		}
	}
	return true
}
