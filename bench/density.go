package bench

import (
	"fmt"
	"time"
)

// density asks what a waiting subscriber costs: memory, the processor time of its
// connect, and the processor time of doing nothing.
var density = Scenario{
	body:     runDensity,
	Name:     "density",
	About:    "memory, connect and idle cost of streams, each with its own topic",
	Defaults: Options{StreamsLow: 3000, Streams: 15000, Duration: time.Minute},
}

func runDensity(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	empty, err := r.memory(t, "empty")
	if err != nil {
		return err
	}
	a := r.audience(t)
	if err := r.openDevices(a, 0, r.o.StreamsLow); err != nil {
		return err
	}
	low, err := r.memory(t, fmt.Sprint("at ", r.o.StreamsLow))
	if err != nil {
		return err
	}
	before, err := r.use(t)
	if err != nil {
		return err
	}
	if err := r.openDevices(a, r.o.StreamsLow, r.o.Streams); err != nil {
		return err
	}
	if err := r.quiet(t); err != nil {
		return err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return err
	}
	high, err := r.memory(t, fmt.Sprint("at ", r.o.Streams))
	if err != nil {
		return err
	}
	more := float64(r.o.Streams - r.o.StreamsLow)
	r.report.figure("memory a stream, slope", float64(high-low)/more, "B")
	r.report.figure("memory a stream, from empty", float64(high-empty)/float64(r.o.Streams), "B")
	r.report.figure("server CPU a connect", float64(spent.process)/1e3/more, "us")
	return r.idle(t, a)
}

// openDevices opens streams from to below to, each on its own topic.
func (r *run) openDevices(a *audience, from, to int) error {
	r.logf("%s: streams %d to %d", a.target.name, from, to)
	return a.openAll(r.ctx, to-from, func(i int) subscription { return deviceSubscription(from + i) })
}

// deviceSubscription is stream i of the scenarios where each has its own topic.
func deviceSubscription(i int) subscription {
	return subscription{ns: "default", topic: deviceTopic(i), token: uint64(i)}
}

func deviceTopic(i int) string { return fmt.Sprintf("device/%06d", i) }

// memory reports a target's settled VmRSS.
func (r *run) memory(t target, when string) (int64, error) {
	bytes, settled, err := settledRSS(r.ctx, r.w, t.proc, r.o.Settle)
	if err != nil {
		return 0, err
	}
	if !settled {
		r.report.note("VmRSS %s had not settled after %v (change below %v in %v)", when, r.o.Settle.Limit, r.o.Settle.Change, r.o.Settle.Window)
	}
	r.report.figure("VmRSS "+when, float64(bytes)/1024, "KiB")
	return bytes, nil
}

// idle measures a target that has nothing to do but heartbeats.
func (r *run) idle(t target, a *audience) error {
	r.logf("%s: idle for %v", t.name, r.o.Duration)
	before, err := r.use(t)
	if err != nil {
		return err
	}
	if err := r.w.sleep(r.ctx, r.w.now()+int64(r.o.Duration)); err != nil {
		return err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return err
	}
	r.report.figure("idle server CPU, of one processor", 100*float64(spent.process)/float64(spent.at), "%")
	r.report.check("streams attached", int64(r.o.Streams), int64(a.attached))
	r.report.check("streams still open", int64(r.o.Streams), int64(r.w.open))
	r.report.check("events nobody published", 0, a.delivered)
	r.report.noFaults(r.w)
	return nil
}
