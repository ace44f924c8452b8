package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// publishLoad is many connections that publish, each one request at a time and to a topic
// of its own, which one stream reads. What is due while a connection waits for an answer
// waits its turn, and its latency counts from when it was due. A publisher that is refused
// is silent for as long as it was told, and what it would have sent is held back.
type publishLoad struct {
	*run
	lines    []*publishLine
	readers  *audience
	arrivals *poisson
	stubborn bool
	patience int64
	slots    int // closed loop: so many lines are busy, whichever

	tally, before *outcomes
	since         int64 // when work began to count in tally
	count         int64
	timely        int64 // of count, how many in time
	window        *window
	data, req     []byte
	body          []byte
}

// publishLine is one connection. It implements handler.
type publishLine struct {
	load  *publishLoad
	conn  *conn
	topic string
	token uint64
	seq   uint64 // of the last event that was taken
	taken int64
	in    []byte
	queue []publishItem // due, not sent
	now   publishItem   // under way, when busy
	busy  bool
	quiet int64 // nothing is sent before
}

type publishItem struct {
	due   int64
	tally *outcomes
}

// overloadPause is for the answers to the first publishes.
const overloadPause = 100 * time.Millisecond

// publishTokens is the first token of the publishers' topics.
const publishTokens = 1 << 20

func newPublishLoad(r *run, t target, g *agenda, seed uint64) (*publishLoad, error) {
	l := &publishLoad{
		run: r, stubborn: r.o.Stubborn == stubbornOn, patience: int64(min(overloadPatience, r.o.patience)),
		readers: r.audience(t), tally: newOutcomes(), before: newOutcomes(), window: newWindow(),
	}
	l.readers.rate = overloadOpenRate
	l.arrivals = &poisson{agenda: g, rng: rand.New(rand.NewPCG(r.o.Seed, seed)), offer: l.offer}
	l.readers.onEvent = func(s *stream, p payload) {
		tally := l.tally
		if p.due < l.since {
			tally = l.before
		}
		record(tally.delivery, s.now-p.due)
		l.count++
		if s.now-p.due <= r.o.inTime() {
			l.timely++
		}
	}
	for i := range r.o.Connections {
		l.lines = append(l.lines, &publishLine{load: l, topic: fmt.Sprint("overload/line/", i), token: publishTokens + uint64(i)})
	}
	err := l.readers.openAll(r.ctx, r.o.Connections, func(i int) subscription {
		return subscription{ns: overloadNS, topic: l.lines[i].topic, token: l.lines[i].token}
	})
	if err != nil {
		return nil, err
	}
	return l, l.connect(g)
}

// connect lets each line publish once, as slowly as its reader came: publishers keep their
// connections, and have them before there is an overload.
func (l *publishLoad) connect(g *agenda) error {
	at := l.w.now()
	for _, n := range l.lines {
		at += int64(time.Second) / overloadOpenRate
		g.at(at, n.offer)
	}
	return g.follow(l.run, at+int64(overloadPause))
}

func (l *publishLoad) begin(t *outcomes)     { l.before, l.tally, l.since = l.tally, t, l.w.now() }
func (l *publishLoad) openLoop(rate float64) { l.slots = 0; l.arrivals.set(l.w.now(), rate) }
func (l *publishLoad) done() int64           { return l.count }
func (l *publishLoad) good() int64           { return l.timely }
func (l *publishLoad) most() int             { return max(len(l.lines), peakFirst) }
func (l *publishLoad) seen() *window         { return l.window }

func (l *publishLoad) idle() bool {
	for _, n := range l.lines {
		if n.busy || len(n.queue) > 0 {
			return false
		}
	}
	return true
}

func (l *publishLoad) close() {
	l.arrivals.set(0, 0)
	for _, n := range l.lines {
		if n.conn != nil {
			n.conn.close()
		}
	}
	l.readers.closeAll()
}

// poolTries is how many connections are tried for one that is free.
const poolTries = 8

// offer is a publish that is due, on a connection by lot; on another one where that is busy.
func (l *publishLoad) offer(due int64) error {
	var n *publishLine
	for range poolTries {
		if n = l.lines[l.arrivals.rng.IntN(len(l.lines))]; !n.busy {
			break
		}
	}
	return n.offer(due)
}

func (l *publishLoad) closedLoop(n int) error {
	l.arrivals.set(0, 0)
	l.slots = min(n, len(l.lines))
	return l.tend()
}

