package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"throng/bench/internal/sock"
)

// fair asks what one namespace's flood does to another's events and to new streams. It
// measures the same twice, before the flood and during it.
var fair = Scenario{
	Name:     "fair",
	About:    "latency of a calm namespace, and of new streams, while another is flooded",
	Defaults: Options{Streams: 14000, PayloadBytes: 100, Interval: 20 * time.Millisecond, Duration: 20 * time.Second},
	body:     runFair,
}

const (
	// fairFreshInterval is the time between two new streams.
	fairFreshInterval = 50 * time.Millisecond

	// calmNice is the nice value of the thread of the calm clients. It does next to
	// nothing, and its clock is the measure.
	calmNice = -10

	floodToken = 1
	calmToken  = 2
)

func runFair(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	f, err := newFlood(r, t)
	if err != nil {
		return err
	}
	defer f.w.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := sock.Nice(calmNice); err != nil {
		r.report.note("the calm clients run at ordinary priority: %v", err)
	} else {
		defer sock.Nice(0)
	}
	c := &calm{run: r, audience: r.audience(t), fresh: r.audience(t)}
	if err := c.open(t); err != nil {
		return err
	}
	if err := r.quiet(t); err != nil {
		return err
	}
	if err := c.measure("before the flood"); err != nil {
		return err
	}
	before, err := r.use(t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go f.run(ctx, ended)
	err = c.measure("in the flood")
	f.stop.Store(true)
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return err
	}
	seconds := float64(spent.at) / 1e9
	r.report.figure("server CPU in the flood, of one processor", 100*float64(spent.process)/float64(spent.at), "%")
	r.report.figure("flood published", float64(f.p.ok)/seconds, "1/s")
	r.report.figure("flood refused", float64(f.p.refused)/seconds, "1/s")
	r.report.figure("flood delivered", float64(f.audience.delivered)/seconds, "1/s")
	r.report.figure("flood: gaps told", float64(f.audience.gaps), "")
	r.report.figure("flood: streams closed by the server", float64(f.audience.closed), "")
	r.report.checkThat("flood events delivered", "> 0", fmt.Sprint(f.audience.delivered), f.audience.delivered > 0)
	r.report.check("faults seen by the flooded", 0, int64(f.w.faultCount))
	r.report.Notes = append(r.report.Notes, f.w.faults...)
	r.report.noFaults(r.w)
	return nil
}

// flood is the busy namespace with a swarm of its own, which run reads in a second
// goroutine: the calm clients' clock is not to wait for thousands of reads.
type flood struct {
	w        *swarm
	audience *audience
	p        *publisher
	size     int // payload, bytes
	stop     atomic.Bool
}

func newFlood(r *run, t target) (*flood, error) {
	w, err := newSwarm(r.w.epoch, r.o.Sources)
	if err != nil {
		return nil, err
	}
	f := &flood{w: w, size: r.o.PayloadBytes}
	f.audience = &audience{swarm: w, target: t, onGone: func(*stream, error) {}}
	err = f.audience.openAll(r.ctx, r.o.Streams, func(int) subscription {
		return subscription{ns: "flood", topic: "flood/all", token: floodToken}
	})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return f, nil
}

// run publishes back to back until stop. It owns the flood's swarm meanwhile.
func (f *flood) run(ctx context.Context, ended chan<- error) {
	var err error
	if f.p, err = newPublisher(f.w, f.audience.target); err != nil { // now: a server closes connections that say nothing
		ended <- err
		return
	}
	for seq := uint64(1); !f.stop.Load(); seq++ {
		err := f.p.publish(ctx, event{"flood", "flood/all", payload{floodToken, seq, f.w.now()}, f.size})
		if err != nil {
			ended <- err
			return
		}
	}
	ended <- nil
}

// calm is the namespace that must not notice: one reader, one publisher, and streams
// that come one after the other.
type calm struct {
	*run
	audience, fresh *audience
	p               *publisher
	published       uint64
	connected       int
}

func (c *calm) open(t target) error {
	err := c.audience.openAll(c.ctx, 1, func(int) subscription {
		return subscription{ns: "calm", topic: "calm/one", token: calmToken}
	})
	if err != nil {
		return err
	}
	c.p, err = newPublisher(c.w, t)
	return err
}

// measure publishes and connects in an open loop for the duration: due times never wait
// for the server, so what it delays is counted in full.
func (c *calm) measure(when string) error {
	a := c.audience
	a.lag, c.fresh.firstByte = newHistogram(), newHistogram()
	late := newHistogram()
	now := c.w.now()
	end := now + int64(c.o.Duration)
	nextEvent, nextStream := now, now
	c.phase(when, int64(c.o.Duration))
	for nextEvent < end {
		c.step(int64(c.o.Duration) - (end - now))
		if err := c.w.sleep(c.ctx, min(nextEvent, nextStream)); err != nil {
			return err
		}
		now = c.w.now()
		if now >= nextStream {
			sub := subscription{ns: "calm", topic: fmt.Sprintf("fresh/%d", c.connected), token: uint64(c.connected)}
			if _, err := c.fresh.open(sub); err != nil {
				return err
			}
			c.connected++
			nextStream += int64(fairFreshInterval)
		}
		if now >= nextEvent {
			record(late, now-nextEvent)
			c.published++
			e := event{"calm", "calm/one", payload{calmToken, c.published, nextEvent}, c.o.PayloadBytes}
			if err := c.p.publish(c.ctx, e); err != nil {
				return err
			}
			nextEvent += int64(c.o.Interval)
		}
	}
	if err := c.delivered(a, int64(c.published)); err != nil {
		return err
	}
	err := c.w.until(c.ctx, "new streams attach", deliveryLimit, func() bool { return c.fresh.attached == c.connected })
	if err != nil {
		return err
	}
	c.report.check("calm events delivered, "+when, int64(c.published), a.delivered)
	c.report.latency("calm, publish due to delivery, "+when, a.lag)
	c.report.latency("new stream, connect to first byte, "+when, c.fresh.firstByte)
	c.report.latency("the client's own lateness, "+when, late)
	return nil
}
