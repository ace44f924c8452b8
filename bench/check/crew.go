package check

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"throng/sse"
)

// patternSets are what lineages subscribe to.
var patternSets = [][]string{
	{"room/0/in"}, {"#"}, {"room/+/in"}, {"room/1/#", "hall/0/out"}, {"+/0/+"},
	{"hall/#"}, {"room/0/in", "room/0/out", "room/2/in"}, {"+/+/out", "room/#"},
}

// Of so many lineages one reads slowly, and one asks for all that is held.
const (
	slowEach     = 6
	earliestEach = 5
)

// newPublishers begins all that publish at the rate.
func (r *run) newPublishers() {
	every := time.Duration(float64(time.Second) * float64(r.Publishers) / r.Rate)
	for i := range r.Publishers {
		p := newPublisher(r.crew, i)
		r.publishers = append(r.publishers, p)
		r.clients.Go(func() { p.run(r.ctx, every) })
	}
}

// dismiss ends all clients and waits for them.
func (r *run) dismiss() {
	r.stop()
	for _, s := range r.subscribers {
		s.leave()
	}
	r.clients.Wait()
}

// newLineage begins one: all kinds come in turn, with the namespaces in turn.
func (r *run) newLineage() {
	n := len(r.subscribers)
	patterns := patternSets[r.choices.IntN(len(patternSets))]
	r.begin(lineage{
		ns: n % r.Namespaces, patterns: patterns, json: r.choices.IntN(2) == 0,
		slow: n%slowEach == slowEach-1, earliest: n%earliestEach == earliestEach-1,
	})
}

// newAudit begins a lineage that reads all that a namespace holds.
func (r *run) newAudit(ns int) {
	r.begin(lineage{ns: ns, patterns: []string{"#"}, json: true, earliest: true, audit: true})
}

func (r *run) begin(l lineage) {
	l.number, l.topics = len(r.subscribers), wanted(l.patterns)
	s := &subscriber{crew: r.crew, lineage: l, rng: rand.New(rand.NewPCG(r.Seed, streamSubscribers+uint64(l.number)))}
	s.node.Store(int32(r.choices.IntN(len(r.Nodes))))
	ctx, stop := context.WithCancel(r.ctx)
	s.stop = stop
	r.subscribers = append(r.subscribers, s)
	r.clients.Go(func() { s.run(ctx) })
}

// end ends a lineage on purpose.
func (r *run) end(s *subscriber) {
	s.mu.Lock()
	s.lineage.ended = true
	s.mu.Unlock()
	s.leave()
}

// living are the lineages that have not been ended.
func (r *run) living() []*subscriber {
	return slices.DeleteFunc(slices.Clone(r.subscribers), func(s *subscriber) bool { return s.lineage.ended })
}

// oldest is the index of the lineage that lives longest.
func (r *run) oldest() int {
	return slices.IndexFunc(r.subscribers, func(s *subscriber) bool { return !s.lineage.ended })
}

// barrierID is the ID of the last barrier of a namespace.
func (r *run) barrierID(ns int) sse.ID {
	acks := r.barriers[ns].record.acks
	return acks[len(acks)-1].id
}

// clientFaults are the faults that strike clients. Nothing is one, too.
func (r *run) clientFaults() []Fault {
	cut := func(ctx context.Context, rng *rand.Rand) (string, error) {
		n, reset := 0, rng.IntN(2) == 0
		for _, s := range r.living() {
			if rng.IntN(3) == 0 {
				s.cut(reset)
				n++
			}
		}
		return fmt.Sprintf("%d clients cut by %s", n, endName(reset)), nil
	}
	all := func(ctx context.Context, rng *rand.Rand) (string, error) {
		reset := rng.IntN(2) == 0
		for _, s := range r.living() {
			s.cut(reset)
		}
		return "all clients cut by " + endName(reset), nil
	}
	move := func(ctx context.Context, rng *rand.Rand) (string, error) {
		n := 0
		for _, s := range r.living() {
			if rng.IntN(2) == 0 {
				s.move(rng)
				s.cut(rng.IntN(2) == 0)
				n++
			}
		}
		return fmt.Sprintf("%d clients moved to another node", n), nil
	}
	nothing := func(context.Context, *rand.Rand) (string, error) { return "nothing", nil }
	faults := []Fault{{"some clients cut", 3, cut}, {"all clients cut", 2, all}, {"nothing", 1, nothing}}
	if len(r.Nodes) > 1 {
		faults = append(faults, Fault{"clients moved", 4, move})
	}
	return faults
}

func endName(reset bool) string {
	if reset {
		return "RST"
	}
	return "FIN"
}
