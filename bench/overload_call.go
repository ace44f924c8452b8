package bench

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// callers open streams that may be refused, each call on a connection of its own, and tell
// what became of it. To an audience any answer but a stream is a fault; here it is one of
// the outcomes.
type callers struct {
	swarm    *swarm
	target   target
	requests [2][]byte // of a client that says what it accepts, as EventSource does, and of one that takes anything
	hold     int64     // how long a stream is kept, ns
	patience int64     // how long a client waits for the stream to begin; 0: for ever
	ended    func(c *call)

	open    int     // connections
	waiting []*call // under way, in the order of their patience; some are over
	dialing []*call // not connected at once, in that order; some are by now
	held    []*call // streams, in the order in which they are left
}

// dialPatience is how long a client tries to connect: its kernel would try again after a second.
const dialPatience = 900 * time.Millisecond

// callKinds: of two calls one is an EventSource's.
const callKinds = 2

// call is one attempt. It implements handler.
type call struct {
	by    *callers
	conn  *conn
	in    []byte
	kind  int
	due   int64 // when it had to begin
	first int64 // when the first attempt of this client had to begin
	tries int   // of this client, this one included
	tally *outcomes

	head, began int64 // when the head came, and when the stream had begun
	outcome     outcome
	status      int
	wait        time.Duration // that the server asks for before the next attempt
}

// outcome is what became of a call, or of a publish.
type outcome int

const (
	underWay outcome = iota
	served
	refused    // with an answer
	unheard    // its connection was not established in the time that a client takes for it
	unanswered // for longer than the client waits
	lost       // closed or reset before there was an answer
	foul       // an answer that is none
)

func newCallers(w *swarm, t target, ns, topic string) *callers {
	b := subscription{ns: ns, topic: topic}
	stream := b.request(t)
	anything := bytes.Replace(stream, []byte("\r\nAccept: text/event-stream\r\n"), []byte("\r\nAccept: */*\r\n"), 1)
	return &callers{swarm: w, target: t, requests: [callKinds][]byte{stream, anything}}
}

// begin makes an attempt.
func (b *callers) begin(c *call) error {
	var err error
	if c.conn, err = b.swarm.connect(c, dial{target: b.target.addr}, b.requests[c.kind]); err != nil {
		return err
	}
	b.open++
	b.waiting = append(b.waiting, c)
	if len(c.conn.out) > 0 {
		b.dialing = append(b.dialing, c)
	}
	return nil
}

// tend leaves the streams that were kept for long enough, and gives up what takes longer
// than a client waits.
func (b *callers) tend() {
	now := b.swarm.now()
	for len(b.held) > 0 && b.held[0].began+b.hold <= now {
		b.close(b.held[0])
		b.held = b.held[1:]
	}
	for len(b.dialing) > 0 {
		c := b.dialing[0]
		dials := c.outcome == underWay && len(c.conn.out) > 0
		if dials && c.due+int64(dialPatience) > now {
			break
		}
		b.dialing = b.dialing[1:]
		if dials {
			b.close(c)
			c.settle(unheard)
		}
	}
	for len(b.waiting) > 0 {
		c := b.waiting[0]
		if c.outcome == underWay && (b.patience == 0 || c.due+b.patience > now) {
			return
		}
		b.waiting = b.waiting[1:]
		if c.outcome == underWay {
			b.close(c)
			c.settle(unanswered)
		}
	}
}

func (b *callers) close(c *call) {
	if c.conn.fd >= 0 {
		c.conn.close()
		b.open--
	}
}

// closeAll leaves everything.
func (b *callers) closeAll() {
	for _, c := range append(b.waiting, b.held...) {
		b.close(c)
	}
	b.waiting, b.dialing, b.held = nil, nil, nil
}

// received implements handler.
func (c *call) received(_ *conn, p []byte) error {
	if c.outcome != underWay {
		return nil // a stream that is only held
	}
	c.in = append(c.in, p...)
	end := bytes.Index(c.in, []byte("\r\n\r\n"))
	switch {
	case end < 0 && len(c.in) > replyHeadMax:
		return c.bad()
	case end < 0:
		return nil
	case c.head == 0:
		c.head = c.by.swarm.now()
	}
	head := c.in[:end+2]
	if c.status = statusOf(head); c.status == 0 {
		return c.bad()
	}
	if c.status == 200 {
		return c.stream(head, c.in[end+4:])
	}
	value, _ := headerValue(bytes.ToLower(head), "retry-after")
	seconds, err := strconv.ParseUint(string(value), 10, 16)
	if err != nil {
		return c.bad() // it does not say when to come back
	}
	c.wait = time.Duration(seconds) * time.Second
	c.by.close(c)
	c.settle(refused)
	return nil
}

// bad is an answer that no server may give. The error is noted as a fault.
func (c *call) bad() error {
	c.settle(foul)
	return fmt.Errorf("%w: %.200q", errHead, c.in)
}

// stream looks for the point of attachment: the first block with an ID.
func (c *call) stream(head, body []byte) error {
	if _, err := checkHead(head); err != nil {
		return c.bad()
	}
	for {
		block, rest, whole := bytes.Cut(body, []byte("\n\n"))
		if !whole {
			break
		}
		body = rest
		for line := range bytes.SplitSeq(block, []byte("\n")) {
			name, value, _ := bytes.Cut(line, []byte(":"))
			switch string(name) {
			case "retry":
				ms, _ := decimal(bytes.TrimSpace(value))
				c.wait = time.Duration(ms) * time.Millisecond
			case "id":
				c.began = c.by.swarm.now()
				c.in = nil
				c.by.held = append(c.by.held, c)
				c.settle(served)
				return nil
			}
		}
	}
	if len(c.in) > firstBlockMax {
		return c.bad()
	}
	return nil
}

// gone implements handler.
func (c *call) gone(_ *conn, err error) {
	c.by.open--
	switch {
	case c.outcome == served:
		if c.tally != nil {
			c.tally.cut++
		}
	case c.outcome != underWay:
	case c.status == 200 && c.wait > 0:
		c.settle(refused) // a stream that ends at once, with the time to come back after
	default:
		c.settle(lost)
	}
}

func (c *call) settle(what outcome) {
	c.outcome = what
	c.by.ended(c)
}

// told is what a refused client was told, for a table of answers.
func (c *call) told() string {
	if c.status == 200 {
		return "200, and come back"
	}
	return strconv.Itoa(c.status)
}

// givesUp says whether a browser's EventSource would never come back: it does after an end
// of the stream, and after no other answer.
func (c *call) givesUp() bool { return c.kind == 0 && c.outcome == refused && c.status != 200 }
