package loops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"throng/internal/simio"
	"throng/sse"
)

// truth is everything that was ever published in a namespace, in order. The event with
// the ID 1-n is events[n-1].
type truth struct {
	ns      *Namespace
	events  []*sse.Event
	notices int // gaps told to everybody
}

// subscription is one client over all of its connections: what it wants, and how much of
// the truth it has been given.
type subscription struct {
	of      *truth
	filters []string
	format  sse.Format
	policy  LagPolicy

	peer      *simio.Peer // nil: not connected
	address   netip.Addr  // of this connection
	parser    sse.Parser
	raw       []byte // received, not yet told by the parser
	blank     bool   // the empty line behind a comment or retry is still to come
	messages  int    // of this connection
	from      From   // of this connection
	requested string // of this connection
	stalled   bool
	finished  bool // it has sent its FIN

	attached bool   // it has a position
	last     sse.ID // its last event ID, as a client knows it
	at       int    // events[:at] are settled: received, unwanted, or told as a gap
	floor    uint64 // a connection from now on is not placed before this

	received, gaps   int
	noticed, notices int // number of the last notice of this connection; how many were told in all
	noticesAt        int // how many there were when this connection was seen to be one
}

// feed takes what the peer has received and holds it against the truth.
func (s *subscription) feed() error {
	b := s.peer.Received()
	if len(b) == 0 {
		return nil
	}
	b = s.peer.Read(len(b))
	for len(b) > 0 {
		n, m, err := s.parser.Parse(b)
		if err != nil {
			return err
		}
		s.raw = append(s.raw, b[:n]...)
		b = b[n:]
		if m.Kind == sse.KindNone {
			break
		}
		if err := s.message(m); err != nil {
			return fmt.Errorf("%w\nmessage %d of its connection, filters %q, last %v, bytes %q", err, s.messages, s.filters, s.last, s.raw)
		}
		s.raw = s.raw[:0]
		s.messages++
	}
	return nil
}

func (s *subscription) message(m sse.Message) error {
	if s.blank {
		s.blank = false
		if len(s.raw) == 0 || s.raw[0] != '\n' {
			return fmt.Errorf("no empty line behind a comment or a retry")
		}
		s.raw = s.raw[1:]
	}
	if want := s.messages == 0; want != (m.Kind == sse.KindRetry) {
		return fmt.Errorf("kind %d", m.Kind)
	}
	switch m.Kind {
	case sse.KindRetry: // told at the end of its line, like a comment
		s.blank = true
		b := sse.AppendRetry(nil, int(m.Retry.Milliseconds()))
		return s.same(b[:len(b)-1])
	case sse.KindComment:
		s.blank = true
		return s.same([]byte(sse.Comment[:2]))
	}
	id, err := sse.ParseID(m.ID)
	if err != nil {
		return err
	}
	switch {
	case m.Kind == sse.KindPosition:
		if err := s.same(sse.AppendIDBlock(nil, id)); err != nil {
			return err
		}
		return s.position(id)
	case string(m.Name) == sse.GapName:
		return s.gap(id, m.Data)
	default:
		return s.event(id)
	}
}

// same tells whether the bytes of a message are exactly these.
func (s *subscription) same(want []byte) error {
	if !bytes.Equal(s.raw, want) {
		return fmt.Errorf("torn: want the bytes %q", want)
	}
	return nil
}

// pass settles the truth up to and with an ID; nothing that the client wants may be there.
func (s *subscription) pass(id sse.ID, what string) error {
	if s.attached && id.Less(s.last) {
		return fmt.Errorf("%s %v goes backwards", what, id)
	}
	if id.Minor > uint64(len(s.of.events)) {
		return fmt.Errorf("%s %v is of the future", what, id)
	}
	for ; s.at < int(id.Minor); s.at++ {
		if e := s.of.events[s.at]; wants(s.filters, e.Topics) {
			return fmt.Errorf("%s %v, but %v was never sent", what, id, e.ID)
		}
	}
	return nil
}

