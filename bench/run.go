package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// run is one scenario on its way: its clients, its servers and its report.
type run struct {
	ctx     context.Context
	o       Options
	w       *swarm
	targets []target
	report  Report
}

// sharedLog lets a scenario and the output of its servers take turns. Any goroutine may
// write.
type sharedLog struct {
	mu sync.Mutex
	to io.Writer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// begin fills the options and starts an empty run. end must be called.
func begin(ctx context.Context, s Scenario, o Options) (*run, error) {
	r := &run{ctx: ctx, o: o.or(s.Defaults)}
	r.o.Log = &sharedLog{to: r.o.Log}
	r.report = Report{Scenario: s.Name, Started: time.Now(), Options: r.o}
	var err error
	r.w, err = newSwarm(time.Now(), r.o.Sources)
	return r, err
}

// end stops the servers and closes the clients. err is the error of the run so far.
func (r *run) end(err error) (Report, error) {
	r.report.Seconds = time.Since(r.report.Started).Seconds()
	errs := []error{err}
	if err != nil && r.w.faultCount > 0 {
		errs = append(errs, fmt.Errorf("bench: %d faults: %q", r.w.faultCount, r.w.faults))
	}
	errs = append(errs, r.w.close())
	for _, t := range r.targets {
		errs = append(errs, t.stop())
	}
	return r.report, errors.Join(errs...)
}

// start runs a server until the end of the run.
func (r *run) start(name string, argv []string) (target, error) {
	t, err := startTarget(r.ctx, name, argv, r.o.Log)
	if err == nil {
		r.targets = append(r.targets, t)
	}
	return t, err
}

// server starts the server under test.
func (r *run) server() (target, error) { return r.start("server", r.o.Server) }

// logf tells of progress.
func (r *run) logf(format string, args ...any) {
	fmt.Fprintf(r.o.Log, format+"\n", args...)
}

// audience makes an empty, exact audience of a target.
func (r *run) audience(t target) *audience {
	return &audience{swarm: r.w, target: t, exact: true}
}

// usage is processor time at one moment.
type usage struct {
	process, machine time.Duration
	at               int64
}

// use reads the clocks of a target and of the machine.
func (r *run) use(t target) (usage, error) {
	process, err := t.cpu()
	machine, err2 := machineCPU()
	return usage{process, machine, r.w.now()}, errors.Join(err, err2)
}

// since is the use of a target since before.
func (r *run) since(t target, before usage) (usage, error) {
	now, err := r.use(t)
	return usage{now.process - before.process, now.machine - before.machine, now.at - before.at}, err
}

const (
	quietWindow = 200 * time.Millisecond
	quietShare  = 100 // the window divided by it may be used: 1 %
	quietLimit  = 15 * time.Second
)

// quiet waits until a target has done with what was: less than 1 % of one processor in a
// window. A target that is never quiet is taken as it is after the limit.
func (r *run) quiet(t target) error {
	for end := r.w.now() + int64(quietLimit); r.w.now() < end; {
		before, err := t.cpu()
		if err != nil {
			return err
		}
		if err := r.w.sleep(r.ctx, r.w.now()+int64(quietWindow)); err != nil {
			return err
		}
		after, err := t.cpu()
		if err != nil {
			return err
		}
		if after-before < quietWindow/quietShare {
			return nil
		}
	}
	return nil
}

// surplusWait is how long a phase listens on for events that nobody published.
const surplusWait = 200 * time.Millisecond

// deliveryLimit is how long deliveries that are due may take.
const deliveryLimit = time.Minute

// delivered waits until the audience has got want events, then for surplus ones.
func (r *run) delivered(a *audience, want int64) error {
	err := r.w.until(r.ctx, fmt.Sprintf("%d events are delivered by %s", want, a.target.name), deliveryLimit, func() bool {
		return a.delivered >= want || r.w.faultCount > 0
	})
	if err != nil {
		return fmt.Errorf("%w (%d came)", err, a.delivered)
	}
	if r.w.faultCount > 0 {
		return fmt.Errorf("bench: %s broke the order or the count", a.target.name)
	}
	return nil
}

// surplus waits for events that nobody published: each would be a fault or a miscount.
func (r *run) surplus() error { return r.w.sleep(r.ctx, r.w.now()+int64(surplusWait)) }
