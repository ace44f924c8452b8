package bench

import (
	"errors"
	"time"
)

// first measures what an idle server costs, and what events cost at the projected rate.
func (s *soakRun) first() error {
	length := int64(min(s.o.Duration/soakFirstShare, soakFirstMax))
	idle, err := s.cost(length, newAgenda())
	if err != nil {
		return err
	}
	s.idle = idle.process / nanoseconds(idle.at) * 1e9
	g := newAgenda()
	interval := int64(s.o.Streams) * int64(projectedInterval) / projectedStreams
	s.publishes(g, s.w.now(), max(interval, 1))
	before := s.received()
	busy, err := s.cost(length, g)
	if err != nil {
		return err
	}
	s.event = (busy.process - s.idle*nanoseconds(busy.at)/1e9) / nanoseconds(max(s.received()-before, 1))
	for _, w := range s.window {
		w.Reset()
	}
	return nil
}

// cost is what the server uses while an agenda is followed.
func (s *soakRun) cost(length int64, g *agenda) (usage, error) {
	if err := s.quiet(s.t); err != nil {
		return usage{}, err
	}
	before, err := s.use(s.t)
	if err != nil {
		return usage{}, err
	}
	if err := g.follow(s.run, s.w.now()+length); err != nil {
		return usage{}, err
	}
	return s.since(s.t, before)
}

// publishes puts an event for each stream on the agenda, once an interval: one to each
// topic and to all, evenly spread, and commands.
func (s *soakRun) publishes(g *agenda, start, interval int64) {
	topics := int64(len(s.shared.topics))
	for i := range topics {
		g.every(start+i*interval/topics, interval, func(due int64) error { return s.shared.publish(int(i), due, s.o.PayloadBytes) })
	}
	g.every(start, interval/int64(len(s.seqs)), s.command)
}

// load runs the mix for the duration and waits for what is on its way.
func (s *soakRun) load() (usage, error) {
	var err error
	if s.busy, err = newLedger(s.run, s.t, "busy", 1, []string{"soak/busy"}); err != nil {
		return usage{}, err
	}
	sub := s.busy.subscription(0)
	sub.any = false
	if s.slow, err = newSluggards(s.run, s.t, s.g, s.o.Stalled, sub); err != nil {
		return usage{}, err
	}
	s.slow.comeBack = true
	if s.watch, err = s.newWatch(s.t); err != nil {
		return usage{}, err
	}
	start := s.w.now()
	s.plan(start)
	before, err := s.use(s.t)
	if err != nil {
		return usage{}, err
	}
	s.phase("soak, s", int64(s.o.Duration/time.Second))
	if err := s.g.follow(s.run, start+int64(s.o.Duration)); err != nil {
		return usage{}, err
	}
	spent, err := s.since(s.t, before)
	if err != nil {
		return usage{}, err
	}
	s.slow.paused = true
	for i := range s.away {
		if err := s.resume(i, s.w.now()); err != nil {
			return usage{}, err
		}
	}
	if err := s.visitors.leaveAll(); err != nil {
		return usage{}, err
	}
	err = s.w.until(s.ctx, "all streams are back and have everything", min(leaveLimit, s.o.patience), func() bool {
		return s.steady.settled() == s.steady.tried && s.steady.audience.delivered >= s.owed() && s.devices.audience.delivered >= s.commands
	})
	if err != nil && s.ctx.Err() == nil {
		s.report.note("%v", err)
		err = nil
	}
	return spent, errors.Join(err, s.look())
}

// plan puts the mix on the agenda.
func (s *soakRun) plan(start int64) {
	s.publishes(s.g, start, int64(s.o.Interval))
	s.g.every(start, int64(soakBusyInterval), func(due int64) error { return s.busy.publish(0, due, soakBusyBytes) })
	s.g.every(start, int64(min(soakBreak, s.o.Duration/20)), s.breakOne)
	stay := min(soakStay, s.o.Duration/4)
	s.visitors = newVisitors(s.run, s.shared, s.g, s.o.Rate, stay.Seconds())
	s.visitors.in.audience.lag = s.window[0]
	s.g.every(start, s.visitors.interval(), s.visitors.come)
	s.report.axis("delivered", "time, s", "events/s")
	s.report.axis("p99, due to delivery: events", "time, s", "ms")
	s.report.axis("p99, due to delivery: commands", "time, s", "ms")
	s.lastSampleAt = start
	s.g.every(start, watchEvery(s.o.Duration), func(int64) error {
		s.step((s.w.now() - start) / int64(time.Second))
		return s.look()
	})
}

// command sends a random device its next command.
func (s *soakRun) command(due int64) error {
	i := s.rng.IntN(len(s.seqs))
	if err := s.publishOn(s.p, soakDevice.event(uint64(i), s.seqs[i]+1, due, s.o.PayloadBytes)); err != nil {
		return err
	}
	s.seqs[i]++
	s.commands++
	return nil
}

// breakOne breaks a random stream. It comes back with its last ID after a while, as a
// client does.
func (s *soakRun) breakOne(due int64) error {
	i := s.rng.IntN(len(s.members))
	v := s.members[i]
	if s.away[i] || v.conn.fd < 0 || !v.attached || v.lastID == (eventID{}) {
		return nil
	}
	v.conn.reset()
	s.breaks++
	s.away[i] = true
	s.g.at(due+s.rng.Int64N(int64(min(soakAwayMax, s.o.Duration/10))+1), func(due int64) error { return s.resume(i, due) })
	return nil
}

// resume lets a stream come back.
func (s *soakRun) resume(i int, due int64) error {
	v := s.members[i]
	sub := s.subscription(i)
	sub.seq, sub.any, sub.lastID = v.seq, v.gapped, v.lastID.String()
	delete(s.away, i)
	var err error
	s.members[i], err = s.steady.open(sub, due)
	s.steady.audience.streams = s.steady.audience.streams[:0] // members has them
	return err
}

// owed is how many events the steady streams should have had.
func (s *soakRun) owed() int64 {
	var n int64
	for i := range s.members {
		n += int64(s.shared.topics[s.topic(i)].seq)
	}
	return n
}

// received counts all events that came, to whomever.
func (s *soakRun) received() int64 {
	n := s.steady.audience.delivered + s.devices.audience.delivered + s.shared.witnesses.delivered
	if s.visitors != nil {
		n += s.visitors.in.audience.delivered + s.busy.witnesses.delivered + s.slow.in.audience.delivered
	}
	return n
}

// look takes a sample of everything.
func (s *soakRun) look() error {
	now := s.w.now()
	x := float64(now) / 1e9
	if n := s.received(); now > s.lastSampleAt {
		s.report.sample("delivered", x, float64(n-s.lastCount)*1e9/float64(now-s.lastSampleAt))
		s.lastCount, s.lastSampleAt = n, now
	}
	for i, line := range []string{"events", "commands"} {
		if w := s.window[i]; w.TotalCount() > 0 {
			s.report.sample("p99, due to delivery: "+line, x, float64(w.ValueAtQuantile(99))/1e6)
			s.lag[i].Merge(w)
			w.Reset()
		}
	}
	return s.watch.look()
}

// alive counts the streams that the server has not closed.
func (s *soakRun) alive() int {
	n := 0
	for _, v := range s.members {
		if v.conn.fd >= 0 {
			n++
		}
	}
	for _, d := range s.devices.audience.streams {
		if d.conn.fd >= 0 {
			n++
		}
	}
	return n
}
