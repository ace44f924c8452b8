package bench

import (
	"fmt"
	"math/rand/v2"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// device asks what one event for one device costs, from the publisher's request to the
// delivery, in turn with a net/http server.
var device = Scenario{
	Name:     "device",
	About:    "processor time and latency of one publish to one reader among many, against net/http",
	Defaults: Options{Streams: 15000, Events: 20000, PayloadBytes: 100, Pairs: 3},
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
	cost             [2][]float64 // us a publish, by variant
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
	sides := []*deviceSide{newDeviceSide(t)}
	if len(r.o.Peer) > 0 {
		peer, err := r.start("net/http", r.o.Peer)
		if err != nil {
			return err
		}
		sides = append(sides, newDeviceSide(peer))
	}
	for pair := range r.o.Pairs {
		for _, s := range sides {
			r.logf("device: pair %d of %d, %s", pair+1, r.o.Pairs, s.target.name)
			if err := r.devicePhase(s, uint64(pair)); err != nil {
				return err
			}
		}
	}
	for v, variant := range deviceVariants {
		var peer []float64
		if len(sides) > 1 {
			peer = sides[1].cost[v]
		}
		r.report.compare("server CPU a publish, waiting for "+variant.name, "server", "net/http", "us", sides[0].cost[v], peer)
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

// devicePhase opens all streams at one server and publishes in both variants.
func (r *run) devicePhase(s *deviceSide, pair uint64) error {
	a := r.audience(s.target)
	if err := r.openDevices(a, 0, r.o.Streams); err != nil {
		return err
	}
	p, err := newPublisher(r.w, s.target)
	if err != nil {
		return err
	}
	seqs := make([]uint64, r.o.Streams)
	rng := rand.New(rand.NewPCG(r.o.Seed, pair))
	for v, variant := range deviceVariants {
		if err := r.quiet(s.target); err != nil {
			return err
		}
		already := a.delivered
		a.lag = s.delivery[v]
		before, err := r.use(s.target)
		if err != nil {
			return err
		}
		for range r.o.Events {
			if err := r.publishToDevice(a, p, s.answer[v], rng.IntN(r.o.Streams), seqs, variant.delivery); err != nil {
				return err
			}
		}
		want := already + int64(r.o.Events)
		if err := r.delivered(a, want); err != nil {
			return err
		}
		spent, err := r.since(s.target, before)
		if err != nil {
			return err
		}
		s.cost[v] = append(s.cost[v], float64(spent.process)/1e3/float64(r.o.Events))
		if err := r.surplus(); err != nil {
			return err
		}
		r.report.check(fmt.Sprintf("events delivered by the %s, waiting for %s", s.target.name, variant.name), int64(r.o.Events), a.delivered-already)
	}
	r.w.closeAll()
	return r.quiet(s.target)
}

// publishToDevice publishes the next event of device i and waits as the variant says.
func (r *run) publishToDevice(a *audience, p *publisher, answer *hdrhistogram.Histogram, i int, seqs []uint64, delivery bool) error {
	seqs[i]++
	due := r.w.now()
	want := a.delivered + 1
	e := event{"default", deviceTopic(i), payload{uint64(i), seqs[i], due}, r.o.PayloadBytes}
	if err := p.publish(r.ctx, e); err != nil {
		return err
	}
	record(answer, r.w.now()-due)
	if !delivery {
		return nil
	}
	return r.delivered(a, want)
}
