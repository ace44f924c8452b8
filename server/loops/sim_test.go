package loops

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"throng/internal/simio"
	"throng/replay"
	"throng/sse"
)

var (
	simSeeds = flag.Int("sim.seeds", 150, "how many seeds the simulation tries")
	simFirst = flag.Uint64("sim.first", 1, "the first of them")
)

// TestLoops_KeepTheContractWhateverHappens lets clients stall, half-close, vanish and come
// back on a kernel where everything goes wrong, with tables so small that all of them run
// full. Every byte that a client reads is held against what was published: in order, each
// wanted event exactly once over all of its connections, or a gap that is true.
func TestLoops_KeepTheContractWhateverHappens(t *testing.T) {
	sum := simulateAll(t, warm)
	if *simSeeds >= 100 && (sum.received == 0 || sum.gaps == 0 || sum.lapped == 0 || sum.replayed == 0 || sum.pinned == 0 || sum.answers == 0 ||
		sum.timeouts == 0 || sum.failures == 0 || sum.good == 0) {
		t.Errorf("the simulation did not see everything: %+v", sum)
	}
}

func simulateAll(t *testing.T, where storage) (sum tally) {
	for i := range *simSeeds {
		seed := *simFirst + uint64(i)
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { sum.add(simulate(t, seed, where).tally) }) {
			t.Fatalf("seed %d; to see it alone: -sim.first=%d -sim.seeds=1", seed, seed)
		}
	}
	t.Logf("%+v", sum)
	return sum
}

// tally is what happened in a simulation, to show that it did not sleep.
type tally struct {
	received, gaps, connects, answers int
	heartbeats, lapped, replayed      uint64
	pinned                            int
	scans, pages                      uint64
	notices, aheads                   int
	timeouts, failures, reasons, good int
}

func (a *tally) add(b tally) {
	a.received += b.received
	a.gaps += b.gaps
	a.connects += b.connects
	a.answers += b.answers
	a.heartbeats += b.heartbeats
	a.lapped += b.lapped
	a.replayed += b.replayed
	a.pinned = max(a.pinned, b.pinned)
	a.scans += b.scans
	a.pages += b.pages
	a.notices += b.notices
	a.aheads += b.aheads
	a.timeouts += b.timeouts
	a.failures += b.failures
	a.reasons += b.reasons
	a.good += b.good
}

// sim is the world of one seed.
type sim struct {
	*rig
	rng     *rand.Rand
	policy  LagPolicy
	window  int // bytes, of most clients
	retain  int // events
	where   storage
	truths  []*truth
	subs    []*subscription
	refused []*refused
	tally   tally

	failures *failures
}

// refused is a client whose request was refused.
type refused struct {
	peer   *simio.Peer
	answer string
	polite bool // it sends nothing more, so it must get the answer
}

// TestLoops_SameSeedSameRun is what makes a seed worth printing.
func TestLoops_SameSeedSameRun(t *testing.T) {
	for seed := range uint64(5) {
		for _, where := range []storage{warm, chilly, shared} {
			a, b := simulate(t, seed, where).k.Fingerprint(), simulate(t, seed, where).k.Fingerprint()
			if a != b {
				t.Errorf("seed %d, storage %d: two runs differ", seed, where)
			}
		}
	}
}

func simulate(t *testing.T, seed uint64, where storage) *sim {
	s := newSim(t, seed, where)
	for range 150 + s.rng.IntN(150) {
		s.act()
		s.flush()
		s.turn([]int{0, 0, 0, 1, 20, 400}[s.rng.IntN(6)])
		s.tally.pinned = max(s.tally.pinned, s.g.Loops()[0].Figures().Pinned)
		if s.rng.IntN(4) == 0 {
			s.check()
		}
	}
	s.calmDown()
	for _, l := range s.g.Loops() {
		f := l.Figures()
		s.tally.heartbeats += f.Heartbeats
		s.tally.lapped += f.Lapped
		s.tally.replayed += f.Replayed
		s.tally.scans += f.Scans
	}
	s.tally.pages = s.g.Paging().Pages
	s.leave()
	return s
}

