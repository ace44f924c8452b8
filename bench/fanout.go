package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// fanout asks what one delivered event costs when all streams read one topic, in turn
// with the floor, which is a loop of send() in C to the same clients with the same bytes,
// and with other servers; first with few streams, then with all.
var fanout = Scenario{
	body:  runFanout,
	Name:  "fanout",
	About: "processor time of one delivered event, all streams on one topic, against a send() loop in C and other servers",
	Defaults: Options{
		Streams: 15000, StreamsLow: 1000, Events: 100, PayloadBytes: 100, Pairs: 5,
		Pacing: pacingLockstep, Interval: 100 * time.Millisecond,
	},
	spreads: true,
}

// Values of Options.Pacing.
const (
	pacingLockstep = "lockstep" // the next event when everybody has the last
	pacingBurst    = "burst"    // the next event when the last is published
	pacingInterval = "interval" // one event each Options.Interval, open loop
)

// fanoutEventsFactor bounds how many times more events the few streams get than all do:
// as many deliveries take as long, and are measured as exactly.
const fanoutEventsFactor = 20

// broadcaster sends one event to a whole audience.
type broadcaster interface {
	broadcast(r *run, e event) error
}

// serverSide publishes by HTTP.
type serverSide struct{ *publisher }

func (s serverSide) broadcast(r *run, e event) error { return s.publish(r.ctx, e) }

// floorSide tells the floor by its standard input.
type floorSide struct {
	stdin      io.Writer
	frameBytes int // 0: the server's are not known yet
}

func (f *floorSide) broadcast(_ *run, e event) error {
	_, err := fmt.Fprintf(f.stdin, "send %d %d %d %d\n", e.payload.seq, e.payload.token, e.payload.due, f.frameBytes)
	return err
}

// fanoutSide is what one sender has shown in one step.
type fanoutSide struct {
	target  target
	floor   *floorSide // nil: it is a server
	sender  []float64  // ns of a delivered event, by turn
	machine []float64
	client  []float64
	lag     *hdrhistogram.Histogram // of all turns: publish to delivery, ns
}

// fanoutStep is one number of streams.
type fanoutStep struct {
	*run
	streams, events int
	suffix          string // of its names in the report; empty: all streams
	sides           []*fanoutSide
}

func runFanout(r *run) error {
	switch r.o.Pacing {
	case pacingLockstep, pacingBurst, pacingInterval:
	default:
		return fmt.Errorf("bench: pacing %q: want %s, %s or %s", r.o.Pacing, pacingLockstep, pacingBurst, pacingInterval)
	}
	sides, err := r.fanoutSides()
	if err != nil {
		return err
	}
	var steps []*fanoutStep
	if low := r.o.StreamsLow; low > 0 && low < r.o.Streams {
		factor := min(r.o.Streams/low, fanoutEventsFactor)
		if r.o.Pacing == pacingInterval {
			factor = 1 // it is time that bounds these
		}
		steps = append(steps, &fanoutStep{run: r, streams: low, events: r.o.Events * factor, suffix: fmt.Sprintf(", %d streams", low)})
	}
	steps = append(steps, &fanoutStep{run: r, streams: r.o.Streams, events: r.o.Events})
	var token uint64
	for _, s := range steps {
		for _, side := range sides {
			s.sides = append(s.sides, &fanoutSide{target: side.target, floor: side.floor, lag: newHistogram()})
		}
		for pair := range r.o.Pairs {
			for _, side := range s.sides {
				token++
				r.phase(fmt.Sprintf("%d streams, turn %d of %d, %s", s.streams, pair+1, r.o.Pairs, side.target.name), int64(s.events))
				if err := s.turn(side, token); err != nil {
					return err
				}
			}
		}
	}
	full := steps[len(steps)-1]
	full.report()
	if len(steps) > 1 {
		steps[0].report()
		r.growth(steps[0], full)
	}
	r.report.noFaults(r.w)
	return nil
}

// growth tells how much dearer an event is to more readers, since caches hold fewer of
// them: the floor's own growth is the machine's.
func (r *run) growth(few, full *fanoutStep) {
	var grown []float64
	floor := -1
	for i, side := range full.sides {
		grown = append(grown, median(side.sender)/median(few.sides[i].sender))
		r.report.figure(fmt.Sprintf("CPU of the sender a delivered event, %d streams to %d, %s", full.streams, few.streams, side.target.name),
			grown[i], "times")
		if side.floor != nil {
			floor = i
		}
	}
	if floor > 0 {
		r.report.figure("growth with the number of streams, server over floor", grown[0]/grown[floor], "ratio")
	}
}

