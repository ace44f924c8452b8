package bench

import (
	"fmt"
	"strings"
)

// resumeTopic names the topics of resume. All names have the same length, so that a batch
// is written once and then only its numbers.
const resumeTopic = "resume/%07d"

// resumeTopicDigits is the length of the number in resumeTopic.
const resumeTopicDigits = 7

// feed publishes the next event of each topic in turn, in batches, on one connection. It
// is the batcher with many topics.
type feed struct {
	*batcher
	topics, linesMax int
	digits           int    // where the topic's number is in a line
	headBefore       string // of a request, up to its length
}

// contentLengthName is how the batcher writes the last field of its head.
const contentLengthName = "Content-Length: "

// newFeed connects a feed.
func newFeed(w *swarm, t target, o Options) (*feed, error) {
	lines := min(o.Lines, o.Topics*o.Events)
	b, err := newBatcher(w, t, resumeNS, fmt.Sprintf(resumeTopic, 0), 0, lines, o.PayloadBytes)
	if err != nil {
		return nil, err
	}
	before, _, _ := strings.Cut(b.head, contentLengthName)
	return &feed{batcher: b, topics: o.Topics, linesMax: lines, digits: len(`{"topic":"resume/`), headBefore: before}, nil
}

// publish gives every topic n more events: the first of each, then the second. seq is the
// number of the last one they have. Each batch waits for the answer to the one before. The
// audience, if there is one, is who gets them, for the telling of progress.
func (f *feed) publish(r *run, seq *uint64, n int, a *audience) error {
	first := *seq
	for done, all := 0, n*f.topics; done < all; {
		lines := min(f.linesMax, all-done)
		if err := f.send(first, done, lines, r.w.now()); err != nil {
			return err
		}
		if err := f.wait(r.ctx); err != nil {
			return err
		}
		if done += lines; a != nil {
			r.step(a.delivered)
		}
	}
	*seq = first + uint64(n)
	return nil
}

// send starts a batch of events from..from+lines-1, counted over all topics from the event
// after seq on.
func (f *feed) send(seq uint64, from, lines int, due int64) error {
	if f.busy || f.closed {
		return fmt.Errorf("bench: %s: batch on a connection that is busy (%t) or closed (%t)", f.target.name, f.busy, f.closed)
	}
	if f.lines = lines; len(f.body) != lines*f.line {
		f.body = f.body[:lines*f.line] // it has room for linesMax
		f.head = fmt.Sprintf("%s%s%d\r\n\r\n", f.headBefore, contentLengthName, len(f.body))
	}
	for i := range lines {
		line := f.body[i*f.line:]
		topic := uint64((from + i) % f.topics)
		putDecimal(line[f.digits:f.digits+resumeTopicDigits], topic)
		data := line[f.at:]
		putHex(data[:tokenDigits], topic)
		putDecimal(data[seqAt:seqAt+seqDigits], seq+1+uint64((from+i)/f.topics))
		putDecimal(data[dueAt:dueAt+dueDigits], uint64(due))
	}
	f.busy = true
	if err := f.conn.send([]byte(f.head)); err != nil {
		return err
	}
	return f.conn.send(f.body)
}

// putHex fills dst with the hexadecimal digits of n, zeros in front.
func putHex(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}
