package bench

import (
	"fmt"
	"math"
	"time"
)

// density asks what a waiting subscriber costs: memory, the kernel's too, the processor
// time of its connect, and the processor time of doing nothing.
var density = Scenario{
	body:     runDensity,
	spreads:  true,
	Name:     "density",
	About:    "memory, connect and idle cost of streams, each with its own topic",
	Defaults: Options{StreamsLow: 3000, Streams: 15000, Duration: time.Minute, Settle: rssSettled},
}

const (
	densitySeries = "memory of the server"
	kernelSeries  = "kernel memory, both ends of the connections"
	// densitySamples is how many points the curves have.
	densitySamples = 50
)

func runDensity(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	r.report.axis(densitySeries, "streams", "VmRSS, MiB")
	r.report.axis(kernelSeries, "streams", "MiB")
	r.phase("streams attach", int64(r.o.Streams))
	empty, err := r.memory(t, "empty")
	if err != nil {
		return err
	}
	kernelEmpty := kernelBytes()
	a := r.spread(t, devices)
	if err := r.growCurve(a, r.o.StreamsLow, kernelEmpty); err != nil {
		return err
	}
	low, err := r.memory(t, fmt.Sprint("at ", r.o.StreamsLow))
	if err != nil {
		return err
	}
	kernelLow := kernelBytes()
	buffersLow, err := socketMemory()
	if err != nil {
		return err
	}
	before, err := r.use(t)
	if err != nil {
		return err
	}
	if err := r.growCurve(a, r.o.Streams, kernelEmpty); err != nil {
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
	r.report.figure("memory a stream, slope", (high-low)/more, "B")
	r.report.figure("memory a stream, from empty", (high-empty)/float64(r.o.Streams), "B")
	r.report.figure("kernel memory a stream, slope, both ends", (kernelBytes()-kernelLow)/more, "B")
	buffers, err := socketMemory()
	if err != nil {
		return err
	}
	r.report.figure("socket buffers a stream, slope, both ends", float64(buffers-buffersLow)/more, "B")
	r.report.figure("server CPU a connect", float64(spent.process)/1e3/more, "us")
	return r.idle(t, a)
}

// growTo opens the streams of an audience up to a number.
func (r *run) growTo(a *audience, to int) error {
	r.logf("%s: %d streams", a.target.name, to)
	return a.grow(r.ctx, to)
}

// growCurve opens streams up to a number and samples memory on the way, as it is.
func (r *run) growCurve(a *audience, to int, kernelEmpty float64) error {
	r.logf("%s: streams up to %d", a.target.name, to)
	for a.attached < to {
		if err := a.grow(r.ctx, min(a.attached+max(r.o.Streams/densitySamples, 1), to)); err != nil {
			return err
		}
		r.step(int64(a.attached))
		if t := a.target; t.family != nil {
			rss, err := t.rss()
			if err != nil {
				return err
			}
			r.report.sample(densitySeries, float64(a.attached), float64(rss)/(1<<20))
		}
		if kernel := kernelBytes() - kernelEmpty; !math.IsNaN(kernel) {
			r.report.sample(kernelSeries, float64(a.attached), kernel/(1<<20))
		}
	}
	return nil
}

// kernelBytes is the memory of the kernel for sockets and what belongs to them, of the
// whole machine: caches and socket buffers. It is NaN where that may not be read.
func kernelBytes() float64 {
	m, err := readKernelMemory()
	if err != nil {
		return math.NaN()
	}
	sum := m.buffers
	for _, name := range connectionSlabs {
		sum += m.slabs[name]
	}
	return float64(sum)
}

// devices are streams that have a topic each.
var devices = roster{NS: "default", Topic: "device/%06d"}

func deviceTopic(i int) string { return devices.topic(uint64(i)) }

// memory reports a target's settled VmRSS, bytes; NaN when its process is not known.
func (r *run) memory(t target, when string) (float64, error) {
	if t.family == nil {
		return math.NaN(), nil
	}
	bytes, settled, err := settledRSS(r.ctx, r.w, t, r.o.Settle)
	if err != nil {
		return 0, err
	}
	if !settled {
		r.report.note("VmRSS %s had not settled after %v (change below %v in %v)", when, r.o.Settle.Limit, r.o.Settle.Change, r.o.Settle.Window)
	}
	r.report.figure("VmRSS "+when, float64(bytes)/1024, "KiB")
	return float64(bytes), nil
}

// idle measures a target that has nothing to do but heartbeats.
func (r *run) idle(t target, a *audience) error {
	r.logf("%s: idle for %v", t.name, r.o.Duration)
	r.phase("idle", int64(r.o.Duration/time.Second))
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
	r.report.check("streams still open", int64(r.o.Streams), int64(a.held()))
	r.report.check("events nobody published", 0, a.delivered)
	r.report.noFaults(r.w)
	return nil
}