// tend keeps as many connections busy as a closed loop wants, and gives up what waits for too long.
func (l *publishLoad) tend() error {
	under := 0
	for _, n := range l.lines {
		if n.busy {
			under++
		}
		n.expire()
		if err := n.pump(); err != nil {
			return err
		}
	}
	for ; under < l.slots; under++ {
		if err := l.offer(l.w.now()); err != nil {
			return err
		}
	}
	return nil
}

func (n *publishLine) offer(due int64) error {
	l := n.load
	l.tally.offered++
	if !l.stubborn && l.w.now() < n.quiet {
		l.tally.heldBack++
		return nil
	}
	n.queue = append(n.queue, publishItem{due, l.tally})
	return n.pump()
}

// expire gives up what has waited for longer than a client does.
func (n *publishLine) expire() {
	limit := n.load.w.now() - n.load.patience
	for len(n.queue) > 0 && n.queue[0].due < limit {
		n.queue[0].tally.unsent++
		n.queue = n.queue[1:]
	}
}

// pump sends the next publish when the connection is free.
func (n *publishLine) pump() error {
	if n.busy || len(n.queue) == 0 {
		return nil
	}
	l := n.load
	t := l.readers.target
	if n.conn == nil || n.conn.fd < 0 {
		var err error
		if n.conn, err = l.w.connect(n, dial{target: t.addr}, nil); err != nil {
			return err
		}
		n.in = n.in[:0]
	}
	n.busy, n.now, n.queue = true, n.queue[0], n.queue[1:]
	n.now.tally.attempts++
	l.data = appendPayload(l.data[:0], payload{n.token, n.seq + 1, n.now.due}, l.o.PayloadBytes)
	w := words{ns: overloadNS, topic: n.topic, data: l.data, i: n.seq + 1}
	l.req, l.body = t.speaks().appendPublish(l.req[:0], l.body[:0], t.prefix, t.host(), w)
	return n.conn.send(l.req)
}

// received implements handler.
func (n *publishLine) received(c *conn, p []byte) error {
	n.in = append(n.in, p...)
	size, a, err := n.load.readers.target.speaks().parseReply(n.in)
	switch {
	case err != nil:
		return err
	case size == 0:
		return nil
	case !n.busy && a.status == 200 || size < len(n.in):
		return fmt.Errorf("%w: %.200q answers nothing", errReply, n.in)
	}
	var wait time.Duration
	if a.status != 200 {
		value, _ := headerValue(bytes.ToLower(n.in[:bytes.Index(n.in, []byte("\r\n\r\n"))+2]), "retry-after")
		seconds, err := strconv.ParseUint(string(value), 10, 16)
		if err != nil {
			return fmt.Errorf("%w: a refusal that does not say when to come back: %.300q", errReply, n.in)
		}
		wait = time.Duration(seconds) * time.Second
	}
	n.in = n.in[:0]
	if a.last {
		c.close()
	}
	if n.busy {
		n.answered(a.status, wait)
	}
	if a.status == 200 && n.load.slots > 0 {
		return n.load.offer(n.load.w.now())
	}
	return n.pump()
}

// answered takes the answer to what is under way. What waits behind a refused publish is
// not sent either.
func (n *publishLine) answered(status int, wait time.Duration) {
	l, t := n.load, n.now.tally
	n.busy = false
	if status == 200 {
		n.seq++
		n.taken++
		t.count(served, "")
		record(t.accepted, l.w.now()-n.now.due)
		l.window.add(l.w.now() - n.now.due)
		return
	}
	t.count(refused, strconv.Itoa(status))
	if l.stubborn {
		return
	}
	if l.slots > 0 {
		wait = min(wait, peakPause)
	}
	n.quiet = l.w.now() + int64(wait)
	for _, item := range n.queue {
		item.tally.heldBack++
	}
	n.queue = n.queue[:0]
}

// gone implements handler.
func (n *publishLine) gone(_ *conn, err error) {
	if !n.busy {
		return
	}
	n.busy = false
	if err == errFault {
		n.now.tally.foul++
		return
	}
	n.now.tally.lost++
	// Nobody knows whether it was taken: whatever its topic's reader gets next is right.
	n.seq++
	n.load.readers.streams[n.token-publishTokens].any = true
}

// taken counts the publishes that were answered with 200.
func (l *publishLoad) taken() int64 {
	var n int64
	for _, line := range l.lines {
		n += line.taken
	}
	return n
}
