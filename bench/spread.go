package bench

import (
	"context"
	"fmt"
	"os"
	"time"
)

// spread makes an exact, empty audience of the streams of a roster. They are opened by
// grow and resume: in the workers if the run has any, in this process otherwise. Counts
// are those of all streams either way, and so are the histograms after collect; streams
// are only those of this process.
func (r *run) spread(t target, c roster) *audience {
	a := r.audience(t)
	a.roster, a.stride, a.rate = c, 1, r.o.Rate
	if r.team != nil {
		a.team = r.team
		r.team.add(a)
	}
	return a
}

// number is that of this process's stream at an index, in the roster.
func (a *audience) number(index int) int { return a.offset + index*a.stride }

// share is how many of the first n streams of the roster are this process's.
func (a *audience) share(n int) int { return (max(n-a.offset, 0) + a.stride - 1) / a.stride }

// grow opens the streams of the roster up to a number, at the audience's rate if it has
// one, and waits until all are attached. The server may close none.
func (a *audience) grow(ctx context.Context, to int) error {
	if a.team == nil {
		return a.await(ctx, a.growth(to), to, nil)
	}
	ask := command{Op: opGrow, Audience: a.id, To: to, Rate: a.rate}
	if err := a.team.ask(ctx, ask, nil, nil); err != nil {
		return err
	}
	return a.await(ctx, nil, to, nil)
}

// growth is the ramp of grow for the streams of this process.
func (a *audience) growth(to int) *ramp {
	return a.newRamp(len(a.streams), a.share(to), func(index int, due int64) error {
		s, err := a.open(a.roster.subscription(a.number(index)))
		if err == nil {
			s.dialed = due
		}
		return err
	})
}

// resume breaks every connection at once and opens all streams again, each from its own
// last ID. It returns when all are attached.
func (a *audience) resume(ctx context.Context, meanwhile idler) error {
	want := a.attached
	if a.team == nil {
		return a.await(ctx, a.resumption(), want, meanwhile)
	}
	err := a.team.ask(ctx, command{Op: opResume, Audience: a.id, Rate: a.rate}, meanwhile, nil)
	if err != nil {
		return err
	}
	return a.await(ctx, nil, want, meanwhile)
}

// resumption breaks the connections of this process, and is the ramp that opens them.
func (a *audience) resumption() *ramp {
	for _, s := range a.streams {
		s.conn.reset()
	}
	a.attached, a.broken = 0, a.swarm.now()
	return a.newRamp(0, len(a.streams), a.reopen)
}

// reopen connects a stream of this process again.
func (a *audience) reopen(index int, due int64) error {
	s := a.streams[index]
	b := a.roster.subscription(a.number(index))
	b.lastID, b.dial.target = s.resumeID(), a.target.addr
	s.scan = scanner{loose: s.scan.loose}
	s.heard, s.attached, s.gapped, s.dialed = false, false, false, due
	a.request = b.appendRequest(a.request[:0], a.target)
	var err error
	s.conn, err = a.swarm.connect(s, b.dial, a.request)
	return err
}

// attachLimit is how long it may take until the next stream is attached.
const attachLimit = 30 * time.Second

// await lets a ramp work, if there is one, until so many streams are attached.
func (a *audience) await(ctx context.Context, p *ramp, want int, meanwhile idler) error {
	attached, since := a.attached, a.swarm.now()
	for a.attached < want || p != nil && !p.over() {
		now := a.swarm.now()
		if a.attached != attached {
			attached, since = a.attached, now
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case a.closed > 0:
			return fmt.Errorf("bench: %s closed %d streams while they were opened (%d of %d attached): %q",
				a.target.name, a.closed, a.attached, want, a.swarm.faults)
		case now-since > int64(attachLimit) && (p == nil || p.due() > now):
			return fmt.Errorf("bench: no further stream of %s is attached within %v (%d of %d attached)",
				a.target.name, attachLimit, a.attached, want)
		}
		next := now + int64(turnMax)
		if p != nil {
			if err := p.step(); err != nil {
				return err
			}
			next = min(next, p.due())
		}
		if err := a.swarm.serve(next, meanwhile); err != nil {
			return err
		}
	}
	return nil
}

// behind counts the streams that are not at the last event of their token; a token that
// is not in last has none.
func (a *audience) behind(ctx context.Context, last map[uint64]uint64) (int64, error) {
	var n int64
	for _, s := range a.streams {
		if s.seq != last[s.token] {
			n++
		}
	}
	if a.team == nil {
		return n, nil
	}
	err := a.team.ask(ctx, command{Op: opBehind, Audience: a.id, Last: last}, nil, func(m message) error {
		n += m.Behind
		return nil
	})
	return n, err
}

// collect adds the workers' histograms to the audience's, and empties theirs. Without
// workers they are there already.
func (a *audience) collect(ctx context.Context) error {
	if a.team == nil {
		return nil
	}
	return a.team.ask(ctx, command{Op: opCollect, Audience: a.id}, nil, a.merge)
}

// held counts the streams that are open now.
func (a *audience) held() int {
	n := a.away
	for _, s := range a.streams {
		if s.conn.fd >= 0 {
			n++
		}
	}
	return n
}

// closeAll closes all streams of the audience.
func (a *audience) closeAll() {
	for _, s := range a.streams {
		s.conn.close()
	}
	a.streams = nil
	if a.team != nil {
		a.team.close(a)
	}
}

// clientCPU is the processor time of this process and of its workers.
func (r *run) clientCPU() (time.Duration, error) {
	sum, err := proc(os.Getpid()).cpu()
	if r.team == nil || err != nil {
		return sum, err
	}
	for _, m := range r.team.mates {
		own, err := m.pid.cpu()
		if err != nil {
			return 0, err
		}
		sum += own
	}
	return sum, nil
}