func newSim(t *testing.T, seed uint64, where storage) *sim {
	rng := rand.New(rand.NewPCG(seed, 3))
	c := calm()
	c.seed, c.kernel = seed, simio.Rough()
	c.kernel.FDsMax = 4096
	c.kernel.SendBufferBytes = 64 << rng.IntN(5)
	c.retain = 8 << rng.IntN(4)
	c.Loops = 2 + rng.IntN(2)
	c.RingEvents = 8 << rng.IntN(3)
	c.TurnWritesMax = 1 + rng.IntN(100)
	c.RowsMax = 150 + rng.IntN(100)
	c.PinnedMax = 5 << rng.IntN(6)
	c.MailboxMax = 1024
	c.Heartbeat, c.StallTimeout, c.LingerTimeout = 2*time.Second, 3*time.Second, 5*time.Second
	c.Lag = []LagPolicy{LagCatchUp, LagCatchUp, LagSkip, LagClose}[rng.IntN(4)]
	c.Random = rng.Uint32
	c.ScansMax = 1 + rng.IntN(3)
	if where != warm {
		c.wrap = func(log replay.Log) *cold { return newCold(log, rng, where) }
	}
	s := &sim{failures: newFailures()}
	c.Failed, c.Judged = s.failed, s.judged
	*s = sim{failures: s.failures, rig: newRig(t, c), rng: rng, policy: c.Lag, window: c.kernel.SendBufferBytes, retain: c.retain, where: where}
	for i := range 2 + rng.IntN(3) {
		s.truths = append(s.truths, &truth{ns: s.space(fmt.Sprint("ns", i))})
	}
	for range 50 + rng.IntN(200) {
		s.subs = append(s.subs, s.subscribe())
	}
	return s
}

func (s *sim) subscribe() *subscription {
	sub := &subscription{of: s.truths[s.rng.IntN(len(s.truths))], policy: s.policy, format: sse.Format(s.rng.IntN(2))}
	for range 1 + s.rng.IntN(4) {
		sub.filters = append(sub.filters, s.path("abc+", true))
	}
	return sub
}

// path makes a topic, or a filter, of one to three levels.
func (s *sim) path(levels string, filter bool) string {
	var parts []string
	for range 1 + s.rng.IntN(3) {
		parts = append(parts, levels[s.rng.IntN(len(levels)):][:1])
	}
	if filter && s.rng.IntN(8) == 0 {
		parts = append(parts, "#")
	}
	return strings.Join(parts, "/")
}

// act lets a few things happen.
func (s *sim) act() {
	for range s.rng.IntN(4) {
		s.emit()
	}
	for range s.rng.IntN(12) {
		if sub := s.subs[s.rng.IntN(len(s.subs))]; sub.peer == nil {
			s.attach(sub)
		} else {
			s.disturb(sub)
		}
	}
	if s.rng.IntN(20) == 0 {
		s.refuse()
	}
	if s.where != warm {
		s.weather()
	}
}

// emit publishes one event, with a little or a lot of data.
func (s *sim) emit() {
	of := s.truths[min(s.rng.IntN(len(s.truths)), s.rng.IntN(len(s.truths)))]
	topics := []string{s.path("abc", false)}
	for s.rng.IntN(3) == 0 {
		topics = append(topics, s.path("abc", false))
	}
	data := fmt.Sprintf("%s %d ", of.ns.Name, len(of.events)) + strings.Repeat("x", s.rng.IntN(1+s.rng.IntN(150)))
	if s.rng.IntN(8) == 0 {
		data += "\nsecond line"
	}
	of.events = append(of.events, nil)
	of.events[len(of.events)-1] = s.publish(of.ns, topics, data)
}

