package bench

import (
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

// newHistogram holds 1 ns to 10 minutes with three significant digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute), 3)
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
	err := s.scan.feed(p, s)
	if s.scan.loose && s.scan.body && !s.attached {
		s.attach()
	}
	switch {
	case err == errEnded:
		c.lost(io.EOF)
	case err != nil:
		return fmt.Errorf("%s: token %016x after event %d (%v): %w", a.target.name, s.token, s.seq, s.lastID, err)
	}
	return nil
}

func (s *stream) attach() {
	a := s.audience
	s.attached = true
	a.attached++
	if a.live != nil && a.broken > 0 {
		record(a.live, s.now-a.broken)
	}
}

// resumeID is the Last-Event-ID with which the stream goes on; empty if it has none yet.
func (s *stream) resumeID() string {
	if s.lastID == (eventID{}) {
		return ""
	}
	return s.lastID.String()
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
	if s.scan.loose {
		return s.looseFrame(f)
	}
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
			s.attach()
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
	p, err := parsePayload(f.data)
	if err != nil {
		return fmt.Errorf("%w: %.200q", err, f.data)
	}
	return s.event(p)
}

// looseFrame verifies a block of any server's: what its data says, since its ID has no
// order and data may be what the server says on its own account.
func (s *stream) looseFrame(f frame) error {
	if f.id != nil {
		s.lastID.setOpaque(f.id)
	}
	for data := f.data; len(data) > 0; {
		p, rest, found, err := findPayload(data)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %.200q", err, data)
		case !found && len(data) == len(f.data):
			s.audience.unknown++
			return nil
		case !found:
			return nil
		}
		if err := s.event(p); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

// event verifies one event.
func (s *stream) event(p payload) error {
	a := s.audience
	switch {
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
