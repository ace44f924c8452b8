package bench

import (
	"fmt"
	"time"
)

// churn asks whether clients that come, listen and leave cost a server anything for good.
// Options.Streams are there at any time and Options.Rate come in a second, so that each
// stays Streams/Rate seconds on average (Little's law), exponentially distributed, as
// those at the start do; the load is steady from its first moment.
//
// Each stream must get every event of its topic between its attachment and its leaving.
// Memory and descriptors must be as flat as flatShare, flatRSS and flatFDs say, and in the
// end the server must hold what it held at the start. A server of ours keeps no more than
// churnRetained events, so that its log soon has its full size.
var churn = Scenario{
	Name:  "churn",
	About: "clients that come, listen and leave: every event, and flat memory and descriptors",
	Defaults: Options{
		Streams: 2000, Rate: 200, Topics: 16, PayloadBytes: 100,
		Interval: 20 * time.Millisecond, Duration: time.Minute,
	},
	body: runChurn,
}

const (
	// churnRetained is the log of a server of ours, in events.
	churnRetained = 1024
	churnNS       = "default"
)

func runChurn(r *run) error {
	r.serverOption("--retain-events", fmt.Sprint(churnRetained))
	t, err := r.server()
	if err != nil {
		return err
	}
	start, err := r.warm(t)
	if err != nil {
		return err
	}
	l, err := newLedger(r, t, churnNS, 1, ledgerNames("churn", r.o.Topics))
	if err != nil {
		return err
	}
	g := newAgenda()
	v := newVisitors(r, l, g, r.o.Rate, float64(r.o.Streams)/r.o.Rate)
	if err := v.in.openAll(r, r.o.Streams, func(int) error { return v.come(r.w.now()) }); err != nil {
		return err
	}
	if err := r.churnFor(t, g, v); err != nil {
		return err
	}
	r.report.arrived(v.in, v.in.tried)
	v.tell("")
	r.report.latency("connect due to attachment", v.in.attach)
	r.report.latency("publish due to delivery", v.in.audience.lag)
	r.report.latency("the client's own lateness", g.late)
	r.w.closeAll()
	return r.returnedTo(t, start)
}

// warm lets the server open once what it opens for good, by a wave of streams that come
// and go. What it holds then is what it must come back to.
func (r *run) warm(t target) (held, error) {
	a := r.audience(t)
	err := a.openAll(r.ctx, min(r.o.Streams, connectsMax), func(int) subscription {
		return subscription{ns: churnNS, topic: "warm"}
	})
	if err != nil {
		return held{}, err
	}
	a.closeAll()
	if err := r.quiet(t); err != nil {
		return held{}, err
	}
	return (&rude{run: r, t: t}).held()
}

// returnedTo checks that the server holds no more than at the start.
func (r *run) returnedTo(t target, start held) error {
	if err := (&rude{run: r, t: t}).returned(start); err != nil {
		return err
	}
	r.report.noFaults(r.w)
	return nil
}

// churnFor is the measured part.
func (r *run) churnFor(t target, g *agenda, v *visitors) error {
	w, err := r.newWatch(t)
	if err != nil {
		return err
	}
	start := r.w.now()
	end := start + int64(r.o.Duration)
	rng := v.rng
	g.every(start, int64(r.o.Interval), func(due int64) error {
		return v.ledger.publish(rng.IntN(r.o.Topics), due, r.o.PayloadBytes)
	})
	g.every(start, watchEvery(r.o.Duration), func(int64) error {
		r.step((r.w.now() - start) / int64(time.Second))
		return w.look()
	})
	g.every(start, v.interval(), v.come)
	r.phase("churn, s", int64(r.o.Duration/time.Second))
	before, err := r.use(t)
	if err != nil {
		return err
	}
	if err := g.follow(r, end); err != nil {
		return err
	}
	spent, err := r.since(t, before)
	if err != nil {
		return err
	}
	r.report.figure("server CPU, of one processor", 100*float64(spent.process)/float64(spent.at), "%")
	r.report.figure("events published", float64(v.ledger.published), "")
	if err := v.leaveAll(); err != nil {
		return err
	}
	w.checkFlat("", true)
	return nil
}
