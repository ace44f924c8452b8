package bench

import (
	"context"

	"github.com/HdrHistogram/hdrhistogram-go"
)

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
	closed    int    // by the server
	opened    uint64 // in all
	unknown   int64  // loose: blocks with data that is no event of ours

	lag       *hdrhistogram.Histogram // due to delivery, ns; nil: not recorded
	firstByte *hdrhistogram.Histogram // connect to first byte, ns; nil: not recorded
	live      *hdrhistogram.Histogram // resume to attachment, ns; nil: not recorded
	onGone    func(s *stream, err error)
	onEvent   func(s *stream, p payload)

	rate    float64 // of connects, a second; 0: as fast as they attach
	broken  int64   // when resume last broke the connections, ns since the epoch
	request []byte  // memory of the last request

	// What follows is set by spread.
	roster         roster
	offset, stride int   // this process has number offset, offset+stride, …
	team           *team // nil: all are in this process
	id             int   // in the team
	away           int   // streams open in workers
}

// subscription describes one stream to open.
type subscription struct {
	ns, topic string
	token     uint64
	i         uint64 // {i} of the path; 0: the number of the stream in its audience, from 0
	seq       uint64 // of the last event before; see stream.any
	any       bool
	lastID    string // Last-Event-ID; empty: live
	dial      dial
}

// request is the HTTP request of a subscription.
func (b subscription) request(t target) []byte { return b.appendRequest(nil, t) }

func (b subscription) appendRequest(dst []byte, t target) []byte {
	dst = t.speaks().appendSubscribe(dst, t.prefix, t.host(), words{ns: b.ns, topic: b.topic, i: b.i})
	if b.lastID != "" {
		dst = append(append(append(dst, "Last-Event-ID: "...), b.lastID...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// open starts one stream.
func (a *audience) open(b subscription) (*stream, error) {
	if b.i == 0 {
		b.i = a.opened
	}
	a.request = b.appendRequest(a.request[:0], a.target)
	return a.openWith(b, a.request)
}

// openWith starts one stream with a request of the caller's own making.
func (a *audience) openWith(b subscription, request []byte) (*stream, error) {
	s := &stream{audience: a, token: b.token, seq: b.seq, any: b.any, dialed: a.swarm.now()}
	b.dial.target = a.target.addr
	switch s.scan.loose = a.target.speaks().loose; {
	case b.lastID == "":
	case s.scan.loose:
		s.lastID.setOpaque([]byte(b.lastID))
	default:
		s.lastID, _ = parseID([]byte(b.lastID))
	}
	a.opened++
	var err error
	if s.conn, err = a.swarm.connect(s, b.dial, request); err != nil {
		return nil, err
	}
	a.streams = append(a.streams, s)
	return s, nil
}

// openAll opens n streams in this process and waits until each has got its point of
// attachment.
func (a *audience) openAll(ctx context.Context, n int, sub func(i int) subscription) error {
	p := a.newRamp(0, n, func(i int, due int64) error {
		s, err := a.open(sub(i))
		if err == nil {
			s.dialed = due
		}
		return err
	})
	return a.await(ctx, p, a.attached+n, nil)
}
