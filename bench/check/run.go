package check

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is something that happens to the servers.
type Fault struct {
	Name   string
	Weight int // among all faults
	// Do lets it happen and heals it, and says what it did. The error ends the run: then
	// it is the fault that failed.
	Do func(ctx context.Context, rng *rand.Rand) (string, error)
}

// Config is one run.
type Config struct {
	Seed       uint64
	Rounds     int
	Round      time.Duration // length of a round; faults may make it longer
	Nodes      []string      // HOST:PORT each; they stay the same when a node starts again
	Lineages   int
	Publishers int
	Namespaces int
	Rate       float64 // events a second, all publishers together
	Payload    int     // most bytes of filler in an event
	Promise    Promise
	Faults     []Fault // beside those of clients
	// Patience is how long lineages may take, with nothing happening, until they have all.
	Patience time.Duration
	// Tell is called at the end of each round.
	Tell func(round int, text string)
}

// Streams of random numbers of one seed.
const (
	streamFaults      = 1
	streamLineages    = 2
	streamPublishers  = 1 << 20
	streamSubscribers = 1 << 21
)

// Least and most of what is configured.
const (
	publishersMax = 1 << 15 // a ref has 16 bits for them, barriers included
	namespacesMax = 1 << 10
)

// settleEvery is how many rounds go by until all stands still and is judged.
const settleEvery = 5

// crew is what the clients of a run share.
type crew struct {
	load
	nodes   []string
	promise Promise
	began   time.Time
	counts  counts
	gate    sync.RWMutex // held for reading by every request of a publisher
}

// now is milliseconds since the run began.
func (c *crew) now() uint32 { return uint32(time.Since(c.began) / time.Millisecond) }

// run is a run on its way. Its methods are for its one goroutine.
type run struct {
	*crew
	Config
	ctx         context.Context // of the clients
	stop        context.CancelFunc
	clients     sync.WaitGroup
	rng         *rand.Rand // of faults
	choices     *rand.Rand // of lineages
	publishers  []*publisher
	barriers    []*publisher // by namespace
	subscribers []*subscriber
	rounds      []round
	faults      map[string]int
	latest      *findings
}

// Run puts the nodes through all rounds, or through those until a violation. The error
// says that the run could not be made; violations are in the Result, which is as far as
// the run came.
func Run(ctx context.Context, c Config) (*Result, error) {
	if len(c.Nodes) == 0 || c.Lineages < 1 || c.Rounds < 1 || c.Rate <= 0 ||
		c.Publishers < 1 || c.Publishers > publishersMax || c.Namespaces < 1 || c.Namespaces > namespacesMax {
		return nil, fmt.Errorf("check: there must be nodes, lineages, rounds, a rate, 1 to %d publishers and 1 to %d namespaces: %+v", publishersMax, namespacesMax, c)
	}
	r := &run{
		crew:   &crew{load: load{c.Seed, c.Publishers, c.Namespaces, c.Payload}, nodes: c.Nodes, promise: c.Promise, began: time.Now()},
		Config: c, faults: make(map[string]int), latest: &findings{},
		rng: rand.New(rand.NewPCG(c.Seed, streamFaults)), choices: rand.New(rand.NewPCG(c.Seed, streamLineages)),
	}
	r.ctx, r.stop = context.WithCancel(ctx)
	err := r.all(ctx)
	r.dismiss()
	return r.result(), err
}

// all is the whole run.
func (r *run) all(ctx context.Context) error {
	for range r.Lineages {
		r.newLineage()
	}
	for i := range r.Namespaces {
		r.barriers = append(r.barriers, newPublisher(r.crew, r.Publishers+i))
		b := r.barriers[i]
		b.keyed, b.batch, b.barrier = true, false, true
	}
	r.newPublishers()
	for i := range r.Rounds {
		if err := r.round(ctx); err != nil {
			return fmt.Errorf("check: seed %d, round %d: %w", r.Seed, i+1, err)
		}
		last := i == r.Rounds-1
		text := strings.Join(r.rounds[i].faults, ", ")
		if last || (i+1)%settleEvery == 0 {
			if err := r.settle(ctx, last); err != nil {
				return fmt.Errorf("check: seed %d, after round %d: %w", r.Seed, i+1, err)
			}
			text += fmt.Sprintf("; %d violations", len(r.latest.violations))
		}
		if r.Tell != nil {
			r.Tell(i+1, text)
		}
		if len(r.latest.violations) > 0 {
			return nil
		}
	}
	return nil
}

