package bench

import (
	"fmt"
	"io"
	"os"
	"time"
)

// fanout asks what one delivered event costs when all streams read one topic, in turn
// with the floor: a loop of send() in C to the same clients with the same bytes.
var fanout = Scenario{
	body:  runFanout,
	Name:  "fanout",
	About: "processor time of one delivered event, all streams on one topic, against a send() loop in C",
	Defaults: Options{
		Streams: 15000, Events: 100, PayloadBytes: 100, Pairs: 5,
		Pacing: pacingLockstep, Interval: 100 * time.Millisecond,
	},
}

// Values of Options.Pacing.
const (
	pacingLockstep = "lockstep" // the next event when everybody has the last
	pacingBurst    = "burst"    // the next event when the last is published
	pacingInterval = "interval" // one event each Options.Interval, open loop
)

// broadcaster sends one event to a whole audience.
type broadcaster interface {
	broadcast(r *run, p payload) error
}

// serverSide publishes by HTTP.
type serverSide struct{ *publisher }

const fanoutTopic = "fanout/all"

func (s serverSide) broadcast(r *run, p payload) error {
	return s.publish(r.ctx, event{"default", fanoutTopic, p, r.o.PayloadBytes})
}

// floorSide tells the floor by its standard input.
type floorSide struct {
	stdin      io.Writer
	frameBytes int
}

func (f *floorSide) broadcast(_ *run, p payload) error {
	_, err := fmt.Fprintf(f.stdin, "send %d %d %d %d\n", p.seq, p.token, p.due, f.frameBytes)
	return err
}

// phaseCost is one phase of a fan-out.
type phaseCost struct {
	server, machine, client float64 // ns a delivered event
	frameBytes              int
}

func runFanout(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	floorSide := &floorSide{}
	var floor target
	if len(r.o.Floor) > 0 {
		if floor, err = r.start("floor", r.o.Floor); err != nil {
			return err
		}
		floorSide.stdin = floor.stdin
	}
	var server, machine, client, bare, bareMachine []float64
	for pair := range r.o.Pairs {
		r.logf("fanout: pair %d of %d", pair+1, r.o.Pairs)
		p, err := newPublisher(r.w, t)
		if err != nil {
			return err
		}
		cost, err := r.fanoutPhase(t, serverSide{p}, uint64(2*pair+1))
		if err != nil {
			return err
		}
		server, machine, client = append(server, cost.server), append(machine, cost.machine), append(client, cost.client)
		if floor.process == nil {
			continue
		}
		if floorSide.frameBytes = cost.frameBytes; pair == 0 {
			r.report.figure("frame on the wire", float64(cost.frameBytes), "B")
		}
		if _, err := io.WriteString(floor.stdin, "close\n"); err != nil {
			return err
		}
		if cost, err = r.fanoutPhase(floor, floorSide, uint64(2*pair+2)); err != nil {
			return err
		}
		bare, bareMachine = append(bare, cost.server), append(bareMachine, cost.machine)
	}
	r.report.compare("CPU of the sender a delivered event", "server", "floor", "ns", server, bare)
	r.report.compare("CPU of the whole machine a delivered event", "server", "floor", "ns", machine, bareMachine)
	r.report.figure("CPU of the client a delivered event, median", median(client), "ns")
	r.report.noFaults(r.w)
	return nil
}

// fanoutPhase opens all streams at one target, broadcasts, verifies and closes them.
func (r *run) fanoutPhase(t target, b broadcaster, token uint64) (phaseCost, error) {
	var cost phaseCost
	a := r.audience(t)
	err := a.openAll(r.ctx, r.o.Streams, func(int) subscription {
		return subscription{ns: "default", topic: fanoutTopic, token: token}
	})
	if err != nil {
		return cost, err
	}
	if err := r.quiet(t); err != nil {
		return cost, err
	}
	head := a.bytes
	before, err := r.use(t)
	if err != nil {
		return cost, err
	}
	self := proc(os.Getpid())
	selfBefore, err := self.cpu()
	if err != nil {
		return cost, err
	}
	if err := r.broadcastAll(a, b, token); err != nil {
		return cost, err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return cost, err
	}
	selfAfter, err := self.cpu()
	if err != nil {
		return cost, err
	}
	if err := r.surplus(); err != nil {
		return cost, err
	}
	want := int64(r.o.Streams) * int64(r.o.Events)
	r.report.check("events delivered by the "+t.name, want, a.delivered)
	cost = phaseCost{
		server:     float64(spent.process) / float64(want),
		machine:    float64(spent.machine) / float64(want),
		client:     float64(selfAfter-selfBefore) / float64(want),
		frameBytes: int((a.bytes - head) / want),
	}
	r.w.closeAll()
	return cost, r.quiet(t)
}

// broadcastAll sends all events at the chosen pace and waits until all are delivered.
func (r *run) broadcastAll(a *audience, b broadcaster, token uint64) error {
	start := r.w.now()
	for i := range r.o.Events {
		due := r.w.now()
		switch r.o.Pacing {
		case pacingInterval:
			due = start + int64(i)*int64(r.o.Interval)
			if err := r.w.sleep(r.ctx, due); err != nil {
				return err
			}
		case pacingLockstep, pacingBurst:
		default:
			return fmt.Errorf("bench: pacing %q: want %s, %s or %s", r.o.Pacing, pacingLockstep, pacingBurst, pacingInterval)
		}
		if err := b.broadcast(r, payload{token, uint64(i + 1), due}); err != nil {
			return err
		}
		if r.o.Pacing == pacingLockstep {
			if err := r.delivered(a, int64(i+1)*int64(r.o.Streams)); err != nil {
				return err
			}
		}
	}
	return r.delivered(a, int64(r.o.Events)*int64(r.o.Streams))
}
