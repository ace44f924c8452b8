package server

import (
	"bytes"
	"errors"
	"strings"

	"throng/httpparse"
	"throng/replay"
	"throng/server/loops"
	"throng/sse"
	"throng/topics"
)

// events makes a stream of the connection: everything is checked here, then the
// descriptor goes to a loop, which writes the head and all that follows. false: it would
// have to wait where that is not allowed.
func (s *session) events() bool {
	if s.srv.draining.Load() && wantsStream(&s.x.req) {
		s.comeBack()
		return true
	}
	if !s.letIn && !s.srv.letsStreamIn(s.age()) {
		s.srv.table.Shed[shedStreamsRate].Inc()
		s.sendAwayFor(awayLoad)
		return true
	}
	s.letIn = true // until it is answered: it may have to be asked for again, where that may wait
	done := s.stream()
	s.letIn = !done
	return done
}

// stream makes a stream of the connection, which the load lets in.
func (s *session) stream() bool {
	a, name, refused := s.subscription()
	if refused != nil {
		s.problem(refused)
		return true
	}
	ns, err := s.srv.hub.follow(name, s.conn.MayWait())
	if err == errWouldWait {
		return false
	}
	if err != nil {
		s.sendAway(err)
		return true
	}
	if most := s.srv.o.NamespaceStreamsMax; most > 0 && ns.arriving() >= most {
		ns.handedOver()
		s.srv.table.Shed[shedNamespaceStreams].Inc()
		s.sendAwayFor(awayMany)
		return true
	}
	trial, after, ok := s.srv.gateways.admit(ns.Namespace)
	if !ok {
		ns.handedOver()
		s.sendAwayBy(ns, after)
		return true
	}
	a.NS, a.Floor, a.Trial = ns.Namespace, ns.following.floor(), trial
	a.Books = s.srv.edge.Books()
	s.over = true
	srv := s.srv
	srv.table.HTTPResponse(200).Inc()
	ns.following.sent.Add(1)
	err = s.conn.HandOver(func(fd int, mayWait bool) bool {
		s.moves(fd)
		ns.following.sent.Add(-1)
		if mayWait {
			srv.group.Attach(fd, a)
		} else if !srv.group.TryAttach(fd, a) {
			ns.following.sent.Add(1)
			return false
		}
		ns.handedOver()
		return true
	})
	if err != nil {
		srv.gateways.judged(ns.Namespace, trial, false)
		ns.following.sent.Add(-1)
		ns.handedOver()
		srv.table.Shed[shedDescriptors].Inc()
		s.failed(errHandOver(err))
	}
	return true
}

// sendAway refuses a stream for which the store is needed. An EventSource comes back.
func (s *session) sendAway(err error) {
	refused := s.srv.unavailable(err)
	if !errors.Is(err, replay.ErrUnavailable) && !errors.Is(err, errTooManyNamespaces) {
		s.failed(err)
	}
	if wantsStream(&s.x.req) && errors.Is(err, replay.ErrUnavailable) {
		s.comeBack()
		return
	}
	s.problem(refused)
}

// wantsStream tells an EventSource, which says what it accepts, from other clients.
func wantsStream(q *httpparse.Request) bool {
	accept, ok := q.Known(httpparse.FieldAccept)
	return ok && bytes.Contains(accept, []byte("text/event-stream"))
}

// comeBack sends an EventSource away so that it returns. By the WHATWG text (section
// 9.2.3) any status but 200 makes it give up for good, so a stream that was closed early
// in a drain and met the same node again, or one that comes while Redis is away, would be
// lost: it gets a stream that ends at
// once, with its reconnection time and no ID, so that it keeps the one it has.
func (s *session) comeBack() {
	s.neither()
	s.respond(endedStreamAnswer(s.srv.o.Retry, s.srv.random()))
}

// subscription reads what the client wants, and in which namespace.
func (s *session) subscription() (*loops.Attach, string, *refusal) {
	srv, q := s.srv, &s.x.req
	if srv.draining.Load() {
		return nil, "", draining.because("come back in a moment, to another node if there is one")
	}
	p, scratch, refused := readParams(q.Query, s.x.text, srv.o.StreamTopicsMax)
	s.x.text = scratch
	if refused != nil {
		return nil, "", refused
	}
	if len(p.topics) == 0 {
		return nil, "", missingTopic.because("GET /events?topic=T names what to subscribe to; topic may be repeated")
	}
	for _, t := range p.topics {
		if err := topics.CheckFilter(t); err != nil {
			return nil, "", badTopic.because(err.Error())
		}
	}
	a := &loops.Attach{Topics: p.topics, Head: srv.streamHead(q), Full: srv.fullFor(q)}
	if a.Format, refused = formatOf(p.format); refused != nil {
		return nil, "", refused
	}
	if refused = position(a, q, &p); refused != nil {
		return nil, "", refused
	}
	name, refused := checkNamespace(p.ns)
	return a, name, refused
}

// fullFor is the answer to a stream that meets full tables.
func (s *Server) fullFor(q *httpparse.Request) []byte {
	words, _ := s.wordsFor(awayFull, q)
	return words
}

func formatOf(format string) (sse.Format, *refusal) {
	switch format {
	case "", "text":
		return sse.FormatText, nil
	case "json":
		return sse.FormatJSON, nil
	}
	return 0, badFormat.because("format is text (the default) or json")
}

// position reads where the stream begins: the Last-Event-ID field, the parameter
// lastEventId, since, or now. A browser sends its last ID whatever it was and gives up
// for good on an error, so an ID that is none of ours is told as a gap there; in since
// it is a mistake.
func position(a *loops.Attach, q *httpparse.Request, p *params) *refusal {
	requested := p.lastEventID
	if field, ok := q.Known(httpparse.FieldLastEventID); ok && len(field) > 0 {
		requested = string(field)
	}
	if requested != "" {
		a.Requested = strings.ToValidUTF8(requested, "\uFFFD")
		id, err := sse.ParseID(requested)
		if err != nil {
			a.From = loops.FromLost
			return nil
		}
		a.From, a.ID = loops.FromID, id
		return nil
	}
	switch p.since {
	case "":
		return nil
	case "earliest":
		a.From = loops.FromEarliest
		return nil
	}
	id, err := sse.ParseID(p.since)
	if err != nil {
		return badSince.because("since is an ID as the stream gave it, or earliest: " + err.Error())
	}
	a.From, a.ID, a.Requested = loops.FromID, id, p.since
	return nil
}

// streamHead is the head of a stream's answer, not to be written to.
func (s *Server) streamHead(q *httpparse.Request) []byte {
	if s.cors.asks() {
		return s.makeStreamHead(q)
	}
	return *s.head.Load()
}

// makeStreamHead encodes the head. The answer is delimited by the close (RFC 9112, section
// 6.3), and says keep-alive to the proxies that ask for it.
func (s *Server) makeStreamHead(q *httpparse.Request) []byte {
	b := make([]byte, 0, 256)
	b = append(b, "HTTP/1.1 200 OK\r\n"...)
	b = append(b, s.date.get()...)
	b = append(b, "Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"+
		"X-Accel-Buffering: no\r\nConnection: keep-alive\r\n"...)
	b = s.cors.appendTo(b, q)
	return append(b, "\r\n"...)
}
