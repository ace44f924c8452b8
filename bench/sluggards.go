package bench

import (
	"fmt"
	"time"

	"throng/bench/internal/sock"
)

// slowKind is the way in which a client is slow.
type slowKind int

const (
	slowStall   slowKind = iota // never reads
	slowTrickle                 // reads trickleBytes each slowStep
	slowDribble                 // sends a byte of its request each slowStep
	slowKinds
)

var slowNames = [slowKinds]string{"stalled", "trickling", "dribbling"}

const (
	// slowStep is the time between two acts of a slow client.
	slowStep = 200 * time.Millisecond
	// trickleBytes is what a trickling reader takes at a time.
	trickleBytes = 64
)

// sluggards are slow clients, a third of each kind. A dribbling one whose request was not
// waited for begins again, so that there are always as many. With comeBack, so do the
// readers that were closed, with their last ID.
type sluggards struct {
	*run
	in       *arrivals
	sub      subscription
	all      []*sluggard
	buf      [trickleBytes]byte
	comeBack bool
	paused   bool // they do nothing more of their own

	begun, timedOut, dribbled int // requests that were dribbled; answered 408; answered with a stream
	closed                    [slowKinds]int
}

// sluggard is one of them.
type sluggard struct {
	*arrival
	group *sluggards
	kind  slowKind
	rest  []byte // of a dribbled request
	gaps  int
}

// newSluggards opens n slow clients of a topic; what they do is on the agenda.
func newSluggards(r *run, t target, g *agenda, n int, sub subscription) (*sluggards, error) {
	a := &audience{swarm: r.w, target: t, onGone: func(*stream, error) {}}
	s := &sluggards{run: r, in: newArrivals(a), sub: sub}
	s.in.refusal = func(status int, head []byte) bool {
		if status == 408 {
			s.timedOut++
		}
		return status == 408 || isShed(status, head)
	}
	for i := range n {
		q, err := s.open(slowKind(i%int(slowKinds)), sub)
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, q)
	}
	g.every(r.w.now()+int64(slowStep), int64(slowStep), func(int64) error { return s.act() })
	return s, nil
}

func (s *sluggards) open(kind slowKind, sub subscription) (*sluggard, error) {
	q := &sluggard{group: s, kind: kind}
	request := sub.request(s.in.audience.target)
	if kind == slowDribble {
		q.rest, request = request, nil
		sub.any = true // it is attached who knows when
		s.begun++
	} else {
		sub.dial = dial{rcvBuf: stalledRcvBuf, deaf: true}
	}
	var err error
	if q.arrival, err = s.in.openWith(sub, request, s.w.now()); err != nil {
		return nil, err
	}
	q.conn.owner = q
	return q, nil
}

// act lets each do what it does in a step.
func (s *sluggards) act() error {
	if s.paused {
		return nil
	}
	for i, q := range s.all {
		switch {
		case q.conn.fd < 0 && (q.kind == slowDribble || s.comeBack):
			sub := s.sub
			if q.kind != slowDribble && q.lastID != (eventID{}) {
				sub.seq, sub.any, sub.lastID = q.seq, q.gapped || q.any, q.lastID.String()
			}
			again, err := s.open(q.kind, sub)
			if err != nil {
				return err
			}
			s.all[i] = again
		case q.conn.fd < 0:
		case q.kind == slowTrickle:
			q.trickle()
		case len(q.rest) > 0:
			if err := q.conn.send(q.rest[:1]); err != nil {
				return err
			}
			q.rest = q.rest[1:]
		}
	}
	return nil
}

// trickle reads a little.
func (q *sluggard) trickle() {
	n, err := sock.Read(q.conn.fd, q.group.buf[:])
	if err == sock.ErrAgain {
		return
	}
	if err == nil {
		if err = q.received(q.conn, q.group.buf[:n]); err == nil {
			return
		}
		q.group.w.fault("%v", err)
		err = errFault
	}
	q.conn.lost(err)
}

// received implements handler.
func (q *sluggard) received(c *conn, p []byte) error {
	gaps, attached := q.audience.gaps, q.attached
	err := q.arrival.received(c, p)
	q.gaps += q.audience.gaps - gaps
	if q.kind == slowDribble && q.attached && !attached {
		q.group.dribbled++
	}
	return err
}

// gone implements handler.
func (q *sluggard) gone(c *conn, err error) {
	q.group.closed[q.kind]++
	q.arrival.gone(c, err)
}

// ending says what became of a reader of events up to the last: it has it, or was told a
// gap, or is closed.
func (q *sluggard) ending(last uint64) string {
	switch {
	case q.conn.fd < 0:
		return "closed"
	case q.gaps > 0 && (q.seq == last || q.gapped):
		return "told a gap"
	case q.seq == last:
		return "complete"
	}
	return ""
}

// finish lets all read what there is, and checks that each has an ending. One that is
// still at its request is left out.
func (s *sluggards) finish(last uint64) error {
	s.paused = true
	for _, q := range s.all {
		if q.conn.fd >= 0 && q.conn.deaf {
			if err := q.conn.hear(); err != nil {
				return err
			}
		}
	}
	open := func() (n int) {
		for _, q := range s.all {
			if len(q.rest) == 0 && q.ending(last) == "" {
				n++
			}
		}
		return n
	}
	err := s.w.until(s.ctx, "slow clients are closed, told a gap or complete", min(stallHearLimit, s.o.patience), func() bool { return open() == 0 })
	if err != nil && s.ctx.Err() != nil {
		return err
	}
	s.report.check("slow clients that are neither closed, nor told a gap, nor complete", 0, int64(open()))
	return nil
}

// tally is what became of slow clients, in all phases.
type tally struct {
	endings                           [slowKinds]map[string]int
	begun, timedOut, dribbled, closed int // dribbled requests
}

func newTally() *tally {
	t := &tally{}
	for k := range t.endings {
		t.endings[k] = make(map[string]int)
	}
	return t
}

// add counts those of a phase.
func (t *tally) add(s *sluggards, last uint64) {
	for _, q := range s.all {
		if end := q.ending(last); end != "" && q.kind != slowDribble {
			t.endings[q.kind][end]++
		}
	}
	t.begun, t.timedOut, t.dribbled = t.begun+s.begun, t.timedOut+s.timedOut, t.dribbled+s.dribbled
	t.closed += s.closed[slowDribble]
}

func (t *tally) tell(r *Report) {
	for _, k := range []slowKind{slowStall, slowTrickle} {
		for _, end := range []string{"complete", "told a gap", "closed"} {
			r.figure(fmt.Sprintf("%s readers: %s", slowNames[k], end), float64(t.endings[k][end]), "")
		}
	}
	r.figure("dribbled requests", float64(t.begun), "")
	r.figure("dribbled requests: answered 408", float64(t.timedOut), "")
	r.figure("dribbled requests: closed without 408", float64(t.closed), "")
	r.figure("dribbled requests: attached in the end", float64(t.dribbled), "")
}
