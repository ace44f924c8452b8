package bench

import (
	"math/rand/v2"
	"time"

	"throng/bench/internal/sock"
)

// overloadLoad is one kind of work that is offered to a server.
type overloadLoad interface {
	// openLoop offers so much a second from now on, whatever becomes of it; 0: nothing.
	openLoop(rate float64)
	// closedLoop keeps n under way from now on.
	closedLoop(n int) error
	// most is the greatest n that makes sense.
	most() int
	// begin lets work that is offered from now on count in t, and gives what it did until
	// now, and forgets it.
	begin(t *outcomes)
	// tend is called every few milliseconds.
	tend() error
	// done counts what was served, whenever it was offered.
	done() int64
	// good counts what was served in time.
	good() int64
	// idle says whether nothing is under way.
	idle() bool
	// seen gives the latencies of what was served since the last call.
	seen() *window
	close()
}

// poisson offers work at random moments of a given rate. Nothing that becomes of the work
// changes when the next is due.
type poisson struct {
	agenda *agenda
	rng    *rand.Rand
	rate   float64
	turn   int // counts changes of the rate: what was due before one is dropped
	offer  func(due int64) error
}

// set changes the rate, a second.
func (p *poisson) set(now int64, rate float64) {
	p.turn++
	p.rate = rate
	if rate > 0 {
		p.plan(now, p.turn)
	}
}

func (p *poisson) plan(from int64, turn int) {
	p.agenda.at(from+int64(p.rng.ExpFloat64()/p.rate*1e9), func(due int64) error {
		if turn != p.turn {
			return nil
		}
		p.plan(due, turn)
		return p.offer(due)
	})
}

// connectionLoad is clients that each want a stream, hold it for a moment and leave.
//
// Behind the arrivals is a population in which everybody wants a stream every
// overloadThink: one who was refused and told to come back later does not come before,
// and whatever he would have wanted meanwhile is offered and held back. Without that, each
// refusal would add to the load for ever.
type connectionLoad struct {
	*run
	by       *callers
	arrivals *poisson
	stubborn bool
	crowd    float64 // size of the population
	away     float64 // of it, how many have been told to come back later
	room     int     // connections that this process may have
	slots    int     // closed loop: how many are under way
	backoff  []*call // closed loop: who comes back when the time is over
	tally    *outcomes
	count    int64
	timely   int64 // of count, how many in time
	calls    int
	window   *window
}

const (
	// overloadThink is the time between two wishes of a client under threefold overload.
	overloadThink = 2 * time.Second
	// unheardWait, and up to as much again, is what a client waits that could not connect.
	unheardWait = time.Second
	// overloadPatience is how long a client waits for an answer, and a publish for its turn.
	overloadPatience = 5 * time.Second
	overloadNS       = "load"
)

func newConnectionLoad(r *run, t target, g *agenda, seed uint64) (*connectionLoad, error) {
	files, err := sock.FilesMax()
	if err != nil {
		return nil, err
	}
	l := &connectionLoad{
		run: r, by: newCallers(r.w, t, overloadNS, "overload/visit"), stubborn: r.o.Stubborn == stubbornOn,
		room: files - filesReserved - r.o.Connections*2 - r.o.Streams, tally: newOutcomes(), window: newWindow(),
	}
	l.by.hold, l.by.patience, l.by.ended = int64(r.o.Hold), int64(min(overloadPatience, r.o.patience)), l.settled
	l.arrivals = &poisson{agenda: g, rng: rand.New(rand.NewPCG(r.o.Seed, seed)), offer: l.offer}
	return l, nil
}

func (l *connectionLoad) begin(t *outcomes)     { l.tally = t }
func (l *connectionLoad) openLoop(rate float64) { l.slots = 0; l.arrivals.set(l.w.now(), rate) }
func (l *connectionLoad) done() int64           { return l.count }
func (l *connectionLoad) good() int64           { return l.timely }
func (l *connectionLoad) close()                { l.arrivals.set(0, 0); l.by.closeAll() }
func (l *connectionLoad) most() int             { return peakLast }
func (l *connectionLoad) idle() bool            { return l.by.open == 0 }
func (l *connectionLoad) seen() *window         { return l.window }

// offer is a wish that is due.
func (l *connectionLoad) offer(due int64) error {
	l.tally.offered++
	switch {
	case !l.stubborn && l.arrivals.rng.Float64()*l.crowd < l.away:
		l.tally.heldBack++
		return nil
	case l.by.open >= l.room:
		l.tally.unsent++
		return nil
	}
	return l.call(due, nil)
}

func (l *connectionLoad) call(due int64, before *call) error {
	c := &call{by: l.by, due: due, first: due, tries: 1, kind: l.calls % callKinds, tally: l.tally}
	if before != nil {
		c.first, c.tries, c.kind, c.tally = before.first, before.tries+1, before.kind, before.tally
	}
	l.calls++
	c.tally.attempts++
	return l.by.begin(c)
}

// settled takes an outcome.
func (l *connectionLoad) settled(c *call) {
	c.tally.count(c.outcome, c.told())
	away := c.outcome == refused
	if c.outcome == unheard {
		away, c.wait = true, unheardWait+time.Duration(l.arrivals.rng.Int64N(int64(unheardWait)))
	}
	if c.givesUp() {
		c.tally.givenUp++
	}
	switch {
	case c.outcome == served:
		l.count++
		if c.began-c.due <= l.o.inTime() {
			l.timely++
		}
		record(c.tally.accepted, c.head-c.due)
		record(c.tally.whole, c.began-c.first)
		l.window.add(c.head - c.due)
	case l.slots > 0 && away:
		c.began = l.w.now() // of the wait
		l.backoff = append(l.backoff, c)
	case away && !l.stubborn:
		l.away++
		l.arrivals.agenda.at(l.w.now()+int64(c.wait), func(due int64) error {
			l.away--
			if l.by.open >= l.room {
				c.tally.unsent++
				return nil
			}
			return l.call(due, c)
		})
	}
}

func (l *connectionLoad) closedLoop(n int) error {
	l.arrivals.set(0, 0)
	l.slots, l.backoff = n, nil
	return l.tend()
}

// tend leaves streams, and in a closed loop opens as many as have settled.
func (l *connectionLoad) tend() error {
	l.by.tend()
	now := l.w.now()
	free := l.slots - (l.by.open - len(l.by.held))
	kept := l.backoff[:0]
	for _, c := range l.backoff {
		if l.stubborn || c.began+int64(min(c.wait, peakPause)) <= now {
			continue
		}
		kept = append(kept, c)
		free--
	}
	l.backoff = kept
	for range min(free, l.room-l.by.open) {
		l.tally.offered++
		if err := l.call(now, nil); err != nil {
			return err
		}
	}
	return nil
}
