package bench

import (
	"fmt"
	"sort"
)

// ledger is some topics and all that was published to them. A witness that reads each
// topic from the start tells which event got which ID, so that for any stream, wherever
// it attached, it is known exactly what must come to it. One goroutine uses it.
type ledger struct {
	run       *run
	p         *publisher
	ns        string
	topics    []ledgerTopic
	witnesses *audience
	published int64
}

type ledgerTopic struct {
	name  string
	token uint64
	seq   uint64    // published, all answered with 200
	ids   []eventID // as the witness got them; seq is index+1
}

// newLedger opens the witnesses. Tokens count from first.
func newLedger(r *run, t target, ns string, first uint64, names []string) (*ledger, error) {
	l := &ledger{run: r, ns: ns, witnesses: r.audience(t)}
	for i, name := range names {
		l.topics = append(l.topics, ledgerTopic{name: name, token: first + uint64(i)})
	}
	l.witnesses.onEvent = func(s *stream, p payload) {
		topic := &l.topics[p.token-first]
		topic.ids = append(topic.ids, s.lastID)
	}
	var err error
	if l.p, err = newPublisher(r.w, t); err != nil {
		return nil, err
	}
	return l, l.witnesses.openAll(r.ctx, len(names), func(i int) subscription { return l.subscription(i) })
}

// subscription is one to topic i from now on: whatever its first event is, begins says
// whether it should have been another one.
func (l *ledger) subscription(i int) subscription {
	return subscription{ns: l.ns, topic: l.topics[i].name, token: l.topics[i].token, any: true}
}

// publish sends the next event of topic i and waits for the answer.
func (l *ledger) publish(i int, due int64, size int) error {
	t := &l.topics[i]
	e := event{l.ns, t.name, payload{t.token, t.seq + 1, due}, size}
	if err := l.run.publishOn(l.p, e); err != nil {
		return err
	}
	t.seq++
	l.published++
	return nil
}

// publishOn publishes on a connection that may have said nothing for so long that the
// server has closed it; then it is opened again.
func (r *run) publishOn(p *publisher, e event) error {
	if p.closed && !p.busy {
		if err := p.connect(); err != nil {
			return err
		}
	}
	return p.publish(r.ctx, e)
}

// witnessed says whether the IDs of topic i are known up to an event.
func (l *ledger) witnessed(i int, seq uint64) bool { return uint64(len(l.topics[i].ids)) >= seq }

// before is the last event of topic i that a stream which attached at an ID had missed.
func (l *ledger) before(i int, at eventID) uint64 {
	ids := l.topics[i].ids
	return uint64(sort.Search(len(ids), func(n int) bool { return at.less(ids[n]) }))
}

// ledgerNames are topics prefix/0 to prefix/n-1.
func ledgerNames(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s/%d", prefix, i))
	}
	return names
}
