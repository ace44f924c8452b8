package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// gapEvent is the name of the event that tells of a gap.
const gapEvent = "throng.gap"

// stream is one subscription. It holds what it takes to verify every event: the token it
// may see, the last sequence number and the last ID.
type stream struct {
	audience *audience
	conn     *conn
	scan     scanner

	token  uint64
	seq    uint64 // of the last event; with any set, not known yet
	lastID eventID

	dialed    int64 // ns since the epoch
	any       bool  // the first event may have any sequence number
	heard     bool  // the first byte has come
	attached  bool  // the block with only an ID has come
	gapped    bool  // a gap was told after the last event
	now       int64 // of the read being scanned
	delivered uint64
}

// audience is the streams of one part of a scenario and what they have counted together.
type audience struct {
	swarm  *swarm
	target target
	exact  bool // a gap is a fault

	streams   []*stream
	attached  int
	delivered int64
	bytes     int64
	gaps      int
	closed    int // by the server

	lag       *hdrhistogram.Histogram // due to delivery, ns; nil: not recorded
	firstByte *hdrhistogram.Histogram // connect to first byte, ns; nil: not recorded
	onGone    func(s *stream, err error)
	onEvent   func(s *stream, p payload)
}

// newHistogram holds 1 ns to 10 minutes with three significant digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute), 3)
}

// subscription describes one stream to open.
type subscription struct {
	ns, topic string
	token     uint64
	seq       uint64 // of the last event before; see stream.any
	any       bool
	lastID    string // Last-Event-ID; empty: live
	dial      dial
}

// request is the HTTP request of a subscription.
func (b subscription) request(t target) []byte {
	p := fmt.Appendf(nil, "GET /events?ns=%s&topic=%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n", b.ns, b.topic, t.addr)
	if b.lastID != "" {
		p = fmt.Appendf(p, "Last-Event-ID: %s\r\n", b.lastID)
	}
	return append(p, "\r\n"...)
}

// open starts one stream.
func (a *audience) open(b subscription) (*stream, error) {
	return a.openWith(b, b.request(a.target))
}

// openWith starts one stream with a request of the caller's own making.
func (a *audience) openWith(b subscription, request []byte) (*stream, error) {
	s := &stream{audience: a, token: b.token, seq: b.seq, any: b.any, dialed: a.swarm.now()}
	if b.dial.target = a.target.addr; b.lastID != "" {
		s.lastID, _ = parseID([]byte(b.lastID))
	}
	var err error
	if s.conn, err = a.swarm.connect(s, b.dial, request); err != nil {
		return nil, err
	}
	a.streams = append(a.streams, s)
	return s, nil
}

// connectsMax bounds the streams that are connected and not attached yet: well below
// any accept queue, so that no SYN is dropped and retried a second later.
const connectsMax = 256

// attachLimit is how long the opening of all streams may take.
const attachLimit = 2 * time.Minute

// openAll opens n streams and waits until each has got its point of attachment.
func (a *audience) openAll(ctx context.Context, n int, sub func(i int) subscription) error {
	base, want := a.attached, a.attached+n
	for i := range n {
		if _, err := a.open(sub(i)); err != nil {
			return err
		}
		if i+1-(a.attached-base) >= connectsMax {
			err := a.swarm.until(ctx, "streams attach", attachLimit, func() bool {
				return i+1-(a.attached-base) < connectsMax/2 || a.closed > 0
			})
			if err != nil {
				return fmt.Errorf("%w (%d of %d attached)", err, a.attached, want)
			}
		}
		if a.closed > 0 {
			break
		}
	}
	err := a.swarm.until(ctx, "streams attach", attachLimit, func() bool { return a.attached == want || a.closed > 0 })
	if err != nil {
		return fmt.Errorf("%w (%d of %d attached)", err, a.attached, want)
	}
	if a.closed > 0 {
		return fmt.Errorf("bench: %s closed %d streams while %d were opened: %q", a.target.name, a.closed, n, a.swarm.faults)
	}
	return nil
}

// closeAll closes all streams of the audience.
func (a *audience) closeAll() {
	for _, s := range a.streams {
		s.conn.close()
	}
	a.streams = nil
}

// received implements handler.
func (s *stream) received(c *conn, p []byte) error {
	a := s.audience
	s.now = a.swarm.now()
	a.bytes += int64(len(p))
	if !s.heard {
		s.heard = true
		if a.firstByte != nil {
			record(a.firstByte, s.now-s.dialed)
		}
	}
	if err := s.scan.feed(p, s); err != nil {
		return fmt.Errorf("%s: token %016x after event %d (%v): %w", a.target.name, s.token, s.seq, s.lastID, err)
	}
	return nil
}

var (
	errOrder     = errors.New("bench: an ID that does not rise")
	errToken     = errors.New("bench: an event of another topic")
	errDuplicate = errors.New("bench: an event twice, or out of order")
	errMissing   = errors.New("bench: an event is missing")
	errGap       = errors.New("bench: a gap where none may be")
	errNoID      = errors.New("bench: an event without an ID")
)

// frame implements frameSink: it verifies one block.
func (s *stream) frame(f frame) error {
	a := s.audience
	if f.id != nil {
		id, ok := parseID(f.id)
		if !ok || id.less(s.lastID) || f.data != nil && !s.lastID.less(id) {
			return fmt.Errorf("%w: %q after %v", errOrder, f.id, s.lastID)
		}
		s.lastID = id
	}
	switch {
	case f.data == nil:
		if f.id != nil && !s.attached {
			s.attached = true
			a.attached++
		}
		return nil
	case f.id == nil:
		return fmt.Errorf("%w: %.200q", errNoID, f.data)
	case string(f.event) == gapEvent:
		a.gaps++
		s.gapped = true
		if a.exact {
			return fmt.Errorf("%w: %.200q", errGap, f.data)
		}
		return nil
	}
	return s.event(f)
}

func (s *stream) event(f frame) error {
	a := s.audience
	p, err := parsePayload(f.data)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %.200q", err, f.data)
	case p.token != s.token:
		return fmt.Errorf("%w: %016x", errToken, p.token)
	case s.any:
		s.any = false
	case p.seq <= s.seq:
		return fmt.Errorf("%w: %d", errDuplicate, p.seq)
	case p.seq != s.seq+1 && !s.gapped:
		return fmt.Errorf("%w: %d follows %d", errMissing, p.seq, s.seq)
	}
	s.seq, s.gapped = p.seq, false
	s.delivered++
	a.delivered++
	if a.lag != nil {
		record(a.lag, s.now-p.due)
	}
	if a.onEvent != nil {
		a.onEvent(s, p)
	}
	return nil
}

// gone implements handler.
func (s *stream) gone(c *conn, err error) {
	a := s.audience
	a.closed++
	switch {
	case a.onGone != nil:
		a.onGone(s, err)
	case err == errFault:
	case err == io.EOF:
		a.swarm.fault("%s closed the stream of token %016x after event %d", a.target.name, s.token, s.seq)
	default:
		a.swarm.fault("%s: stream of token %016x: %v", a.target.name, s.token, err)
	}
}

// record clamps to the histogram's range: a value outside is still counted.
func record(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, 1), int64(10*time.Minute)))
}
