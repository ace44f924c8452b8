package server

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"throng/httpparse"
	"throng/poller"
	"throng/sse"
)

// prebuilt is an answer to connections that are shed: encoding it for each would be work
// for clients that are not served. It is made anew every second, in a few variants with
// different Retry-After, so that the clients do not come back together.
type prebuilt struct {
	variants atomic.Pointer[[prebuiltVariants][]byte]
}

const prebuiltVariants = 8

func (p *prebuilt) pick() []byte { return p.variants.Load()[rand.Uint32()%prebuiltVariants] }

// make builds the variants, each with a random number of its own eighth of all: eight that are
// drawn from the whole may all say the same second.
func (p *prebuilt) make(build func(random uint32) []byte) {
	const part = 1 << 32 / prebuiltVariants
	var variants [prebuiltVariants][]byte
	for i := range variants {
		variants[i] = build(uint32(i)*part + rand.Uint32N(part))
	}
	p.variants.Store(&variants)
}

// away is what clients are told that are sent away for one reason: a problem, or a stream
// that ends at once, where that makes an EventSource come back (comeBack).
type away struct {
	refused atomic.Pointer[refusal]
	problem prebuilt
	stream  prebuilt
}

// Why clients are sent away, by the place of what they are told.
const (
	awayLimit       = iota // --connections-max is reached
	awayRequests           // --requests-max is reached
	awayDescriptors        // no descriptor was left
	awayAddress            // --address-connections-max is reached
	awayBreaker            // the connection layer is open
	awayLoad               // the load lets no more new streams in
	awayMany               // --namespace-streams-max is reached
	awayFull               // a loop's tables have no room
	awayReasons            //
	awayNot         = -1   // it may come in
	awayAfterMin    = 2.0  // seconds after which a client may come back when few are sent away
	awayAfterMax    = 20.0 // and when all are; each gets up to half of it on top
)

// comeBackAfter says when a client that is sent away should come back, at the earliest: the
// later the larger the share is of those that are. So many clients as wait ask for so many
// answers a second as they are divided by that time.
func comeBackAfter(share float64, least time.Duration) time.Duration {
	seconds := awayAfterMin + (awayAfterMax-awayAfterMin)*min(max(share, 0), 1)
	return max(least, time.Duration(math.Round(seconds))*time.Second)
}

// prebuild makes the answers of the coming second.
func (s *Server) prebuild() {
	if !s.cors.asks() {
		head := s.makeStreamHead(nil)
		s.head.Store(&head)
	}
	after := comeBackAfter(s.load.shedShare.get(), connectionLimit.retry)
	s.sendAway(awayLimit, connectionLimit, after, fmt.Sprintf("at most %d connections are held", s.connectionsMax))
	s.sendAway(awayRequests, connectionLimit, after, fmt.Sprintf("at most %d connections that are no streams are held", s.requestsMax))
	s.sendAway(awayDescriptors, connectionLimit, after, "the node has no descriptor left for another connection")
	s.sendAway(awayAddress, addressLimit, addressLimit.retry, fmt.Sprintf("at most %d connections of one address are held", s.o.AddressConnectionsMax))
	s.sendAway(awayBreaker, breakerOpen, s.door.opensIn(), "new connections fail here, and none is taken for a while")
	s.sendAway(awayLoad, overloaded, comeBackAfter(s.load.refusedShare.get(), 0), "the load lets no more new streams in")
	s.sendAway(awayFull, overloaded, comeBackAfter(s.load.shedShare.get(), 0), "the node has no room for another stream")
	s.sendAway(awayMany, namespaceLimit, namespaceLimit.retry, fmt.Sprintf("a namespace has at most %d streams", s.o.NamespaceStreamsMax))
}

// sendAway makes what clients are told that are sent away for one reason.
func (s *Server) sendAway(why int, p problem, after time.Duration, detail string) {
	p.retry = after
	refused := p.because(detail)
	w := &s.away[why]
	w.refused.Store(refused)
	w.problem.make(func(random uint32) []byte { return s.refusalBytes(refused, nil, random) })
	if !s.cors.asks() {
		w.stream.make(func(random uint32) []byte { return s.endedStream(after, nil, random) })
	}
}

