package server

import (
	"fmt"

	"github.com/valyala/bytebufferpool"

	"throng/breaker"
	"throng/httpparse"
	"throng/poller"
	"throng/replay"
)

// session is a connection while it talks HTTP. Between two requests it holds nothing
// but this; an exchange is borrowed while one is under way.
type session struct {
	conn     *poller.Conn
	srv      *Server
	x        *exchange
	pass     *breaker.Pass // of the connection layer, half-open; else nil
	ticket   uint32        // of the client's address, where those are counted
	class    poller.DeadlineClass
	answered bool // a request was answered in this call of Data: what follows is a new one
	over     bool // answered for the last time, or handed over: what still comes is not read
	told     bool // the connection layer knows how this connection was established
	letIn    bool // the load has let the stream in that is asked for
}

// exchange is one request on its way in and its answer on its way out.
type exchange struct {
	req     httpparse.Request
	phase   phase
	seen    int // of an unfinished head
	whole   int // phaseSized: bytes of head and body
	buf     *bytebufferpool.ByteBuffer
	chunk   httpparse.Chunked
	head    []byte                     // phaseChunked: the head
	body    *bytebufferpool.ByteBuffer // phaseChunked: the body so far
	max     int                        // bytes of body that the route takes
	held    int                        // bytes accounted for
	route   *route                     // what answers it
	wrong   *refusal                   // or why it is refused
	records []replay.Record            // of a publish that need not wait
	// admitted: it is a publish, and the load lets it in
	admitted bool
	out      []byte
	text     []byte // scratch for unescaped parameters
}

// phase is what of a request is still to come.
type phase uint8

const (
	phaseHead    phase = iota
	phaseSized         // a body of known length
	phaseChunked       // a chunked body
)

func (s *Server) newSession(c *poller.Conn) poller.Session {
	s.opened.Add(1)
	e := s.entering
	s.entering = entering{}
	return &session{conn: c, srv: s, class: poller.DeadlineHead, pass: e.pass, ticket: e.ticket}
}

func (s *Server) borrow() *exchange {
	if x, ok := s.exchanges.Get().(*exchange); ok {
		return x
	}
	return &exchange{}
}

// giveBack returns the exchange with all its buffers.
func (s *session) giveBack() {
	x := s.x
	s.x = nil
	if x == nil {
		return
	}
	s.srv.buffered.Add(int64(-x.held))
	if x.buf != nil {
		bytebufferpool.Put(x.buf)
	}
	if x.body != nil {
		bytebufferpool.Put(x.body)
	}
	*x = exchange{req: x.req, head: x.head[:0], out: x.out[:0], text: x.text[:0], records: x.records[:0]}
	if cap(x.out) <= exchangeBytesMax && cap(x.head) <= exchangeBytesMax {
		s.srv.exchanges.Put(x)
	}
}

// What a client may have done on the reactor at a time, before the other connections have
// their turn: so many requests, and a body of so many bytes. What is more goes on elsewhere.
const (
	inlineRequestsMax  = 32
	inlineBodyBytesMax = 64 << 10
)

// exchangeBytesMax is the largest buffer that a resting exchange keeps.
const exchangeBytesMax = 32 << 10

// Data implements poller.Session: it answers every request that is whole and keeps the
// rest, never more than one request's limits plus what was read with it.
func (s *session) Data(p []byte) {
	if s.over {
		return
	}
	if s.x == nil {
		s.x = s.srv.borrow()
	}
	x := s.x
	if len(p) > s.srv.inputMax {
		s.refuse(nil, bodyTooLarge.because(fmt.Sprintf("%d bytes were sent ahead; at most %d are read ahead of their answers", len(p), s.srv.inputMax)))
		s.giveBack()
		return
	}
	if x.buf != nil && len(x.buf.B) > 0 {
		_, _ = x.buf.Write(p)
		p = x.buf.B
	}
	s.answered = false
	for served := 0; len(p) > 0 && !s.over && !s.conn.Deferred(); served++ {
		if served == inlineRequestsMax && !s.conn.MayWait() {
			s.conn.Defer()
			break
		}
		n := s.next(p)
		if n == 0 {
			break
		}
		p = p[n:]
	}
	if s.answered {
		s.establish()
	}
	if s.over {
		s.neither()
		s.giveBack()
		return
	}
	s.keep(p)
}

// keep stores an unfinished request, and arms what the client is now waited for. A
// deadline that runs is never prolonged by a few more bytes.
func (s *session) keep(p []byte) {
	x := s.x
	class := poller.DeadlineIdle
	switch {
	case x.phase != phaseHead:
		class = poller.DeadlineBody
	case len(p) > 0:
		class = poller.DeadlineHead
	}
	if class != s.class || s.answered {
		s.class = class
		s.conn.Arm(class)
	}
	if class == poller.DeadlineIdle {
		s.giveBack()
		return
	}
	if x.buf == nil {
		x.buf = bytebufferpool.Get()
	}
	if len(p) != len(x.buf.B) { // else nothing of the buffer was used
		x.buf.B = append(x.buf.B[:0], p...)
	}
	s.account()
}

// account tells the server how much of unfinished requests this session keeps, and
// ends the request when all of them together keep too much.
func (s *session) account() {
	x := s.x
	held := len(x.buf.B)
	if x.body != nil {
		held += len(x.body.B)
	}
	total := s.srv.buffered.Add(int64(held - x.held))
	x.held = held
	if total > int64(s.srv.o.BufferedBytesMax) {
		s.refuse(nil, overloaded.because("the node holds as many unfinished requests as it may"))
		s.giveBack()
	}
}

// Expired implements poller.Session.
func (s *session) Expired(class poller.DeadlineClass) []byte {
	s.over = true
	if class == poller.DeadlineIdle || (class == poller.DeadlineHead && s.x == nil) {
		s.srv.countClosed(closeIdle)
		return nil
	}
	s.srv.countClosed(closeTimeout)
	s.srv.table.HTTPResponse(requestTimeout.status).Inc()
	return s.srv.refusalBytes(requestTimeout.because("the rest of the "+class.String()+" did not come in time"), nil, s.srv.random())
}

// Closed implements poller.Session.
func (s *session) Closed() {
	if !s.over {
		s.srv.countClosed(closePeer)
	}
	s.leave()
	s.giveBack()
}
