package bench

import (
	"context"
	"fmt"
	"time"
)

// publisher is one keep-alive connection that publishes, one request at a time. With a
// loose dialect it connects again when the server has closed it between two requests, as
// HTTP allows and nginx does after so many of them.
type publisher struct {
	swarm  *swarm
	target target
	conn   *conn
	in     []byte
	req    []byte
	data   []byte
	body   []byte

	busy    bool
	status  int // of the last answer; 200 for whatever says that the event was taken
	ok      int64
	refused int64  // answers other than 200
	said    []byte // by the last refusal, its start
	closed  bool
	onReply func(status int)
}

// event is what a publisher sends.
type event struct {
	ns, topic string
	payload   payload
	size      int // of the payload, bytes
}

// saidBytesMax is what is kept of a refusal for the error that tells of it, bytes.
const saidBytesMax = 200

// newPublisher connects a publisher.
func newPublisher(w *swarm, t target) (*publisher, error) {
	p := &publisher{swarm: w, target: t}
	return p, p.connect()
}

func (p *publisher) connect() error {
	var err error
	p.closed, p.in = false, p.in[:0]
	p.conn, err = p.swarm.connect(p, dial{target: p.target.addr}, nil)
	return err
}

// start sends one event; the answer is awaited by turns of the swarm.
func (p *publisher) start(e event) error {
	d := p.target.speaks()
	if p.closed && !p.busy && d.loose {
		if err := p.connect(); err != nil {
			return err
		}
	}
	if p.busy || p.closed {
		return fmt.Errorf("bench: %s: publish on a connection that is busy (%t) or closed (%t)", p.target.name, p.busy, p.closed)
	}
	p.busy = true
	p.data = appendPayload(p.data[:0], e.payload, e.size)
	w := words{ns: e.ns, topic: e.topic, data: p.data, i: e.payload.seq}
	p.req, p.body = d.appendPublish(p.req[:0], p.body[:0], p.target.prefix, p.target.host(), w)
	return p.conn.send(p.req)
}

// publishLimit is how long one publish may take, its retries included.
const publishLimit = 30 * time.Second

// refusedPause is the wait before a refused event is sent again.
const refusedPause = 5 * time.Millisecond

// publish sends one event and waits for its 200, trying again when it was refused.
func (p *publisher) publish(ctx context.Context, e event) error {
	end := p.swarm.now() + int64(publishLimit)
	for {
		if err := p.start(e); err != nil {
			return err
		}
		if err := p.wait(ctx); err != nil || p.status == 200 {
			return err
		}
		if p.swarm.now() > end {
			return fmt.Errorf("bench: %s: publish refused with %d for %v: %q", p.target.name, p.status, publishLimit, p.said)
		}
		if err := p.swarm.sleep(ctx, p.swarm.now()+int64(refusedPause)); err != nil {
			return err
		}
	}
}

// wait runs turns until the answer is there.
func (p *publisher) wait(ctx context.Context) error {
	err := p.swarm.until(ctx, "publish is answered", publishLimit, func() bool { return !p.busy || p.closed })
	if err == nil && p.busy {
		return fmt.Errorf("bench: %s closed the publisher's connection", p.target.name)
	}
	return err
}

// received implements handler.
func (p *publisher) received(c *conn, b []byte) error {
	p.in = append(p.in, b...)
	for p.busy {
		n, a, err := p.target.speaks().parseReply(p.in)
		if err != nil || n == 0 {
			return err
		}
		p.busy, p.status = false, a.status
		if a.status == 200 {
			p.ok++
		} else {
			p.refused++
			p.said = append(p.said[:0], a.body[:min(len(a.body), saidBytesMax)]...)
		}
		p.in = p.in[:copy(p.in, p.in[n:])]
		if a.last {
			p.conn.close()
			p.closed = true
		}
		if p.onReply != nil {
			p.onReply(p.status)
		}
	}
	if len(p.in) > 0 && !p.closed {
		return fmt.Errorf("%w: %d bytes that nobody asked for: %.200q", errReply, len(p.in), p.in)
	}
	return nil
}

// lost says what the server did before it closed the connection.
func (p *publisher) lost() error {
	switch {
	case p.busy:
		return fmt.Errorf("bench: %s closed a publisher's connection before it answered", p.target.name)
	case p.status == 0:
		return fmt.Errorf("bench: %s closed a publisher's connection that had asked for nothing yet", p.target.name)
	case p.status == 200:
		return fmt.Errorf("bench: %s closed a publisher's connection after it had taken an event", p.target.name)
	}
	return fmt.Errorf("bench: %s closed a publisher's connection after it had answered %d: %q", p.target.name, p.status, p.said)
}

// gone implements handler.
func (p *publisher) gone(c *conn, err error) {
	if c == p.conn { // not the connection before
		p.closed = true
	}
}
