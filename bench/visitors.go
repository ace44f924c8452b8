package bench

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// visitors come to the topics of a ledger, listen for a while and leave.
type visitors struct {
	*run
	ledger *ledger
	agenda *agenda
	in     *arrivals
	rng    *rand.Rand
	rate   float64 // a second
	stay   float64 // mean, s

	here       map[*guest]struct{}
	owed, got  int64 // events between attachment and leaving, of all who left
	short      int64 // left without some of it
	unanchored int64 // were not told where they attached
}

// guest is one of them.
type guest struct {
	*arrival
	topic int
	leave int64  // when it wants to
	going bool   // it wants to, and waits for the events up to want
	want  uint64 // of its topic
}

const (
	// leaveLimit is how long a guest waits for what is still on its way to it.
	leaveLimit = 10 * time.Second
	// leaveTurn is the time between two looks at whether it is there.
	leaveTurn = time.Millisecond
)

// newVisitors is visitors that come rate times a second and stay for a mean time.
func newVisitors(r *run, l *ledger, g *agenda, rate, stay float64) *visitors {
	a := r.audience(l.witnesses.target)
	a.lag = newHistogram()
	return &visitors{
		run: r, ledger: l, agenda: g, in: newArrivals(a), here: make(map[*guest]struct{}),
		rng: rand.New(rand.NewPCG(r.o.Seed, 0)), rate: rate, stay: stay,
	}
}

// interval is the time between two that come, ns.
func (v *visitors) interval() int64 { return int64(1e9 / v.rate) }

// come opens the next one.
func (v *visitors) come(due int64) error {
	topic := v.rng.IntN(len(v.ledger.topics))
	a, err := v.in.open(v.ledger.subscription(topic), due)
	if err != nil {
		return err
	}
	v.in.audience.streams = v.in.audience.streams[:0] // here they are kept by who is there
	stay := v.rng.ExpFloat64() * v.stay * 1e9
	q := &guest{arrival: a, topic: topic, leave: due + int64(stay)}
	v.here[q] = struct{}{}
	v.agenda.at(q.leave, func(int64) error { return v.depart(q) })
	return nil
}

// depart lets one leave as soon as it has what it is owed.
func (v *visitors) depart(q *guest) error {
	if !v.done(q) {
		v.agenda.at(v.w.now()+int64(leaveTurn), func(int64) error { return v.depart(q) })
		return nil
	}
	v.settle(q)
	return nil
}

// done says whether one that wants to leave has what it is owed, or will not get it.
func (v *visitors) done(q *guest) bool {
	if !q.going {
		q.going, q.leave = true, v.w.now()
		q.want = v.ledger.topics[q.topic].seq
	}
	switch {
	case q.over || v.w.now() > q.leave+int64(min(leaveLimit, v.o.patience)):
		return true
	case !q.attached || !v.ledger.witnessed(q.topic, q.want):
		return false
	case q.seq >= q.want:
		return true
	}
	first, known := v.first(q)
	return !known || first >= q.want
}

// first is the last event of its topic that was not for a guest, by the ID at which it
// attached. A server that tells none is taken at its first event, if there is one.
func (v *visitors) first(q *guest) (seq uint64, known bool) {
	if q.at == (eventID{}) {
		return q.seq - q.delivered, q.delivered > 0
	}
	return v.ledger.before(q.topic, q.at), true
}

// settle takes stock of one that leaves.
func (v *visitors) settle(q *guest) {
	if q.attached {
		v.audit(q)
	}
	q.conn.close()
	delete(v.here, q)
}

// audit compares what came with what should have.
func (v *visitors) audit(q *guest) {
	first, known := v.first(q)
	if q.at == (eventID{}) {
		v.unanchored++
	}
	last := max(q.seq, q.want)
	if !known || last <= first {
		return
	}
	v.owed += int64(last - first)
	v.got += int64(q.delivered)
	if q.seq < q.want || q.delivered != last-first {
		v.short++
	}
	if q.delivered > 0 && q.seq-q.delivered != first {
		v.w.fault("%s: a stream that attached at %v began with event %d of topic %d, want %d",
			v.in.audience.target.name, q.at, q.seq-q.delivered+1, q.topic, first+1)
	}
}

// leaveAll lets everybody leave now.
func (v *visitors) leaveAll() error {
	for len(v.here) > 0 {
		if err := v.w.sleep(v.ctx, v.w.now()+int64(leaveTurn)); err != nil {
			return err
		}
		for q := range v.here {
			if v.done(q) {
				v.settle(q)
			}
		}
	}
	return nil
}

// tell adds what the visitors have seen to the report.
func (v *visitors) tell(who string) {
	v.report.figure("visits"+who, float64(v.in.tried), "")
	v.report.figure("mean stay"+who, v.stay, "s")
	if v.unanchored > 0 {
		v.report.note("%d streams%s were not told where they attached: their first events are not verified", v.unanchored, who)
	}
	v.report.checkThat("events owed to visits"+who, "> 0", fmt.Sprint(v.owed), v.owed > 0)
	v.report.check("events delivered to visits"+who, v.owed, v.got)
	v.report.check("visits that left without some"+who, 0, v.short)
}