// faultsMax is the most faults of one round.
const faultsMax = 2

// round lets faults happen at random moments of a round's time.
func (r *run) round(ctx context.Context) error {
	begun := time.Now()
	r.rounds = append(r.rounds, round{at: r.now()})
	now := &r.rounds[len(r.rounds)-1]
	all := append(r.clientFaults(), r.Config.Faults...)
	for range 1 + r.rng.IntN(faultsMax) {
		f := draw(r.rng, all)
		sleep(ctx, time.Duration(r.rng.Int64N(int64(r.Round)/faultsMax+1)))
		if err := ctx.Err(); err != nil {
			return err
		}
		at := r.now()
		now.faults = append(now.faults, f.Name) // it is in messages while it lasts, too
		what, err := f.Do(ctx, r.rng)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		r.faults[f.Name]++
		now.faults[len(now.faults)-1] = fmt.Sprintf("%s at %s", what, seconds(at))
	}
	if r.choices.IntN(2) == 0 { // another lineage begins somewhere in the middle
		r.end(r.subscribers[r.oldest()])
		r.newLineage()
	}
	sleep(ctx, r.Round-time.Since(begun))
	return ctx.Err()
}

// draw chooses one of the faults by weight.
func draw(rng *rand.Rand, all []Fault) Fault {
	sum := 0
	for _, f := range all {
		sum += f.Weight
	}
	n := rng.IntN(sum)
	for _, f := range all {
		if n -= f.Weight; n < 0 {
			return f
		}
	}
	return all[0]
}

// errNoBarrier says that a node takes no event though all faults are healed.
var errNoBarrier = errors.New("no event is acknowledged any more")

// settle lets the publishers stand still, publishes a barrier to every namespace, waits
// until all lineages have it, and judges.
func (r *run) settle(ctx context.Context, final bool) error {
	r.gate.Lock()
	defer r.gate.Unlock()
	for ns := range r.barriers {
		if err := r.publishBarriers(ctx, ns); err != nil {
			return err
		}
		if final {
			r.newAudit(ns)
		}
	}
	stuck := r.await(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Promise.MayLose && !final {
		return nil // what was lost is seen by reading all that is held, at the end
	}
	h := r.history()
	r.latest = h.judge(final || len(stuck) > 0)
	for _, s := range stuck {
		l := s.snapshot()
		r.latest.add(Stuck, "%v is at %v, and the barrier is %v; %s", l, l.reached(), r.barrierID(l.ns), l.connectionOf(len(l.log)))
	}
	return nil
}

// publishBarriers publishes one at each node.
func (r *run) publishBarriers(ctx context.Context, ns int) error {
	b := r.barriers[ns]
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	for b.node = range r.nodes {
		b.publish(ctx, 1)
		if b.record.acks[len(b.record.acks)-1].id.IsZero() {
			return fmt.Errorf("%s, node %d: %w within %v: %w", nsName(ns), b.node, errNoBarrier, r.Patience, ctx.Err())
		}
	}
	return nil
}

// settlePoll is how often lineages are asked how far they are.
const settlePoll = 5 * time.Millisecond

// await waits until every lineage has the barrier of its namespace, and gives those that
// have not come any further for long.
func (r *run) await(ctx context.Context) (behind []*subscriber) {
	received, since := int64(-1), time.Now()
	for ctx.Err() == nil {
		behind = slices.DeleteFunc(r.living(), func(s *subscriber) bool {
			return s.reached().Compare(r.barrierID(s.lineage.ns)) >= 0
		})
		if n := r.counts.received.Load() + r.counts.gaps.Load() + r.counts.connections.Load(); n != received {
			received, since = n, time.Now()
		}
		if len(behind) == 0 || time.Since(since) > r.Patience {
			return behind
		}
		sleep(ctx, settlePoll)
	}
	return nil
}