// endedStream is an answer that makes an EventSource come back after a while: by the WHATWG
// text (section 9.2.3) any status but 200 makes it give up for good.
func (s *Server) endedStream(after time.Duration, q *httpparse.Request, random uint32) []byte {
	a := endedStreamAnswer(after, random)
	a.minor = 1
	a.extra = s.cors.appendTo(a.extra, q)
	return a.append(nil, &s.date)
}

func endedStreamAnswer(after time.Duration, random uint32) *answer {
	ms := uint64(after.Milliseconds())
	body := sse.AppendRetry(nil, int(ms+below(ms/2+1, random)))
	return &answer{status: 200, contentType: "text/event-stream", body: body, close: true,
		extra: []byte("Cache-Control: no-cache, no-transform\r\n")}
}

// lookAt finds out what a connection asks for that is not let in; q is nil where its first
// bytes do not say. Of a head that came in part the lines that are there count: browsers send
// their cookies last, and these may fill a packet of their own. whole: nothing more is to come.
// It is for the reactor that accepts, and writes to first.
func (s *Server) lookAt(first []byte) (q *httpparse.Request, whole bool) {
	q = &s.atDoor
	n, err := httpparse.Parse(first, 0, &s.limits, q)
	if err == nil {
		return q, n == len(first) && !q.Chunked && q.ContentLength <= 0
	}
	lines := bytes.LastIndexByte(first, '\n') + 1
	if err != httpparse.ErrPartial || lines == 0 || cap(first) < lines+2 {
		return nil, false
	}
	if _, err = httpparse.Parse(append(first[:lines], "\r\n"...), 0, &s.limits, q); err != nil {
		return nil, false
	}
	return q, false
}

// asksWhole says whether a connection has sent all of its first request. Half-open only such
// are tried: those who dribble, or say nothing, would keep the places of the others.
func (s *Server) asksWhole(first []byte) bool {
	q := &s.atDoor
	n, err := httpparse.Parse(first, 0, &s.limits, q)
	return err == nil && !q.Chunked && int64(len(first)-n) >= q.ContentLength
}

// wordsFor is what a client is told that is sent away; q is what it asks for, or nil. Where the
// fields for other origins depend on who asks, nothing can be made before.
func (s *Server) wordsFor(why int, q *httpparse.Request) (words []byte, status int) {
	w := &s.away[why]
	refused := w.refused.Load()
	if q == nil {
		return w.problem.pick(), refused.status
	}
	streams := q.MethodID == httpparse.MethodGet && string(q.Path) == "/events" && wantsStream(q)
	switch asks := s.cors.asks(); {
	case streams && asks:
		return s.endedStream(refused.retry, q, s.random()), 200
	case streams:
		return w.stream.pick(), 200
	case asks || q.MethodID == httpparse.MethodHead:
		return s.refusalBytes(refused, q, s.random()), refused.status
	}
	return w.problem.pick(), refused.status
}

// shedConnection answers a connection that is not let in. One whose request is whole is
// answered and closed on the spot; else the client may still be sending, and the answer
// lingers in a row. Where that would mean waiting, on the reactor, it is answered at once.
func (s *Server) shedConnection(fd, why int, first []byte) {
	q, whole := s.lookAt(first)
	words, status := s.wordsFor(why, q)
	s.table.HTTPResponse(status).Inc()
	switch {
	case whole:
		poller.LastWords(fd, words)
	case !s.group.TryRefuse(fd, words, nil):
		poller.RefuseNow(fd, words)
	}
}

// sendAwayFor refuses a stream whose head was read, for a reason that has nothing to do with
// its request: an EventSource comes back.
func (s *session) sendAwayFor(why int) {
	s.neither()
	words, status := s.srv.wordsFor(why, &s.x.req)
	s.lastAnswer(status, words)
}

// lastAnswer writes an answer that was made before, and ends the connection.
func (s *session) lastAnswer(status int, p []byte) {
	s.srv.table.HTTPResponse(status).Inc()
	_ = s.conn.Write(p)
	s.end()
}