func (s *sim) attach(sub *subscription) {
	fd, peer := s.connect()
	s.tally.connects++
	address := s.failures.moveIn(peer)
	a := &Attach{NS: sub.of.ns, Topics: sub.filters, Format: sub.format, Full: []byte("full"), Trial: s.failures.onTrial()}
	switch {
	case sub.attached:
		a.From, a.ID = FromID, sub.last
	case s.rng.IntN(4) == 0:
		a.From = FromEarliest
	case s.rng.IntN(4) == 0:
		a.From = FromLost
	}
	if s.rng.IntN(4) == 0 {
		a.Floor = sse.ID{Major: 1, Minor: uint64(len(sub.of.events))}
	}
	a.Requested = "of another world"
	if a.From == FromID {
		a.Requested = a.ID.String()
	}
	*sub = subscription{of: sub.of, filters: sub.filters, format: sub.format, policy: sub.policy,
		peer: peer, address: address, from: a.From, requested: a.Requested, floor: max(s.broadcast(sub.of), a.Floor.Minor),
		attached: sub.attached, last: sub.last, at: sub.at, received: sub.received, gaps: sub.gaps,
		notices: sub.notices}
	if s.rng.IntN(5) == 0 {
		s.stalls(sub)
	}
	s.g.Attach(fd, a)
}

// broadcast is how many events of a namespace have been put into the ring.
func (s *sim) broadcast(of *truth) uint64 {
	n := uint64(len(of.events))
	for _, e := range s.backlog {
		if e.NS == of.ns && len(e.Event.Topics) > 0 {
			n--
		}
	}
	return n
}

// disturb lets a connected client do something.
func (s *sim) disturb(sub *subscription) {
	switch n := s.rng.IntN(40); {
	case n < 12:
		s.stalls(sub)
	case n < 22:
		sub.stalled = false
		sub.peer.Resume()
	case n < 28:
		sub.peer.Drain(1 + s.rng.IntN(200))
	case n < 31:
		sub.peer.SetWindow(1 + s.rng.IntN(2*s.window))
	case n == 31 && !sub.finished:
		sub.finished = true
		sub.peer.CloseWrite()
	case n == 32 && !sub.finished:
		sub.peer.Send(make([]byte, 1+s.rng.IntN(600)))
	case n < 36:
		s.leaves(sub, sub.peer.Reset)
	case n < 38:
		s.leaves(sub, sub.peer.Close)
	default:
		s.fails(sub, n == 38)
	}
}

func (s *sim) stalls(sub *subscription) {
	s.failures.stalled[sub.address] = true
	sub.stalled = true
	sub.peer.Stall()
}

// leaves ends a client's connection, after it has looked at what it received.
func (s *sim) leaves(sub *subscription, how func()) {
	s.look(sub)
	if sub.peer != nil {
		how()
		sub.peer = nil
	}
}

func (s *sim) refuse() {
	fd, peer := s.connect()
	peer.SetWindow(4096) // the whole answer: the time to take it is limited
	r := &refused{peer: peer, answer: strings.Repeat("no ", 1+s.rng.IntN(100)), polite: s.rng.IntN(2) == 0}
	s.g.Refuse(fd, []byte(r.answer), nil)
	if !r.polite {
		peer.Send(make([]byte, 1+s.rng.IntN(2000)))
	}
	s.refused = append(s.refused, r)
}

// turn gives every loop a turn. One without work may fall asleep behind it, so that
// whoever brings news next gives it a short turn of its own.
func (s *sim) turn(timeoutMs int) {
	for s.rng.IntN(2) == 0 && s.g.pager.serve(false) {
	}
	for _, l := range s.g.Loops() {
		if more := l.Turn(timeoutMs); s.rng.IntN(2) == 0 {
			l.patience(more)
		}
	}
}

// check looks at all clients.
func (s *sim) check() {
	for _, sub := range s.subs {
		s.look(sub)
	}
}

func (s *sim) look(sub *subscription) {
	if sub.peer == nil {
		return
	}
	gone := sub.peer.ServerClosed()
	if err := sub.feed(); err != nil {
		s.tb.Fatalf("seed %d, policy %d, ring %d, retained %d: %v", s.k.Seed(), s.policy, s.g.o.RingEvents, s.retain, err)
	}
	if gone && sub.peer.Queued() == 0 {
		sub.peer.Close()
		sub.peer = nil
	}
}
