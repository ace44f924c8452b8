package check

import (
	"encoding/json"
	"errors"
	"fmt"

	"throng/sse"
)

// take logs one message.
func (s *subscriber) take(m sse.Message) {
	if m.Kind != sse.KindPosition && m.Kind != sse.KindEvent {
		return
	}
	id, err := sse.ParseID(m.ID)
	if err != nil {
		s.violation(Content, "was given the ID %q: %v", m.ID, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lineage
	c := &l.conns[len(l.conns)-1]
	if c.first.IsZero() {
		c.first = id
	}
	switch {
	case m.Kind == sse.KindPosition:
		s.position(id)
	case string(m.Name) == sse.GapName:
		s.gap(id, m)
	default:
		s.event(id, m)
	}
}

// position takes a block with only an ID.
func (s *subscriber) position(id sse.ID) {
	l := &s.lineage
	switch {
	case !l.attached:
		l.attached, l.start, l.startAt, l.position = true, id, s.now(), id
	case id.Less(l.position):
		s.note(Order, "was told that it is at %v, after %v", id, l.position)
	default:
		l.position = id
	}
}

func (s *subscriber) gap(id sse.ID, m sse.Message) {
	l := &s.lineage
	var said struct{ Requested, Earliest string }
	data := m.Data
	if l.json {
		var e envelope
		if err := json.Unmarshal(data, &e); err == nil {
			data = []byte(e.Data)
		}
	}
	err := json.Unmarshal(data, &said)
	requested, err1 := sse.ParseID(said.Requested)
	earliest, err2 := sse.ParseID(said.Earliest)
	if err := errors.Join(err, err1, err2); err != nil {
		s.note(BadGap, "was told a gap that can't be read: %q: %v", m.Data, err)
		return
	}
	if !l.attached { // a gap is also a point of attachment
		l.attached, l.start, l.startAt = true, id, s.now()
	}
	s.counts.gaps.Add(1)
	l.log = append(l.log, entry{id: id, number: uint32(len(l.gaps)), gap: true})
	l.gaps = append(l.gaps, gap{requested, earliest})
	l.position = id
}

func (s *subscriber) event(id sse.ID, m sse.Message) {
	l := &s.lineage
	var r ref
	var err error
	if r, s.scratch, err = s.load.read(m, l.json, s.scratch); err != nil {
		s.note(Content, "was given %v: %v", id, err)
		return
	}
	if !l.attached {
		s.note(Content, "was given %v before any point of attachment", id)
		l.attached, l.start, l.startAt = true, sse.ID{Major: id.Major, Minor: id.Minor - min(id.Minor, 1)}, s.now()
	}
	if id.Compare(l.position) <= 0 && l.reached().Less(id) {
		s.note(Order, "was given %v, and had been told that it is at %v", id, l.position)
	}
	s.counts.received.Add(1)
	l.log = append(l.log, entry{id: id, number: r.number, publisher: r.publisher})
	if l.position.Less(id) {
		l.position = id
	}
}

// violation notes what breaks the promise at once.
func (s *subscriber) violation(kind Kind, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(kind, format, args...)
}

// note is violation for who holds the lock.
func (s *subscriber) note(kind Kind, format string, args ...any) {
	l := &s.lineage
	text := fmt.Sprintf("%v %s; at %s, %s", l, fmt.Sprintf(format, args...), seconds(s.now()), l.connectionOf(len(l.log)))
	l.violations = append(l.violations, Violation{kind, text})
}
