package server

import (
	"fmt"

	"github.com/valyala/bytebufferpool"

	"throng/httpparse"
)

// next reads on at p, which begins with the request under way, and answers it when it
// is whole. It returns how many bytes are done with; 0: more must come first, or it must
// be answered where waiting is allowed.
func (s *session) next(p []byte) int {
	x := s.x
	switch x.phase {
	case phaseSized:
		if len(p) < x.whole {
			return 0
		}
		n := s.parse(p)
		if n > 0 && !s.answer(p[n:x.whole]) {
			return 0
		}
		whole := x.whole
		s.reset()
		return whole
	case phaseChunked:
		if !s.conn.MayWait() { // its end may have to wait: a chunked body can't be read twice
			s.conn.Defer()
			return 0
		}
		return s.decode(p)
	}
	n := s.parse(p)
	if n == 0 {
		return 0
	}
	return s.headDone(p, n)
}

func (s *session) reset() {
	x := s.x
	x.phase, x.seen, x.whole = phaseHead, 0, 0
}

// parse reads the head; 0: it is unfinished, or was refused.
func (s *session) parse(p []byte) int {
	x := s.x
	n, err := httpparse.Parse(p, x.seen, &s.srv.limits, &x.req)
	if err == nil {
		x.seen = 0
		return n
	}
	if err == httpparse.ErrPartial {
		x.seen = len(p)
		return 0
	}
	fault, ok := err.(*httpparse.Error)
	if !ok {
		s.refuse(&x.req, badRequest.because(err.Error()))
		return 0
	}
	s.refuse(&x.req, parserRefusal(fault))
	return 0
}

// headDone decides what becomes of a request whose head of n bytes is read.
func (s *session) headDone(p []byte, n int) int {
	x := s.x
	x.route, x.wrong = s.srv.routeOf(&x.req)
	x.max = 0
	if x.wrong == nil {
		x.max, x.wrong = x.route.bodyMax(s.srv, &x.req)
	}
	if x.wrong != nil && (x.req.Chunked || x.req.ContentLength > int64(len(p)-n)) {
		s.refuse(&x.req, x.wrong) // its body is still to come: answered now, lingering
		return n
	}
	if x.wrong == nil && x.req.ContentLength > int64(x.max) {
		s.refuse(&x.req, bodyTooLarge.because(fmt.Sprintf("Content-Length is %d; at most %d bytes are taken here", x.req.ContentLength, x.max)))
		return n
	}
	switch {
	case x.req.Chunked:
		x.phase = phaseChunked
		x.chunk = httpparse.Chunked{}
		x.head = append(x.head[:0], p[:n]...)
		x.body = bytebufferpool.Get()
		s.expect(len(p) == n)
		return n
	case x.req.ContentLength > int64(len(p)-n):
		x.phase = phaseSized
		x.whole = n + int(x.req.ContentLength)
		s.expect(len(p) == n)
		return 0
	}
	size := int(max(x.req.ContentLength, 0))
	if !s.answer(p[n : n+size]) {
		return 0
	}
	s.reset()
	return n + size
}

// expect tells a client that waits for it to go on (RFC 9110, section 10.1.1).
func (s *session) expect(bodyMissing bool) {
	if s.x.req.ExpectContinue && bodyMissing {
		if err := s.conn.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			s.end()
		}
	}
}

// decode goes on with a chunked body.
func (s *session) decode(p []byte) int {
	x := s.x
	used := 0
	for used < len(p) {
		data, n, done, err := x.chunk.Decode(p[used:], &s.srv.limits)
		if err != nil {
			s.refuseChunk(err)
			return used
		}
		used += n
		if len(x.body.B)+len(data) > x.max || int64(len(x.body.B))+x.chunk.Pending() > int64(x.max) {
			s.refuse(nil, bodyTooLarge.because(fmt.Sprintf("the chunked body is longer than %d bytes", x.max)))
			return used
		}
		_, _ = x.body.Write(data)
		if done {
			s.chunkedDone()
			return used
		}
	}
	return used
}

func (s *session) refuseChunk(err error) {
	if fault, ok := err.(*httpparse.Error); ok {
		s.refuse(nil, parserRefusal(fault))
		return
	}
	s.refuse(nil, badRequest.because(err.Error()))
}

func (s *session) chunkedDone() {
	x := s.x
	if s.parse(x.head) > 0 {
		s.answer(x.body.B) // may wait: never deferred
	}
	if x.body != nil {
		bytebufferpool.Put(x.body)
		x.body = nil
	}
	s.reset()
}
