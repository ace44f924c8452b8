package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// publisher is one keep-alive connection that publishes, one request at a time.
type publisher struct {
	swarm  *swarm
	target target
	conn   *conn
	in     []byte
	req    []byte
	body   []byte

	busy    bool
	status  int // of the last answer
	ok      int64
	refused int64 // answers other than 200
	closed  bool
	onReply func(status int)
}

// event is what a publisher sends.
type event struct {
	ns, topic string
	payload   payload
	size      int // of the payload, bytes
}

var errReply = errors.New("bench: not the answer to a publish")

// replyHeadMax bounds the head of an answer, bytes.
const replyHeadMax = 16 << 10

// newPublisher connects a publisher.
func newPublisher(w *swarm, t target) (*publisher, error) {
	p := &publisher{swarm: w, target: t}
	var err error
	p.conn, err = w.connect(p, dial{target: t.addr}, nil)
	return p, err
}

// start sends one event; the answer is awaited by turns of the swarm.
func (p *publisher) start(e event) error {
	if p.busy || p.closed {
		return fmt.Errorf("bench: %s: publish on a connection that is busy (%t) or closed (%t)", p.target.name, p.busy, p.closed)
	}
	p.busy = true
	p.body = appendPayload(p.body[:0], e.payload, e.size)
	p.req = fmt.Appendf(p.req[:0], "POST /publish?ns=%s&topic=%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n",
		e.ns, e.topic, p.target.addr, len(p.body))
	return p.conn.send(append(p.req, p.body...))
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
			return fmt.Errorf("bench: %s: publish refused with %d for %v", p.target.name, p.status, publishLimit)
		}
		if err := p.swarm.sleep(ctx, p.swarm.now()+int64(refusedPause)); err != nil {
			return err
		}
	}
}

// wait runs turns until the answer is there.
func (p *publisher) wait(ctx context.Context) error {
	err := p.swarm.until(ctx, "publish is answered", publishLimit, func() bool { return !p.busy || p.closed })
	if err == nil && p.closed {
		return fmt.Errorf("bench: %s closed the publisher's connection", p.target.name)
	}
	return err
}

// received implements handler.
func (p *publisher) received(c *conn, b []byte) error {
	p.in = append(p.in, b...)
	for p.busy {
		n, status, err := parseReply(p.in)
		if err != nil || n == 0 {
			return err
		}
		p.in = p.in[:copy(p.in, p.in[n:])]
		p.busy, p.status = false, status
		if status == 200 {
			p.ok++
		} else {
			p.refused++
		}
		if p.onReply != nil {
			p.onReply(status)
		}
	}
	if len(p.in) > 0 {
		return fmt.Errorf("%w: %d bytes that nobody asked for: %.200q", errReply, len(p.in), p.in)
	}
	return nil
}

// gone implements handler.
func (p *publisher) gone(c *conn, err error) { p.closed = true }

// parseReply reads one answer. n is 0 while it is incomplete. A 200 must carry {"id":"a-b"}.
func parseReply(b []byte) (n, status int, err error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		if len(b) > replyHeadMax {
			return 0, 0, errReply
		}
		return 0, 0, nil
	}
	lower := bytes.ToLower(b[:head+2])
	const name = "\r\ncontent-length: "
	at := bytes.Index(lower, []byte(name))
	if !bytes.HasPrefix(lower, []byte("http/1.1 ")) || len(lower) < 12 || at < 0 {
		return 0, 0, fmt.Errorf("%w: %.300q", errReply, b[:head])
	}
	value, _, _ := bytes.Cut(lower[at+len(name):], []byte("\r\n"))
	size, err := strconv.Atoi(string(value))
	status, err2 := strconv.Atoi(string(lower[9:12]))
	if err != nil || err2 != nil || size < 0 || size > replyHeadMax {
		return 0, 0, fmt.Errorf("%w: %.300q", errReply, b[:head])
	}
	body := b[head+4:]
	if len(body) < size {
		return 0, 0, nil
	}
	if status == 200 {
		id, ok := bytes.CutPrefix(body[:size], []byte(`{"id":"`))
		id, _, ok2 := bytes.Cut(id, []byte(`"}`))
		if _, ok3 := parseID(id); !ok || !ok2 || !ok3 {
			return 0, 0, fmt.Errorf("%w: %.200q", errReply, body[:size])
		}
	}
	return head + 4 + size, status, nil
}
