package bench

import (
	"fmt"
	"io"
)

// crowd is an audience for very many: each member subscribes to a topic of its own and to
// one that all share. A member costs the client less than 100 bytes, its connection aside;
// what the members are told is verified as an audience verifies it.
type crowd struct {
	swarm   *swarm
	target  target
	members []member // made with room for all: their connections point into it

	attached  int64
	own       int64 // events on members' own topics
	all       int64 // broadcasts since the owner last set it to 0
	delivered int64 // broadcasts
	beaten    int64 // members with a heartbeat since forgetBeats
	lost      int64 // members whose stream has ended

	request []byte // memory of the last request
}

// member is one stream of a crowd.
type member struct {
	crowd    *crowd
	scan     scanner
	lastID   eventID
	number   uint32 // of its own topic, and that topic's token
	all      uint32 // the last broadcast
	own      bool   // the event on its own topic has come
	attached bool
	beaten   bool
}

const (
	crowdTopic = "all"
	// crowdToken is no number of a member.
	crowdToken = 1 << 32
)

func newCrowd(w *swarm, t target, n int) *crowd {
	return &crowd{swarm: w, target: t, members: make([]member, 0, n)}
}

// open starts the next member's stream.
func (c *crowd) open() error {
	n := len(c.members)
	c.members = append(c.members, member{crowd: c, number: uint32(n)})
	c.request = fmt.Appendf(c.request[:0], "GET /events?topic=%s&topic=%s HTTP/1.1\r\nHost: %s\r\n\r\n", deviceTopic(n), crowdTopic, c.target.addr)
	_, err := c.swarm.connect(&c.members[n], dial{target: c.target.addr}, c.request)
	return err
}

// forgetBeats begins a new count of heartbeats.
func (c *crowd) forgetBeats() {
	c.beaten = 0
	for i := range c.members {
		c.members[i].beaten = false
	}
}

// complete counts the members that have had n broadcasts. Their order is verified as
// they come, so the last one stands for all.
func (c *crowd) complete(n int) int64 {
	var complete int64
	for i := range c.members {
		if c.members[i].all == uint32(n) {
			complete++
		}
	}
	return complete
}

// received implements handler.
func (m *member) received(_ *conn, p []byte) error {
	if err := m.scan.feed(p, m); err != nil {
		return fmt.Errorf("%s: stream %d after broadcast %d (%v): %w", m.crowd.target.name, m.number, m.all, m.lastID, err)
	}
	return nil
}

// frame implements frameSink.
func (m *member) frame(f frame) error {
	if f.id != nil {
		id, ok := parseID(f.id)
		if !ok || id.less(m.lastID) || f.data != nil && !m.lastID.less(id) {
			return fmt.Errorf("%w: %q after %v", errOrder, f.id, m.lastID)
		}
		m.lastID = id
	}
	switch {
	case f.data == nil:
		m.blank(f)
		return nil
	case f.id == nil:
		return fmt.Errorf("%w: %.200q", errNoID, f.data)
	case string(f.event) == gapEvent:
		return fmt.Errorf("%w: %.200q", errGap, f.data)
	}
	return m.event(f.data)
}

// blank takes a block without data: the point of attachment, then heartbeats.
func (m *member) blank(f frame) {
	switch {
	case !m.attached && f.id != nil:
		m.attached = true
		m.crowd.attached++
	case m.attached && !m.beaten:
		m.beaten = true
		m.crowd.beaten++
	}
}

func (m *member) event(data []byte) error {
	p, err := parsePayload(data)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %.200q", err, data)
	case p.token == crowdToken && p.seq <= uint64(m.all):
		return fmt.Errorf("%w: broadcast %d", errDuplicate, p.seq)
	case p.token == crowdToken && p.seq > uint64(m.all)+1:
		return fmt.Errorf("%w: broadcast %d follows %d", errMissing, p.seq, m.all)
	case p.token == crowdToken:
		m.all++
		m.crowd.all++
		m.crowd.delivered++
	case p.token != uint64(m.number):
		return fmt.Errorf("%w: %016x", errToken, p.token)
	case m.own:
		return fmt.Errorf("%w: on its own topic", errDuplicate)
	default:
		m.own = true
		m.crowd.own++
	}
	return nil
}

// gone implements handler.
func (m *member) gone(_ *conn, err error) {
	m.crowd.lost++
	switch err {
	case errFault:
	case io.EOF:
		m.crowd.swarm.fault("%s closed stream %d after broadcast %d", m.crowd.target.name, m.number, m.all)
	default:
		m.crowd.swarm.fault("%s: stream %d: %v", m.crowd.target.name, m.number, err)
	}
}
