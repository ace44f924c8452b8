package loops

import (
	"net/netip"
	"testing"

	"throng/internal/simio"
	"throng/poller"
)

// failures is what the loops report in a simulation, held against what was done to the
// clients.
type failures struct {
	clients uint32                // who have connected: each has an address of its own
	stalled map[netip.Addr]bool   // did not read at some time
	gone    map[netip.Addr]bool   // vanished
	broken  map[netip.Addr]bool   // writes to them fail
	trials  map[uint16]int        // how often each was told
	wrong   []string              // what was reported and can't be
	blamed  map[netip.Addr]uint64 // failures of an address
}

func newFailures() *failures {
	return &failures{stalled: make(map[netip.Addr]bool), gone: make(map[netip.Addr]bool), broken: make(map[netip.Addr]bool),
		trials: make(map[uint16]int), blamed: make(map[netip.Addr]uint64)}
}

// moveIn gives a new client its address.
func (f *failures) moveIn(p *simio.Peer) netip.Addr {
	f.clients++
	n := f.clients
	a := netip.AddrFrom4([4]byte{192, byte(n >> 16), byte(n >> 8), byte(n)})
	p.SetAddress(a)
	return a
}

// onTrial gives every third client a number.
func (f *failures) onTrial() uint16 {
	if f.clients%3 != 0 {
		return 0
	}
	trial := uint16(f.clients)
	f.trials[trial] = 0
	return trial
}

// failed is Options.Failed of a simulation.
func (s *sim) failed(f Failure) {
	x := s.failures
	say := func(what string) { x.wrong = append(x.wrong, what+" of "+f.Peer.String()+": "+f.Cause.Error()) }
	x.trials[f.Trial]++
	if x.blamed[f.Peer]++; x.blamed[f.Peer] > 1 {
		say("a second failure")
	}
	switch {
	case poller.PeerGone(f.Cause):
		say("a peer that went by itself")
	case f.TimedOut && !x.stalled[f.Peer] && !x.gone[f.Peer]:
		say("a time-out of a client that reads")
	case !f.TimedOut && !x.broken[f.Peer]:
		say("a failure of a client that can be written to")
	case f.Proven > f.At || f.At > s.k.Now():
		say("a time that has not come")
	}
	if f.TimedOut {
		s.tally.timeouts++
	} else {
		s.tally.failures++
	}
}

// judged is Options.Judged of a simulation.
func (s *sim) judged(_ *Namespace, trial uint16, good bool) {
	s.failures.trials[trial]++
	if good {
		s.tally.good++
	}
}

// fails lets a client vanish, or writes to it fail.
func (s *sim) fails(sub *subscription, vanishes bool) {
	if vanishes {
		s.failures.gone[sub.address] = true
		s.leaves(sub, sub.peer.Vanish)
		return
	}
	s.failures.broken[sub.address] = true
	sub.peer.FailWrites(true)
}

// reported checks at the end what was reported.
func (s *sim) reported(t testing.TB) {
	for _, what := range s.failures.wrong {
		t.Errorf("seed %d: reported was %s", s.k.Seed(), what)
	}
	delete(s.failures.trials, 0)
	for trial, told := range s.failures.trials {
		if told != 1 {
			t.Errorf("seed %d: trial %d was told %d times", s.k.Seed(), trial, told)
		}
	}
	for _, f := range s.g.Loops() {
		n := f.Figures()
		s.tally.reasons += int(n.Closed[ReasonStalled] + n.Closed[ReasonWrite])
	}
	if told := s.tally.timeouts + s.tally.failures; told != s.tally.reasons {
		t.Errorf("seed %d: %d failures were reported, and %d streams closed for them", s.k.Seed(), told, s.tally.reasons)
	}
}
