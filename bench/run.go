package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"
)

// run is one scenario on its way: its clients, its servers and its report.
type run struct {
	ctx     context.Context
	o       Options
	w       *swarm
	targets []target
	team    *team // nil: no workers
	// afterwards are duties of the end, when the servers have stopped.
	afterwards []func() error
	report     Report

	unhurried           bool  // it was told that the generator has no precedence
	phaseTotal, stepped int64 // of the phase; time of the last step that was told
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
	if r.team != nil {
		errs = append(errs, r.team.stop())
	}
	errs = append(errs, r.w.close())
	for _, t := range r.targets {
		if t.process != nil {
			errs = append(errs, t.stop())
		}
	}
	errs = append(errs, r.tidyUp())
	r.report.leaveOutUnknown()
	return r.report, errors.Join(errs...)
}

// start runs a server until the end of the run.
func (r *run) start(name string, argv []string, wire Wire) (target, error) {
	t, err := startTarget(r.ctx, name, argv, wire, r.o.Log)
	if err == nil {
		r.targets = append(r.targets, t)
	}
	return t, err
}

// server starts the server under test, or finds the one that runs.
func (r *run) server() (target, error) {
	if r.o.URL == "" {
		return r.start("server", r.o.Server, r.o.Wire)
	}
	t, err := runningTarget(r.ctx, r.o)
	if err == nil && t.family == nil {
		r.report.note("what the server's process costs is left out: its number was not given")
	}
	return t, err
}

// logf tells of progress.
func (r *run) logf(format string, args ...any) {
	fmt.Fprintf(r.o.Log, format+"\n", args...)
}

// audience makes an empty, exact audience of a target.
func (r *run) audience(t target) *audience {
	return &audience{swarm: r.w, target: t, exact: true}
}

// nanoseconds is processor time. That of a process whose number is not known is NaN, and
// so is what is reckoned from it; a report leaves such figures out.
type nanoseconds float64

// usage is processor time at one moment.
type usage struct {
	process, machine nanoseconds
	at               int64
}

// use reads the clocks of a target and of the machine.
func (r *run) use(t target) (usage, error) {
	machine, err := machineCPU()
	u := usage{nanoseconds(math.NaN()), nanoseconds(machine), r.w.now()}
	if t.family == nil || err != nil {
		return u, err
	}
	process, err := t.cpu()
	u.process = nanoseconds(process)
	return u, err
}

// since is the use of a target since before.
func (r *run) since(t target, before usage) (usage, error) {
	now, err := r.use(t)
	return usage{now.process - before.process, now.machine - before.machine, now.at - before.at}, err
}

const (
	// quietWindow is Options.window but for tests.
	quietWindow = 200 * time.Millisecond
	quietShare  = 100 // the window divided by it may be used: 1 %
	quietLimit  = 15 * time.Second
)

// quiet waits until a target has done with what was: less than 1 % of one processor in a
// window. A target that is never quiet is taken as it is after the limit; one whose
// process is not known gets five windows.
func (r *run) quiet(t target) error {
	if t.family == nil {
		return r.w.sleep(r.ctx, r.w.now()+5*int64(r.o.window))
	}
	if err := t.find(); err != nil {
		return err
	}
	for end := r.w.now() + int64(quietLimit); r.w.now() < end; {
		before, err := t.cpu()
		if err != nil {
			return err
		}
		if err := r.w.sleep(r.ctx, r.w.now()+int64(r.o.window)); err != nil {
			return err
		}
		after, err := t.cpu()
		if err != nil {
			return err
		}
		if after-before < r.o.window/quietShare {
			return nil
		}
	}
	return nil
}

// deliveryLimit is Options.patience but for tests.
const deliveryLimit = time.Minute

// delivered waits until the audience has got want events. It loses patience when none
// comes for long.
func (r *run) delivered(a *audience, want int64) error {
	seen, end := a.delivered, r.w.now()+int64(r.o.patience)
	for a.delivered < want && r.w.faultCount == 0 {
		now := r.w.now()
		if a.delivered > seen {
			seen, end = a.delivered, now+int64(r.o.patience)
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if now >= end {
			return fmt.Errorf("bench: %d events are delivered by %s: none within %v (%d came, and %d blocks with other data)",
				want, a.target.name, r.o.patience, a.delivered, a.unknown)
		}
		if err := r.w.turn(min(end, now+int64(turnMax))); err != nil {
			return err
		}
	}
	if r.w.faultCount > 0 {
		return fmt.Errorf("bench: %s broke the order or the count", a.target.name)
	}
	return nil
}

// surplus waits a window for events that nobody published: each would be a fault or a
// miscount.
func (r *run) surplus() error { return r.w.sleep(r.ctx, r.w.now()+int64(r.o.window)) }

// leaveOutUnknown takes out what could not be measured.
func (r *Report) leaveOutUnknown() {
	r.Figures = slices.DeleteFunc(r.Figures, func(f Figure) bool { return math.IsNaN(f.Value) })
	r.Comparisons = slices.DeleteFunc(r.Comparisons, func(c Comparison) bool { return math.IsNaN(c.Median) })
}
