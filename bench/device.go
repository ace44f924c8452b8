package bench

import (
	"fmt"
	"math/rand/v2"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// device asks what one event for one device costs, from the publisher's request to the
// delivery, in turn with other servers: A B C A B C …
var device = Scenario{
	Name:     "device",
	About:    "processor time and latency of one publish to one reader among many, against other servers",
	Defaults: Options{Streams: 15000, Events: 20000, PayloadBytes: 100, Pairs: 3},
	spreads:  true,
	body:     runDevice,
}

// deviceVariants: what the publisher waits for before its next request.
var deviceVariants = []struct {
	name     string
	delivery bool
}{{"answer", false}, {"answer and delivery", true}}

// deviceSide is what one server has shown so far.
type deviceSide struct {
	target           target
	cost, machine    [2][]float64 // us a publish, by variant
	answer, delivery [2]*hdrhistogram.Histogram
}

func newDeviceSide(t target) *deviceSide {
	s := &deviceSide{target: t}
	for v := range deviceVariants {
		s.answer[v], s.delivery[v] = newHistogram(), newHistogram()
	}
	return s
}

func runDevice(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	rivals, err := r.rivals()
	if err != nil {
		return err
	}
	sides := []*deviceSide{newDeviceSide(t)}
	for _, t := range rivals {
		sides = append(sides, newDeviceSide(t))
	}
	for pair := range r.o.Pairs {
		for _, s := range sides {
			r.logf("device: turn %d of %d, %s", pair+1, r.o.Pairs, s.target.name)
			if err := r.devicePhase(s, pair); err != nil {
				return err
			}
		}
	}
	for v, variant := range deviceVariants {
		var cost, machine []measured
		for _, s := range sides {
			cost = append(cost, measured{s.target.name, s.cost[v]})
			machine = append(machine, measured{s.target.name, s.machine[v]})
		}
		r.report.compareAll("server CPU a publish, waiting for "+variant.name, "us", cost)
		r.report.compareAll("CPU of the whole machine a publish, waiting for "+variant.name, "us", machine)
		for _, s := range sides {
			r.report.figure(fmt.Sprintf("publishes a CPU second, waiting for %s, %s", variant.name, s.target.name), 1e6/median(s.cost[v]), "1/s")
		}
	}
	for _, s := range sides {
		for v, variant := range deviceVariants {
			r.report.latency(fmt.Sprintf("%s, waiting for %s: publish to answer", s.target.name, variant.name), s.answer[v])
			r.report.latency(fmt.Sprintf("%s, waiting for %s: publish to delivery", s.target.name, variant.name), s.delivery[v])
		}
	}
	r.report.noFaults(r.w)
	return nil
}

// devicePhase opens all streams at one server and publishes in both variants. A turn's
// topics are its own: a server may keep what was published to those before.
func (r *run) devicePhase(s *deviceSide, pair int) error {
	c := devices
	c.Base = uint64(pair) * uint64(r.o.Streams)
	a := r.spread(s.target, c)
	if err := r.growTo(a, r.o.Streams); err != nil {
		return err
	}
	d := &deviceRun{run: r, side: s, audience: a, seqs: make([]uint64, r.o.Streams), rng: rand.New(rand.NewPCG(r.o.Seed, uint64(pair)))}
	for v := range deviceVariants {
		r.phase(fmt.Sprintf("%s, waiting for %s", s.target.name, deviceVariants[v].name), int64(r.o.Events))
		if err := d.variant(v); err != nil {
			return err
		}
	}
	a.closeAll()
	return r.quiet(s.target)
}

// deviceRun is one turn of one side.
type deviceRun struct {
	*run
	side     *deviceSide
	audience *audience
	p        *publisher
	seqs     []uint64 // by stream
	rng      *rand.Rand
}

func (d *deviceRun) variant(v int) error {
	s, a, name := d.side, d.audience, deviceVariants[v].name
	if err := d.quiet(s.target); err != nil {
		return err
	}
	var err error
	if d.p, err = newPublisher(d.w, s.target); err != nil {
		return err
	}
	defer d.p.conn.close()
	already := a.delivered
	a.lag = s.delivery[v]
	before, err := d.use(s.target)
	if err != nil {
		return err
	}
	for i := range d.o.Events {
		if err := d.publish(s.answer[v], deviceVariants[v].delivery); err != nil {
			return err
		}
		d.step(int64(i + 1))
	}
	if err := d.delivered(a, already+int64(d.o.Events)); err != nil {
		return err
	}
	spent, err := d.since(s.target, before)
	if err != nil {
		return err
	}
	s.cost[v] = append(s.cost[v], float64(spent.process)/1e3/float64(d.o.Events))
	s.machine[v] = append(s.machine[v], float64(spent.machine)/1e3/float64(d.o.Events))
	if err := d.surplus(); err != nil {
		return err
	}
	d.report.check(fmt.Sprintf("events delivered by the %s, waiting for %s", s.target.name, name), int64(d.o.Events), a.delivered-already)
	return a.collect(d.ctx)
}

// publish publishes the next event of a random device and waits as the variant says.
func (d *deviceRun) publish(answer *hdrhistogram.Histogram, delivery bool) error {
	i := d.rng.IntN(d.o.Streams)
	d.seqs[i]++
	due := d.w.now()
	want := d.audience.delivered + 1
	if err := d.p.publish(d.ctx, d.audience.roster.event(d.audience.roster.token(i), d.seqs[i], due, d.o.PayloadBytes)); err != nil {
		return err
	}
	record(answer, d.w.now()-due)
	if !delivery {
		return nil
	}
	return d.run.delivered(d.audience, want)
}