// position is a block with an ID only: the first one says where the stream begins.
func (s *subscription) position(id sse.ID) error {
	if s.messages == 1 && !s.attached {
		if s.from == FromNow && id.Minor < s.floor {
			return fmt.Errorf("live from %v, but %d were published before", id, s.floor)
		}
		s.at = int(min(id.Minor, uint64(len(s.of.events))))
	}
	if s.messages == 1 && s.from == FromLost {
		return fmt.Errorf("the gap was not told")
	}
	if err := s.pass(id, "position"); err != nil {
		return err
	}
	if s.messages == 1 && s.from == FromID && id != s.last {
		return fmt.Errorf("resumed after %v as after %v", s.last, id)
	}
	s.attached, s.last = true, id
	if s.messages == 1 {
		s.noticesAt = s.of.notices
	}
	return nil
}

// event is the next one that the client wants, or something is wrong.
func (s *subscription) event(id sse.ID) error {
	if !s.attached {
		return fmt.Errorf("event %v before any position", id)
	}
	if id.Minor <= uint64(s.at) {
		return fmt.Errorf("event %v again", id)
	}
	before := id
	before.Minor--
	if err := s.pass(before, "before event"); err != nil {
		return err
	}
	if s.at == len(s.of.events) {
		return fmt.Errorf("event %v was never published", id)
	}
	e := s.of.events[s.at]
	if !wants(s.filters, e.Topics) {
		return fmt.Errorf("event %v is for %q", id, e.Topics)
	}
	s.at++
	s.last = id
	s.received++
	return s.same(e.Frame(s.format))
}

// gap must be true: something behind what the client had was removed, and nothing is
// left out that was still held.
func (s *subscription) gap(id sse.ID, data []byte) error {
	told := struct {
		ID, Requested, Earliest, Data string
	}{Data: string(data)}
	if s.format == sse.FormatJSON {
		if err := json.Unmarshal(data, &told); err != nil {
			return err
		}
	}
	if err := json.Unmarshal([]byte(told.Data), &told); err != nil {
		return err
	}
	earliest, err := sse.ParseID(told.Earliest)
	if err != nil {
		return err
	}
	if err := s.same(sse.NewGap(told.Requested, earliest, id).Frame(s.format)); err != nil {
		return err
	}
	if number, ok := strings.CutPrefix(told.Requested, everybody); ok {
		return s.notice(id, number)
	}
	s.gaps++
	if s.messages == 1 && s.from == FromLost {
		if told.Requested != s.requested {
			return fmt.Errorf("requested %q, told %q", s.requested, told.Requested)
		}
		s.attached, s.last, s.at, s.noticesAt = true, id, int(id.Minor), s.of.notices
		return nil
	}
	requested, err := sse.ParseID(told.Requested)
	if err != nil {
		return err
	}
	if err := s.pass(requested, "gap from"); err != nil {
		return err
	}
	first := s.of.ns.Log.First()
	switch {
	case id.Less(requested):
		return fmt.Errorf("gap from %v back to %v", requested, id)
	case s.policy == LagSkip && s.messages > 1:
		if id == requested {
			return fmt.Errorf("gap from %v, but nothing was skipped", requested)
		}
	case !requested.Less(first):
		return fmt.Errorf("gap from %v, but everything after %v is held", requested, first)
	case first.Less(id):
		return fmt.Errorf("gap to %v, but everything after %v is held", id, first)
	}
	s.last, s.at = id, max(s.at, int(id.Minor))
	if s.messages == 1 {
		s.noticesAt = s.of.notices
	}
	return nil
}

// missing is an event that the client wants and has not got.
func (s *subscription) missing() *sse.Event {
	for _, e := range s.of.events[s.at:] {
		if wants(s.filters, e.Topics) {
			return e
		}
	}
	return nil
}

// wants is what a filter means, written down once more in the plainest way.
func wants(filters, topics []string) bool {
	for _, f := range filters {
		for _, t := range topics {
			if fits(strings.Split(f, "/"), strings.Split(t, "/")) {
				return true
			}
		}
	}
	return false
}

func fits(filter, topic []string) bool {
	switch {
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0:
		return false
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && fits(filter[1:], topic[1:])
}
