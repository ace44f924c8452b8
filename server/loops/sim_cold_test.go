package loops

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"throng/replay"
	"throng/sse"
)

// storage is where a simulation's logs are.
type storage int

const (
	warm   storage = iota // in memory
	chilly                // mostly not in memory, and sometimes away
	shared                // that too, and other nodes append to them and give to the clients
)

func newCold(log replay.Log, rng *rand.Rand, where storage) *cold {
	c := &cold{Log: log, rng: rng, recent: uint64(rng.IntN(20))}
	if where == shared {
		last := log.Last()
		c.tail = &last
	}
	return c
}

// TestLoops_KeepTheContractWithColdLogs is the same with logs that answer late, in part, or
// not at all, and whose history others remove.
func TestLoops_KeepTheContractWithColdLogs(t *testing.T) {
	sum := simulateAll(t, chilly)
	if *simSeeds >= 100 && (sum.received == 0 || sum.gaps == 0 || sum.replayed == 0 || sum.scans == 0 || sum.pages == 0 || sum.notices == 0) {
		t.Errorf("the simulation did not see everything: %+v", sum)
	}
}

// TestLoops_KeepTheContractAmongNodes is the same where clients come from other nodes, which
// have given them what this one has not seen yet.
func TestLoops_KeepTheContractAmongNodes(t *testing.T) {
	sum := simulateAll(t, shared)
	if *simSeeds >= 100 && (sum.received == 0 || sum.gaps == 0 || sum.replayed == 0 || sum.scans == 0 || sum.pages == 0 || sum.notices == 0 || sum.aheads == 0) {
		t.Errorf("the simulation did not see everything: %+v", sum)
	}
}

// weather is what happens to logs that are not in memory.
func (s *sim) weather() {
	of := s.truths[s.rng.IntN(len(s.truths))]
	c := s.colds[of.ns.Name]
	switch s.rng.IntN(12) {
	case 0:
		c.away = !c.away
	case 1: // others remove history, of which the ring may have some
		if first, last := c.First().Minor, c.Log.Last().Minor; last > first {
			c.cut = sse.ID{Major: 1, Minor: first + 1 + s.rng.Uint64N(last-first)}
		}
	case 2:
		of.notices++
		s.backlog = append(s.backlog, Entry{Event: s.notification(of, fmt.Sprint(everybody, of.notices)), NS: of.ns})
	case 3:
		s.backlog = append(s.backlog, Entry{Event: s.notification(of, ""), NS: of.ns})
	case 4, 5:
		s.held = s.where == shared && !s.held
	case 6, 7:
		if s.where == shared {
			s.elsewhere(s.subs[s.rng.IntN(len(s.subs))])
		}
	}
	s.flush()
}

// notification is what the tail of a shared log tells everybody, or only its position.
func (s *sim) notification(of *truth, requested string) *sse.Event {
	at := sse.ID{Major: 1, Minor: uint64(len(of.events))}
	if requested == "" {
		return &sse.Event{ID: at}
	}
	return sse.NewGap(requested, at, at)
}

// everybody is how the data of a simulation's notice begins; its number follows.
const everybody = "everybody "

// notice is a gap that is told to all. They come in order, but a client that the ring has
// lapped is told the newest only.
func (s *subscription) notice(id sse.ID, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	if n <= s.noticed || n > s.of.notices {
		return fmt.Errorf("notice %d after %d of %d", n, s.noticed, s.of.notices)
	}
	if err := s.pass(id, "notice"); err != nil {
		return err
	}
	s.noticed = n
	s.notices++
	s.last = id
	return nil
}

// elsewhere lets a client that is not connected get some of what it wants from another node.
func (s *sim) elsewhere(sub *subscription) {
	if sub.peer != nil || !sub.attached {
		return
	}
	behind := sub.at
	for range 1 + s.rng.IntN(20) {
		if sub.at == len(sub.of.events) {
			break
		}
		sub.last = sub.of.events[sub.at].ID
		sub.at++
	}
	if sub.at > behind {
		s.tally.aheads++
	}
}
