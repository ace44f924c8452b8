package loops

import (
	"testing"
	"time"

	"throng/internal/simio"
)

// Virtual costs of the calls, near those of a Linux kernel on loopback.
var costs = simio.Costs{Read: 2 * time.Microsecond, Write: 9 * time.Microsecond, Wait: time.Microsecond, Other: 2 * time.Microsecond}

// crowd is a namespace with very many members in one loop, all of whom count the blocks
// they get and keep nothing.
type crowd struct {
	*rig
	sink  simio.SinkID
	peers []*simio.Peer
}

func newCrowd(t testing.TB, s setup, size int) *crowd {
	t.Helper()
	s.RowsMax = size + 20_000 // and some more, for those who come later
	s.kernel.FDsMax = s.RowsMax
	s.MailboxMax = 1024
	c := &crowd{rig: newRig(t, s)}
	c.sink = c.k.AddSink(simio.CountBlocks)
	for i := range size {
		c.join(c.space("crowd"), "all")
		if i%1024 == 1023 {
			c.settle()
		}
	}
	c.settle()
	return c
}

// join attaches a counting peer.
func (c *crowd) join(ns *Namespace, topics ...string) *simio.Peer {
	c.tb.Helper()
	fd, peer := c.connect()
	peer.Count(c.sink, 0)
	c.peers = append(c.peers, peer)
	c.g.Attach(fd, &Attach{NS: ns, Topics: topics})
	return peer
}

func blocks(p *simio.Peer) uint64 { return simio.Blocks(p.State()) }

// headBlocks is how many blocks a stream begins with: retry and position.
const headBlocks = 2

// worst is the largest of some times, or numbers.
type worst struct{ turns, ns int64 }

func (w *worst) see(turns int, ns int64) {
	w.turns, w.ns = max(w.turns, int64(turns)), max(w.ns, ns)
}

// TestTurns_StayShortWhileACrowdIsServed lets one namespace with very many members
// broadcast back to back. However large it is, no turn of the loop takes longer than its
// budget, the one member of another namespace waits for a few turns at most, and so does
// a client that comes.
func TestTurns_StayShortWhileACrowdIsServed(t *testing.T) {
	size := 500_000
	if racing {
		size = 50_000
	}
	s := calm()
	s.kernel.Cost = costs
	s.Heartbeat, s.StallTimeout = 10*time.Minute, 10*time.Minute
	s.RingEvents = 1024
	c := newCrowd(t, s, size)
	other := c.space("other")
	member := c.join(other, "one")
	c.settle()

	var turn, publish, attach worst
	for event := range 3 {
		c.publish(c.space("crowd"), []string{"all"}, "a broadcast")
		c.publish(c.space("crowd"), []string{"all"}, "and another")
		for i := 0; c.space("crowd").Unread() > 0; i++ {
			switch i % 100 {
			case 20:
				c.publish(other, []string{"one"}, "hello")
				publish.see(c.until(&turn, member, blocks(member)+1))
			case 70:
				attach.see(c.until(&turn, c.join(other, "two"), headBlocks))
			default:
				c.timed(&turn)
			}
		}
		for i, p := range c.peers[:size] {
			if got, want := blocks(p), uint64(headBlocks+2*(event+1)); got != want {
				t.Fatalf("member %d has %d blocks, want %d", i, got, want)
			}
		}
	}
	t.Logf("%d members; in virtual time: worst turn %v, publish to the other namespace %d turns and %v, attach %d turns and %v",
		size, time.Duration(turn.ns), publish.turns, time.Duration(publish.ns), attach.turns, time.Duration(attach.ns))

	// A round of the last writes of the budget may end beyond it: each kind of work has a
	// quantum of its own.
	const kinds = 5
	budget := time.Duration(s.TurnWritesMax+kinds*quantum)*costs.Write + 100*costs.Other
	if got := time.Duration(turn.ns); got > budget {
		t.Errorf("a turn takes %v, the budget is %v", got, budget)
	}
	if publish.turns > 2 || attach.turns > 2 {
		t.Errorf("others wait for %d turns (publish) and %d turns (attach), want 2 at most", publish.turns, attach.turns)
	}
	c.stop()
}

// timed is a turn whose virtual time is noted.
func (c *crowd) timed(turn *worst) (more bool) {
	before := c.k.Now()
	more = c.turn(0)
	turn.see(1, c.k.Now()-before)
	return more
}

// until tells how many turns, and how much virtual time, go by until peer has that many
// blocks.
func (c *crowd) until(turn *worst, peer *simio.Peer, want uint64) (turns int, ns int64) {
	c.tb.Helper()
	begun := c.k.Now()
	for ; blocks(peer) < want; turns++ {
		if turns == 10_000 {
			c.tb.Fatalf("after %d turns %d blocks have come, want %d", turns, blocks(peer), want)
		}
		c.timed(turn)
	}
	return turns, c.k.Now() - begun
}

// TestTurns_StayShortWithManyNamespaces lets very many namespaces publish at once.
func TestTurns_StayShortWithManyNamespaces(t *testing.T) {
	const spaces, members = 500, 30
	s := calm()
	s.kernel.Cost = costs
	s.RingEvents = 2048
	c := newCrowd(t, s, 0)
	for range members {
		for i := range spaces {
			c.join(c.space(string(rune('a'+i))), "all")
		}
		c.settle()
	}
	for _, ns := range c.spaces {
		c.publish(ns, []string{"all"}, "tick")
	}
	var turn worst
	for c.timed(&turn) {
	}
	budget := time.Duration(s.TurnWritesMax+5*quantum) * costs.Write
	if got := time.Duration(turn.ns); got > budget {
		t.Errorf("with %d namespaces a turn takes %v, the budget is %v", spaces, got, budget)
	}
	for i, p := range c.peers {
		if got := blocks(p); got != headBlocks+1 {
			t.Fatalf("peer %d has %d blocks", i, got)
		}
	}
	c.stop()
}

// TestPublish_IsNotHeldUpByAnotherFanOut lets one event go to very many members, and all
// that time another namespace publishes, many times what the ring holds.
func TestPublish_IsNotHeldUpByAnotherFanOut(t *testing.T) {
	const size, events = 50_000, 1000
	s := calm()
	s.TurnWritesMax = 2 * quantum
	c := newCrowd(t, s, size)
	other := c.space("other")
	member := c.join(other, "one")
	c.settle()
	c.publish(c.space("crowd"), []string{"all"}, "a broadcast")
	c.publish(c.space("crowd"), []string{"all"}, "another that waits for it")
	c.turn(0)
	for i := range events {
		c.publish(other, []string{"one"}, "hello")
		c.turn(0)
		if len(c.backlog) > 0 {
			t.Fatalf("event %d finds no room in a ring of %d", i, s.RingEvents)
		}
	}
	if c.space("crowd").Unread() == 0 {
		t.Error("the fan-out is over: nothing was shown")
	}
	if got := blocks(member); got != headBlocks+events {
		t.Errorf("%d blocks, want %d", got, headBlocks+events)
	}
	c.settle()
	for i, p := range c.peers[:size] {
		if got := blocks(p); got != headBlocks+2 {
			t.Fatalf("member %d has %d blocks", i, got)
		}
	}
	c.stop()
}
