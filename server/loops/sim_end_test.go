package loops

// calmDown lets everybody read and nobody publish: then all that is connected must have
// all that it wants.
func (s *sim) calmDown() {
	s.held = false
	for _, c := range s.colds {
		c.away = false
	}
	for _, sub := range s.subs {
		if sub.peer != nil {
			sub.peer.SetWindow(1 << 20)
			sub.peer.Resume()
		}
	}
	s.rest()
	s.check()
	s.rest()
	s.check()
	for i, sub := range s.subs {
		s.tally.received += sub.received
		s.tally.gaps += sub.gaps
		s.tally.notices += sub.notices
		switch e := sub.missing(); {
		case sub.peer == nil || sub.finished:
		case !sub.attached:
			s.tb.Errorf("seed %d: client %d has no position", s.k.Seed(), i)
		case e != nil:
			s.tb.Errorf("seed %d: client %d is at rest after %v, and %v was never sent", s.k.Seed(), i, sub.last, e.ID)
		case sub.noticed < sub.of.notices && sub.noticesAt < sub.of.notices && s.policy == LagCatchUp:
			s.tb.Errorf("seed %d: client %d is at rest after notice %d, and there were %d", s.k.Seed(), i, sub.noticed, sub.of.notices)
		case len(sub.raw) > 1:
			s.tb.Errorf("seed %d: client %d is at rest with %q", s.k.Seed(), i, sub.raw)
		}
	}
	for name, ns := range s.spaces {
		if n := ns.Unread(); n != 0 {
			s.tb.Errorf("seed %d: %d entries of %s unread at rest", s.k.Seed(), n, name)
		}
	}
	s.answers()
}

// rest gives the loops as much time as they can want for what there is, and then a
// little more, until no heartbeat is half sent.
func (s *sim) rest() {
	for range 400 {
		s.flush()
		s.turn(6)
	}
	for range turnsMax {
		more := s.rig.turn(1)
		if s.flush() && !more && s.laggards() == 0 {
			return
		}
	}
	s.tb.Errorf("seed %d: %d laggards, %d entries wait for the ring", s.k.Seed(), s.laggards(), len(s.backlog))
}

func (s *sim) laggards() (n int) {
	for _, l := range s.g.Loops() {
		f := l.Figures()
		n += f.Lagging + f.Waiting + l.table.pinned()
	}
	return n
}

// answers checks that a client that was refused and kept silent has its answer, whole. Only
// where there was no row for it is the answer sent as far as the socket takes it at once.
func (s *sim) answers() {
	turnedAway := uint64(0)
	for _, l := range s.g.Loops() {
		turnedAway += l.Figures().Closed[ReasonTable]
	}
	for _, r := range s.refused {
		got := string(r.peer.Received())
		switch {
		case got != r.answer[:min(len(got), len(r.answer))]:
			s.tb.Errorf("seed %d: refused with %q, got %q", s.k.Seed(), r.answer, got)
		case !r.polite:
		case len(got) > 0 && got != r.answer && turnedAway == 0:
			s.tb.Errorf("seed %d: refused with %d bytes, got %d", s.k.Seed(), len(r.answer), len(got))
		case got == r.answer:
			s.tally.answers++
		}
		r.peer.Close()
	}
}

// leave ends everything: half of the clients go by themselves, the others are told to.
func (s *sim) leave() {
	for i, sub := range s.subs {
		if sub.peer != nil && i%2 == 0 {
			sub.peer.Close()
			sub.peer = nil
		}
	}
	s.rest()
	s.stop()
	s.reported(s.tb)
	for _, sub := range s.subs {
		if sub.peer != nil {
			s.look(sub)
		}
	}
}
