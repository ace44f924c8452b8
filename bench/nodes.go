package bench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// nodes asks how long an event takes from one node to a stream at another, through one
// Redis, while many namespaces have streams; beside a bare XADD → XREAD BLOCK through the
// same Redis, in turn: A B A B.
var nodes = Scenario{
	Name:  "nodes",
	About: "publish at one node, delivery at another, through one Redis, beside a bare XADD and XREAD",
	Defaults: Options{
		Streams: 1000, Namespaces: 1000, Rate: 2000, Duration: 10 * time.Second, PayloadBytes: 200, Pairs: 3,
		Store: storeRedis, Nodes: 2, Fsync: fsyncInterval,
	},
	body: runNodes,
}

const (
	// nodesPublishers is how many connections publish: enough that none waits for another
	// when an answer takes milliseconds.
	nodesPublishers = 32
	nodesTopic      = "nodes"
	// nodesBesides are namespaces that a node may hold beside those of the load.
	nodesBesides = 24
)

// nodesRun is the state of the scenario.
type nodesRun struct {
	*run
	field    *checkField
	audience *audience
	pool     *publisherPool
	bare     *bareStreams
	seqs     []uint64 // by namespace
	rng      *rand.Rand

	p99  [2][]float64 // us, by side and turn
	cost [2][]float64 // us of Redis an event, by side and turn
	late *hdrhistogram.Histogram
}

func runNodes(r *run) error {
	if r.o.Store != storeRedis {
		return fmt.Errorf("bench: --store %s is not for nodes; accepted: %s", r.o.Store, storeRedis)
	}
	if r.o.URL != "" || r.o.Nodes < 2 {
		return fmt.Errorf("bench: nodes starts two nodes or more itself; --url %q, --nodes %d", r.o.URL, r.o.Nodes)
	}
	f, err := r.startField([][2]string{{"--namespaces-max", fmt.Sprint(r.o.Namespaces + nodesBesides)}})
	if err != nil {
		return err
	}
	n := &nodesRun{run: r, field: f, seqs: make([]uint64, r.o.Namespaces), rng: rand.New(rand.NewPCG(r.o.Seed, 0)), late: newHistogram()}
	err = n.measure()
	r.w.closeAll()
	if stopped := f.stop(); err == nil {
		err = stopped
	}
	return err
}

func nodesNS(i int) string { return fmt.Sprintf("nodes-%d", i) }

// measure opens the streams, spread over the namespaces, and takes all turns.
func (n *nodesRun) measure() error {
	first, err := n.target(0)
	if err != nil {
		return err
	}
	last, err := n.target(n.o.Nodes - 1)
	if err != nil {
		return err
	}
	n.audience = n.run.audience(last)
	n.phase("streams", 0)
	err = n.audience.openAll(n.ctx, n.o.Streams, func(i int) subscription {
		ns := i % n.o.Namespaces
		return subscription{ns: nodesNS(ns), topic: nodesTopic, token: uint64(ns), i: uint64(i)}
	})
	if err != nil {
		return err
	}
	if n.pool, err = newPool(n.w, first, nodesPublishers); err != nil {
		return err
	}
	if n.bare, err = n.newBare(n.field.store.server().Addr); err != nil {
		return err
	}
	delivered := [2]*hdrhistogram.Histogram{newHistogram(), newHistogram()}
	for turn := range n.o.Pairs {
		for side, take := range []func(*hdrhistogram.Histogram) error{n.throughNodes, n.throughBare} {
			n.phase(fmt.Sprintf("turn %d of %d, %s", turn+1, n.o.Pairs, nodesSides[side]), int64(n.o.Duration))
			h := newHistogram()
			if err := n.turn(side, h, take); err != nil {
				return err
			}
			delivered[side].Merge(h)
			n.p99[side] = append(n.p99[side], float64(h.ValueAtQuantile(99))/1e3)
		}
	}
	return n.tell(delivered)
}

// nodesSides are the names of what is compared.
var nodesSides = [2]string{"throng", "bare"}

