package bench

import (
	"fmt"
	"time"
)

// slow asks what a mix of slow clients does to the others: phases with them and without,
// in turn, each an open loop. Of Options.Stalled slow clients a third never reads, a third
// reads a few bytes at a time, and a third sends the head of its request byte by byte.
//
// The others must get everything. A slow one gets everything late, is told a gap, or is
// closed: each is counted, and nothing else may happen. Memory must be as flat as
// flatShare and flatRSS say while they are there. The log of a server of ours is filled
// before, and the first phase is one without, so that what grows is held for slow clients.
//
// What stall adds is one kind alone: the kernel's memory, the send queue, and the time
// until a server gives up a reader that never reads.
var slow = Scenario{
	Name:  "slow",
	About: "latency of the others and memory, with and without a mix of slow clients",
	Defaults: Options{
		Streams: 500, Stalled: 60, Events: 1000, PayloadBytes: 1024, Pairs: 3, Interval: 20 * time.Millisecond,
	},
	body: runSlow,
}

const (
	slowNS    = "default"
	slowTopic = "slow/all"
	// slowRetained is the log of a server of ours, in events: more than a phase has.
	slowRetained = 4096
)

// slowPhase is one phase, with slow clients or without.
type slowPhase struct {
	*run
	t        target
	p        *publisher
	token    uint64
	audience *audience
	slow     *sluggards // nil: without
}

func runSlow(r *run) error {
	retained := max(slowRetained, 2*r.o.Events)
	r.serverOption("--retain-events", fmt.Sprint(retained))
	t, err := r.server()
	if err != nil {
		return err
	}
	p, err := newPublisher(r.w, t)
	if err != nil {
		return err
	}
	for i := 0; i < retained && isOurs(r.o.Server); i++ {
		if err := p.publish(r.ctx, event{slowNS, "slow/fill", payload{seq: uint64(i + 1)}, r.o.PayloadBytes}); err != nil {
			return err
		}
	}
	var p99 [2][]float64
	total := newTally()
	r.phase("slow", int64(2*r.o.Pairs))
	for pair := range r.o.Pairs {
		for turn := range 2 {
			side := (turn + pair + 1) % 2 // B A A B …: a server that is new sees the load without first
			s := &slowPhase{run: r, t: t, p: p, token: uint64(2*pair + turn + 1), audience: r.audience(t)}
			if err := s.measure(side == 0, total); err != nil {
				return err
			}
			p99[side] = append(p99[side], float64(s.audience.lag.ValueAtQuantile(99))/1e3)
			if pair == r.o.Pairs-1 {
				r.report.latency("others, due to delivery, "+[]string{"with slow clients", "without"}[side], s.audience.lag)
			}
			r.step(int64(2*pair + turn + 1))
		}
	}
	r.report.compare("p99 of the others, due to delivery", "with slow clients", "without", "us", p99[0], p99[1])
	total.tell(&r.report)
	r.report.noFaults(r.w)
	return nil
}

// measure runs one phase.
func (s *slowPhase) measure(with bool, total *tally) error {
	a := s.audience
	err := a.openAll(s.ctx, s.o.Streams, func(int) subscription { return s.subscription() })
	if err != nil {
		return err
	}
	g := newAgenda()
	if with {
		if s.slow, err = newSluggards(s.run, s.t, g, s.o.Stalled, s.subscription()); err != nil {
			return err
		}
	}
	if err := s.quiet(s.t); err != nil {
		return err
	}
	a.lag = newHistogram()
	if err := s.broadcast(g, with); err != nil {
		return err
	}
	name := "events delivered to the others, without slow clients"
	if with {
		name = "events delivered to the others, with slow clients"
	}
	s.report.check(name, int64(s.o.Streams)*int64(s.o.Events), a.delivered)
	if with {
		if err := s.slow.finish(uint64(s.o.Events)); err != nil {
			return err
		}
		total.add(s.slow, uint64(s.o.Events))
		s.slow.in.audience.closeAll()
	}
	a.closeAll()
	return s.quiet(s.t)
}

func (s *slowPhase) subscription() subscription {
	return subscription{ns: slowNS, topic: slowTopic, token: s.token}
}

// broadcast publishes in an open loop and watches the server.
func (s *slowPhase) broadcast(g *agenda, with bool) error {
	w, err := s.newWatch(s.t)
	if err != nil {
		return err
	}
	length := time.Duration(s.o.Events) * s.o.Interval
	start := s.w.now()
	for i := range s.o.Events {
		g.at(start+int64(i)*int64(s.o.Interval), func(due int64) error {
			return s.p.publish(s.ctx, event{slowNS, slowTopic, payload{s.token, uint64(i + 1), due}, s.o.PayloadBytes})
		})
	}
	g.every(start, watchEvery(length), func(int64) error { return w.look() })
	if err := g.follow(s.run, start+int64(length)); err != nil {
		return err
	}
	if err := s.delivered(s.audience, int64(s.o.Streams)*int64(s.o.Events)); err != nil {
		return err
	}
	if with {
		w.checkFlat(", with slow clients", false)
	}
	return s.surplus()
}