// fanoutSides starts all senders.
func (r *run) fanoutSides() ([]*fanoutSide, error) {
	t, err := r.server()
	if err != nil {
		return nil, err
	}
	sides := []*fanoutSide{{target: t}}
	if len(r.o.Floor) > 0 {
		floor, err := r.start("floor", r.o.Floor, Wire{})
		if err != nil {
			return nil, err
		}
		sides = append(sides, &fanoutSide{target: floor, floor: &floorSide{stdin: floor.stdin}})
	}
	rivals, err := r.rivals()
	for _, t := range rivals {
		sides = append(sides, &fanoutSide{target: t})
	}
	return sides, err
}

// report compares the sides of a step.
func (s *fanoutStep) report() {
	var sender, machine []measured
	var client []float64
	for _, side := range s.sides {
		sender = append(sender, measured{side.target.name, side.sender})
		machine = append(machine, measured{side.target.name, side.machine})
		client = append(client, side.client...)
	}
	r := &s.run.report
	r.compareAll("CPU of the sender a delivered event"+s.suffix, "ns", sender)
	r.compareAll("CPU of the whole machine a delivered event"+s.suffix, "ns", machine)
	r.figure("CPU of the client a delivered event, median"+s.suffix, median(client), "ns")
	for _, side := range s.sides {
		r.latency(side.target.name+": publish to delivery"+s.suffix, side.lag)
	}
}

// turn opens all streams at one sender, broadcasts, verifies and closes them.
func (s *fanoutStep) turn(side *fanoutSide, token uint64) error {
	r, t := s.run, side.target
	if side.floor != nil {
		if _, err := io.WriteString(side.floor.stdin, "close\n"); err != nil {
			return err
		}
	}
	a := r.spread(t, roster{NS: "default", Topic: "fanout/%d", Base: token, Shared: 1})
	a.lag = side.lag
	if err := a.grow(r.ctx, s.streams); err != nil {
		return err
	}
	if err := r.quiet(t); err != nil {
		return err
	}
	var b broadcaster = side.floor
	if side.floor == nil {
		p, err := newPublisher(r.w, t)
		if err != nil {
			return err
		}
		defer p.conn.close()
		b = serverSide{p}
	}
	head := a.bytes
	self, err := r.clientCPU()
	if err != nil {
		return err
	}
	before, err := r.use(t)
	if err != nil {
		return err
	}
	if err := s.broadcast(a, b); err != nil {
		return err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return err
	}
	selfAfter, err := r.clientCPU()
	if err != nil {
		return err
	}
	if err := r.surplus(); err != nil {
		return err
	}
	want := int64(s.streams) * int64(s.events)
	r.report.check("events delivered by the "+t.name+s.suffix, want, a.delivered)
	side.sender = append(side.sender, float64(spent.process)/float64(want))
	side.machine = append(side.machine, float64(spent.machine)/float64(want))
	side.client = append(side.client, float64(selfAfter-self)/float64(want))
	s.knowFrame(side, int((a.bytes-head)/want))
	if err := a.collect(r.ctx); err != nil {
		return err
	}
	a.closeAll()
	return r.quiet(t)
}

// knowFrame tells the floor how long the server's frames are.
func (s *fanoutStep) knowFrame(from *fanoutSide, bytes int) {
	for _, side := range s.sides {
		if from != s.sides[0] || side.floor == nil {
			continue
		}
		if side.floor.frameBytes == 0 {
			s.run.report.figure("frame on the wire", float64(bytes), "B")
		}
		side.floor.frameBytes = bytes
	}
}

// broadcast sends all events at the chosen pace and waits until all are delivered.
func (s *fanoutStep) broadcast(a *audience, b broadcaster) error {
	r, start := s.run, s.w.now()
	for i := range s.events {
		due := r.w.now()
		if r.o.Pacing == pacingInterval {
			due = start + int64(i)*int64(r.o.Interval)
			if err := r.w.sleep(r.ctx, due); err != nil {
				return err
			}
		}
		if err := b.broadcast(r, a.roster.event(a.roster.Base, uint64(i+1), due, r.o.PayloadBytes)); err != nil {
			return err
		}
		if r.o.Pacing == pacingLockstep {
			if err := r.delivered(a, int64(i+1)*int64(s.streams)); err != nil {
				return err
			}
		}
		r.step(int64(i + 1))
	}
	return r.delivered(a, int64(s.events)*int64(s.streams))
}