// target is a node as the swarm sees it.
func (n *nodesRun) target(i int) (target, error) {
	node := n.field.nodes[i]
	t := target{name: fmt.Sprint("node ", i), authority: node.listen, process: node.process}
	var err error
	if t.addr, err = netip.ParseAddrPort(node.listen); err != nil {
		return t, fmt.Errorf("bench: %w", err)
	}
	if t.wire, err = n.o.Wire.dialect(); err != nil {
		return t, err
	}
	t.family, err = newFamily(node.pid)
	return t, err
}

// turn lets one side carry the load, and reads what it cost Redis.
func (n *nodesRun) turn(side int, h *hdrhistogram.Histogram, take func(*hdrhistogram.Histogram) error) error {
	redis := proc(n.field.store.server().PID)
	before, err := redis.cpu()
	if err != nil {
		return err
	}
	if err := take(h); err != nil {
		return err
	}
	after, err := redis.cpu()
	n.cost[side] = append(n.cost[side], float64(after-before)/1e3/float64(max(h.TotalCount(), 1)))
	return err
}

// openLoop calls publish with due times at the rate, and serve meanwhile.
func (n *nodesRun) openLoop(serve func(deadline int64) error, publish func(ns int, due int64) error) error {
	start := n.w.now()
	for i := range int(n.o.Duration.Seconds() * n.o.Rate) {
		due := start + int64(float64(i)*1e9/n.o.Rate)
		for n.w.now() < due {
			if err := n.ctx.Err(); err != nil {
				return err
			}
			if err := serve(due); err != nil {
				return err
			}
		}
		record(n.late, n.w.now()-due)
		if err := publish(n.rng.IntN(n.o.Namespaces), due); err != nil {
			return err
		}
		n.step(n.w.now() - start)
	}
	return nil
}

// throughNodes publishes at the first node.
func (n *nodesRun) throughNodes(h *hdrhistogram.Histogram) error {
	n.audience.lag = h
	want := n.audience.delivered
	err := n.openLoop(n.pool.turn, func(ns int, due int64) error {
		e := event{ns: nodesNS(ns), topic: nodesTopic, payload: payload{uint64(ns), n.seqs[ns] + 1, due}, size: n.o.PayloadBytes}
		taken, err := n.pool.add(e)
		if taken {
			n.seqs[ns]++
			want += n.readers(ns)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := n.pool.drain(n.ctx); err != nil {
		return err
	}
	return n.delivered(n.audience, want)
}

// readers is how many streams a namespace has.
func (n *nodesRun) readers(ns int) int64 {
	return int64((n.o.Streams - ns + n.o.Namespaces - 1) / n.o.Namespaces)
}

// throughBare adds to streams of Redis, and reads them.
func (n *nodesRun) throughBare(h *hdrhistogram.Histogram) error {
	b := n.bare
	b.lag = h
	err := n.openLoop(n.w.turn, func(ns int, due int64) error { return b.add(ns, due, n.o.PayloadBytes) })
	if err != nil {
		return err
	}
	return n.w.until(n.ctx, "bare events", n.o.patience, func() bool { return b.read == b.added || n.w.faultCount > 0 })
}

// tell reports and checks.
func (n *nodesRun) tell(delivered [2]*hdrhistogram.Histogram) error {
	if err := n.surplus(); err != nil {
		return err
	}
	info, err := n.field.store.server().Do(n.ctx, "INFO", "clients")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	var clients float64
	_, count, _ := strings.Cut(info, "connected_clients:")
	if _, err := fmt.Sscan(count, &clients); err != nil {
		return fmt.Errorf("bench: INFO clients: %q: %w", info, err)
	}
	var want int64
	for ns, seq := range n.seqs {
		want += int64(seq) * n.readers(ns)
	}
	r := &n.report
	r.figure("connections of Redis, a node", (clients-bareConns-1)/float64(n.o.Nodes), "")
	r.compare("publish to delivery, p99", nodesSides[0], nodesSides[1], "us", n.p99[0], n.p99[1])
	r.compare("CPU of Redis an event", nodesSides[0], nodesSides[1], "us", n.cost[0], n.cost[1])
	r.latency("publish at one node, delivery at another", delivered[0])
	r.latency("bare XADD to XREAD", delivered[1])
	n.pool.report(r, "")
	r.latency("lateness of the load, both sides", n.late)
	r.check("events delivered", want, n.audience.delivered)
	r.check("bare events read", n.bare.added, n.bare.read)
	r.noFaults(n.w)
	return nil
}
