package bench

import "time"

// connect asks how many new streams a second a server takes in, how long each waits, and
// what it costs. With a rate it is an open loop: a connect is due at its time whatever
// has become of those before. Without one the next is opened as soon as fewer than
// connectsMax wait for their attachment.
//
// A stream counts as attached only when an event that is published after the ramp comes
// to it. Options.Connections is how many have to attach of Options.Streams: below that a
// server may refuse with 503 and Retry-After, which is counted.
var connect = Scenario{
	Name:     "connect",
	About:    "connects a second, time to head and to attachment, processor time of a connect",
	Defaults: Options{Streams: 15000, Topics: 16, PayloadBytes: 100},
	body:     runConnect,
}

const (
	// connectSampleInterval is the time between two points of the curve.
	connectSampleInterval = 100 * time.Millisecond
	// connectTail is how long the outcome of the last connects may take.
	connectTail = 30 * time.Second
)

// connectRun is the state of a ramp.
type connectRun struct {
	*run
	roster roster
	in     *arrivals
	start  int64
	last   int64 // when the last stream attached
}

func runConnect(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	p, err := newPublisher(r.w, t)
	if err != nil {
		return err
	}
	if err := r.quiet(t); err != nil {
		return err
	}
	topics := roster{NS: "default", Topic: "connect/%d", Shared: uint64(r.o.Topics)}
	c := &connectRun{run: r, roster: topics, in: newArrivals(r.audience(t))}
	c.in.onAttach = func(v *arrival) { c.last = v.now }
	r.report.axis(connectSeries, "time, s", "streams attached")
	before, err := r.use(t)
	if err != nil {
		return err
	}
	r.phase("connect", int64(r.o.Streams))
	if err := c.ramp(); err != nil {
		return err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return err
	}
	if err := c.prove(p); err != nil {
		return err
	}
	r.report.arrived(c.in, c.wanted())
	r.report.figure("attached a second, achieved", float64(c.in.attached)*1e9/float64(max(c.last-c.start, 1)), "1/s")
	r.report.figure("server CPU a connect", float64(spent.process)/1e3/float64(max(c.in.settled(), 1)), "us")
	r.report.figure("server CPU in the ramp, of one processor", 100*float64(spent.process)/float64(spent.at), "%")
	r.report.latency("connect due to head", c.in.head)
	r.report.latency("connect due to attachment", c.in.attach)
	r.report.noFaults(r.w)
	return nil
}

const connectSeries = "streams attached"

// wanted is how many streams have to attach.
func (c *connectRun) wanted() int {
	if c.o.Connections > 0 {
		return min(c.o.Connections, c.o.Streams)
	}
	return c.o.Streams
}

// ramp opens all streams and waits for their outcomes. Those that have none in the end
// are left to the checks.
func (c *connectRun) ramp() error {
	g := newAgenda()
	c.start = c.w.now()
	g.every(c.start, int64(connectSampleInterval), func(int64) error {
		c.report.sample(connectSeries, float64(c.w.now()-c.start)/1e9, float64(c.in.attached))
		c.step(int64(c.in.settled()))
		return nil
	})
	if c.o.Rate > 0 {
		for i := range c.o.Streams {
			g.at(c.start+int64(float64(i)*1e9/c.o.Rate), func(due int64) error { return c.open(i, due) })
		}
		if err := g.follow(c.run, c.start+int64(float64(c.o.Streams)*1e9/c.o.Rate)); err != nil {
			return err
		}
		c.report.latency("the client's own lateness", g.late)
	}
	tail := int64(min(connectTail, c.o.patience))
	end := c.w.now() + tail
	for c.in.settled() < c.o.Streams && c.w.now() < end {
		for c.in.tried < c.o.Streams && c.in.tried-c.in.settled() < connectsMax {
			if err := c.open(c.in.tried, c.w.now()); err != nil {
				return err
			}
			end = c.w.now() + tail
		}
		if err := g.follow(c.run, c.w.now()+int64(time.Millisecond)); err != nil {
			return err
		}
	}
	c.report.sample(connectSeries, float64(c.w.now()-c.start)/1e9, float64(c.in.attached))
	c.step(int64(c.in.settled()))
	return nil
}

func (c *connectRun) open(i int, due int64) error {
	_, err := c.in.open(c.roster.subscription(i), due)
	return err
}

// prove publishes one event to each topic: it must come to each attached stream.
func (c *connectRun) prove(p *publisher) error {
	a := c.in.audience
	for topic := range c.o.Topics {
		if err := c.publishOn(p, c.roster.event(uint64(topic), 1, c.w.now(), c.o.PayloadBytes)); err != nil {
			return err
		}
	}
	if err := c.delivered(a, int64(c.in.attached)); err != nil {
		return err
	}
	if err := c.surplus(); err != nil {
		return err
	}
	c.report.check("events delivered, one to each attached stream", int64(c.in.attached), a.delivered)
	return nil
}
