package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
)

// batcher is one keep-alive connection that publishes NDJSON batches, one at a time, all
// to one topic of its own. Each line of an answer must carry an ID above the one before.
type batcher struct {
	swarm  *swarm
	target target
	conn   *conn
	in     []byte

	head  string
	body  []byte // all lines; sequence numbers and due time are written into it
	line  int    // bytes of one
	at    int    // of the payload in a line
	lines int

	seq    uint64 // of the last line sent
	last   eventID
	ids    int64 // lines answered with an ID
	busy   bool
	done   int64 // when the last answer came
	closed bool
}

var errBatch = errors.New("bench: not the answer to a batch")

// newBatcher connects a batcher whose requests have so many lines.
func newBatcher(w *swarm, t target, ns, topic string, token uint64, lines, size int) (*batcher, error) {
	b := &batcher{swarm: w, target: t, lines: lines}
	before := fmt.Sprintf(`{"topic":%q,"data":"`, topic)
	one := append(appendPayload([]byte(before), payload{token: token}, size), "\"}\n"...)
	b.line, b.at = len(one), len(before)
	b.body = bytes.Repeat(one, lines)
	b.head = fmt.Sprintf("POST %s/publish?ns=%s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n",
		t.prefix, ns, t.host(), t.speaks().headers, len(b.body))
	var err error
	b.conn, err = w.connect(b, dial{target: t.addr}, nil)
	return b, err
}

// start sends the next batch; the answer is awaited by turns of the swarm.
func (b *batcher) start(due int64) error {
	if b.busy || b.closed {
		return fmt.Errorf("bench: %s: batch on a connection that is busy (%t) or closed (%t)", b.target.name, b.busy, b.closed)
	}
	b.busy = true
	for i := range b.lines {
		b.seq++
		data := b.body[i*b.line+b.at:]
		putDecimal(data[seqAt:seqAt+seqDigits], b.seq)
		putDecimal(data[dueAt:dueAt+dueDigits], uint64(due))
	}
	if err := b.conn.send([]byte(b.head)); err != nil {
		return err
	}
	return b.conn.send(b.body)
}

// putDecimal fills dst with the digits of n, zeros in front.
func putDecimal(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}

// wait runs turns until the answer is there.
func (b *batcher) wait(ctx context.Context) error {
	err := b.swarm.until(ctx, "a batch is answered", publishLimit, func() bool { return !b.busy || b.closed })
	if err == nil && b.closed {
		return fmt.Errorf("bench: %s closed the connection of a batch", b.target.name)
	}
	return err
}

// received implements handler.
func (b *batcher) received(_ *conn, p []byte) error {
	b.in = append(b.in, p...)
	head := bytes.Index(b.in, []byte("\r\n\r\n"))
	if head < 0 {
		if len(b.in) > replyHeadMax {
			return fmt.Errorf("%w: %.200q", errBatch, b.in)
		}
		return nil
	}
	size, ok := contentLength(b.in[:head+2])
	if status := statusOf(b.in[:head+2]); status != 200 || !ok || !b.busy {
		return fmt.Errorf("%w: want a 200 with Content-Length, got %.500q", errBatch, b.in)
	}
	body := b.in[head+4:]
	if len(body) < size {
		return nil
	}
	if len(body) > size {
		return fmt.Errorf("%w: %d bytes behind it", errBatch, len(body)-size)
	}
	if err := b.verify(body); err != nil {
		return err
	}
	b.in, b.busy, b.done = b.in[:0], false, b.swarm.now()
	return nil
}

// verify reads the lines of an answer.
func (b *batcher) verify(body []byte) error {
	n := 0
	for line := range bytes.Lines(body) {
		id, ok := answerID(bytes.TrimSuffix(line, []byte("\n")))
		if !ok {
			return fmt.Errorf("%w: line %d: %.300q", errBatch, n+1, line)
		}
		if !b.last.less(id) {
			return fmt.Errorf("%w: line %d: ID %v follows %v", errBatch, n+1, id, b.last)
		}
		b.last = id
		n++
	}
	if n != b.lines {
		return fmt.Errorf("%w: %d lines, want %d", errBatch, n, b.lines)
	}
	b.ids += int64(n)
	return nil
}

// answerID reads {"id":"a-b"}.
func answerID(p []byte) (eventID, bool) {
	p, ok := bytes.CutPrefix(p, []byte(`{"id":"`))
	p, ok2 := bytes.CutSuffix(p, []byte(`"}`))
	if !ok || !ok2 {
		return eventID{}, false
	}
	return parseID(p)
}

// contentLength reads the field of that name.
func contentLength(head []byte) (int, bool) {
	value, ok := headerValue(bytes.ToLower(head), "content-length")
	n, err := strconv.Atoi(string(value))
	return n, ok && err == nil && n >= 0
}

// gone implements handler.
func (b *batcher) gone(*conn, error) { b.closed = true }
