package bench

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// batch asks what an event costs that comes in an NDJSON batch, in turn with single
// publishes on one connection, as in device. Without readers that is the intake alone;
// with Options.Streams readers of each topic every event is verified, and the next request
// waits for the delivery of the last, on both sides. Each connection has its own topic.
//
// The ratio is that of a single publish to one line of a batch: how many times cheaper
// an event becomes.
var batch = Scenario{
	Name:     "batch",
	About:    "processor time of an event in an NDJSON batch, against single publishes",
	Defaults: Options{Streams: 1, Events: 200000, Lines: 1000, Connections: 1, PayloadBytes: 100, Pairs: 3},
	body:     runBatch,
}

// batchSingles: of so many events in batches there is one single publish, which costs
// that much more.
const batchSingles = 10

var batchVariants = []string{"no reader", "readers that verify"}

// batchSide is batches or single publishes, in one variant.
type batchSide struct {
	cost, rate []float64 // us an event; events a second; of each pair
	answer     *hdrhistogram.Histogram
	delivery   *hdrhistogram.Histogram
}

// batchRun is the state of the scenario.
type batchRun struct {
	*run
	t     target
	sides [2][2]batchSide // by variant; batches, then single publishes
	token uint64          // of the last topic
}

func runBatch(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	b := &batchRun{run: r, t: t}
	for v := range b.sides {
		for side := range b.sides[v] {
			b.sides[v][side] = batchSide{answer: newHistogram(), delivery: newHistogram()}
		}
	}
	if err := b.warm(); err != nil {
		return err
	}
	r.phase("batch", int64(4*r.o.Pairs))
	for pair := range r.o.Pairs {
		for turn := range 4 {
			v, side := turn/2, (turn+pair)%2
			if err := b.measure(v, side); err != nil {
				return err
			}
			r.step(int64(4*pair + turn + 1))
		}
	}
	for v, variant := range batchVariants {
		many, one := &b.sides[v][0], &b.sides[v][1]
		r.report.compare("server CPU an event, "+variant, "single", "batch", "us", one.cost, many.cost)
		r.report.figure("events a second in batches, "+variant, median(many.rate), "1/s")
		r.report.figure("events a second as single publishes, "+variant, median(one.rate), "1/s")
		r.report.latency("batch to answer, "+variant, many.answer)
		r.report.latency("single publish to answer, "+variant, one.answer)
	}
	r.report.latency("batch to delivery", b.sides[1][0].delivery)
	r.report.latency("single publish to delivery", b.sides[1][1].delivery)
	r.report.noFaults(r.w)
	return nil
}

// batchTopic is the topic of one connection in one phase.
func batchTopic(token uint64) string { return fmt.Sprintf("batch/%d", token) }

// warm fills the log, at most as in a phase: until it is full a server takes memory that
// it has never touched, which costs more than the events.
func (b *batchRun) warm() error {
	lane, err := newBatcher(b.w, b.t, "default", "batch/warm", 0, b.o.Lines, b.o.PayloadBytes)
	if err != nil {
		return err
	}
	for want := int64(min(2*retainedEvents, b.o.Events)); lane.ids < want; {
		if err := lane.start(b.w.now()); err != nil {
			return err
		}
		if err := lane.wait(b.ctx); err != nil {
			return err
		}
	}
	lane.conn.close()
	return nil
}

// measure runs one phase: variant v, side 0 for batches and 1 for single publishes.
func (b *batchRun) measure(v, side int) error {
	a := b.audience(b.t)
	connections, first := 1, b.token+1
	if side == 0 {
		connections = b.o.Connections
	}
	b.token += uint64(connections)
	if v == 1 {
		err := a.openAll(b.ctx, connections*b.o.Streams, func(i int) subscription {
			token := first + uint64(i/b.o.Streams)
			return subscription{ns: "default", topic: batchTopic(token), token: token}
		})
		if err != nil {
			return err
		}
		a.lag = b.sides[v][side].delivery
	}
	if err := b.quiet(b.t); err != nil {
		return err
	}
	load := b.singles
	if side == 0 {
		load = b.batches
	}
	before, err := b.use(b.t)
	if err != nil {
		return err
	}
	events, err := load(a, &b.sides[v][side], first, v == 1)
	if err != nil {
		return err
	}
	spent, err := b.since(b.t, before)
	if err != nil {
		return err
	}
	s := &b.sides[v][side]
	s.cost = append(s.cost, float64(spent.process)/1e3/float64(events))
	s.rate = append(s.rate, float64(events)*1e9/float64(spent.at))
	if v == 1 {
		if err := b.surplus(); err != nil {
			return err
		}
		b.report.check("events delivered, "+[]string{"in batches", "as single publishes"}[side], events*int64(b.o.Streams), a.delivered)
	}
	b.w.closeAll()
	return nil
}

// batches keeps one batch on its way on each connection. It returns the events.
func (b *batchRun) batches(a *audience, s *batchSide, first uint64, wait bool) (int64, error) {
	requests := max(b.o.Events/(b.o.Lines*b.o.Connections), 1)
	var lanes []*batcher
	for i := range b.o.Connections {
		token := first + uint64(i)
		lane, err := newBatcher(b.w, b.t, "default", batchTopic(token), token, b.o.Lines, b.o.PayloadBytes)
		if err != nil {
			return 0, err
		}
		lanes = append(lanes, lane)
	}
	var ids, sent int64
	for range requests {
		due := b.w.now()
		for _, lane := range lanes {
			if err := lane.start(due); err != nil {
				return 0, err
			}
			sent += int64(b.o.Lines)
		}
		for _, lane := range lanes {
			if err := lane.wait(b.ctx); err != nil {
				return 0, err
			}
			record(s.answer, lane.done-due)
		}
		if wait {
			if err := b.delivered(a, sent*int64(b.o.Streams)); err != nil {
				return 0, err
			}
		}
	}
	for _, lane := range lanes {
		ids += lane.ids
	}
	b.report.check("lines answered with a rising ID", sent, ids)
	return sent, nil
}

// singles publishes one event after the other on one connection. It returns the events.
func (b *batchRun) singles(a *audience, s *batchSide, token uint64, wait bool) (int64, error) {
	p, err := newPublisher(b.w, b.t)
	if err != nil {
		return 0, err
	}
	events := max(b.o.Events/batchSingles, 1)
	for i := range events {
		due := b.w.now()
		e := event{"default", batchTopic(token), payload{token, uint64(i + 1), due}, b.o.PayloadBytes}
		if err := p.publish(b.ctx, e); err != nil {
			return 0, err
		}
		record(s.answer, b.w.now()-due)
		if wait {
			if err := b.delivered(a, int64(i+1)*int64(b.o.Streams)); err != nil {
				return 0, err
			}
		}
	}
	return int64(events), nil
}
