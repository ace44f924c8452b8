package loops

import "throng/poller"

// outboxSends is how many writes are made at once.
const outboxSends = 64

// outbox gathers one write each to many rows, so that a few system calls make them all.
// It holds writes only while rows are walked: whoever fills it empties it before anything
// else is sent to these rows.
type outbox struct {
	sends [outboxSends]poller.Send
	n     int
}

func (o *outbox) add(fd int32, slot uint32, p []byte) {
	s := &o.sends[o.n]
	s.FD, s.Tag, s.P = fd, slot, p
	o.n++
}

func (o *outbox) full() bool { return o.n == outboxSends }

// flush makes the writes. What it returns is valid until the next add.
func (o *outbox) flush(p poller.Poller) []poller.Send {
	sends := o.sends[:o.n]
	o.n = 0
	if len(sends) > 0 {
		p.WriteMany(sends)
	}
	return sends
}
