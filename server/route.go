package server

import (
	"fmt"
	"strconv"

	"throng/httpparse"
	"throng/sse"
)

// route is one resource of the public port.
type route struct {
	path   string
	allow  string                                            // the methods, for Allow
	get    func(*session) bool                               // false: deferred, nothing was answered
	post   func(*session, []byte) bool                       // the same
	verify func(*Server, *httpparse.Request) (int, *refusal) // of a POST: bytes of body taken, or why not
}

// routes are all there is. They are few: comparing is faster than a map.
var routes []route

func init() {
	routes = []route{
		{path: "/events", allow: "GET, OPTIONS", get: (*session).events},
		{path: "/publish", allow: "POST, OPTIONS", post: (*session).publish, verify: verifyPublish},
		{path: "/healthz", allow: "GET, HEAD, OPTIONS", get: (*session).healthz},
		{path: "/readyz", allow: "GET, HEAD, OPTIONS", get: (*session).readyz},
	}
}

// routeOf finds what answers a request.
func (s *Server) routeOf(q *httpparse.Request) (*route, *refusal) {
	if q.Form == httpparse.FormAsterisk {
		return nil, nil
	}
	for i := range routes {
		r := &routes[i]
		if string(q.Path) != r.path {
			continue
		}
		switch {
		case q.MethodID == httpparse.MethodOptions:
		case q.MethodID == httpparse.MethodGet && r.get != nil:
		case q.MethodID == httpparse.MethodHead && r.get != nil && r.path != "/events":
		case q.MethodID == httpparse.MethodPost && r.post != nil:
		default:
			refused := methodNotAllowed.because(fmt.Sprintf("%s takes %s", r.path, r.allow))
			refused.allow = r.allow
			return nil, refused
		}
		return r, nil
	}
	return nil, notFound.because("the resources are /events, /publish, /healthz and /readyz")
}

// ignoredBodyMax is how much of a body is read where none has a meaning.
const ignoredBodyMax = 4 << 10

// bodyMax says how many bytes of body a request may have.
func (r *route) bodyMax(s *Server, q *httpparse.Request) (int, *refusal) {
	if r == nil || r.verify == nil || q.MethodID != httpparse.MethodPost {
		return ignoredBodyMax, nil
	}
	return r.verify(s, q)
}

// answer deals with a whole request; false: it was deferred, and will come again.
func (s *session) answer(body []byte) bool {
	x := s.x
	q := &x.req
	s.answered = true
	switch {
	case x.wrong != nil:
		s.problem(x.wrong)
	case q.MethodID == httpparse.MethodOptions:
		s.options(x.route)
	case q.MethodID == httpparse.MethodPost:
		s.answered = x.route.post(s, body)
	default:
		s.answered = x.route.get(s)
	}
	if !s.answered {
		s.conn.Defer()
	}
	return s.answered
}

// respond writes an answer and ends the connection if it is the last one.
func (s *session) respond(a *answer) {
	q := &s.x.req
	a.minor = q.Minor
	a.close = a.close || !q.KeepAlive || s.srv.draining.Load()
	a.head = q.MethodID == httpparse.MethodHead
	a.extra = s.srv.cors.appendTo(a.extra, q)
	s.srv.table.HTTPResponse(a.status).Inc()
	s.x.out = a.append(s.x.out[:0], &s.srv.date)
	err := s.conn.Write(s.x.out)
	if err != nil || a.close {
		s.end()
	}
}

// end closes the connection after its last answer.
func (s *session) end() {
	if !s.over {
		s.over = true
		s.srv.countClosed(closeAnswered)
		s.conn.Close()
	}
}

// problem answers a whole request that is refused; the connection lives on.
func (s *session) problem(r *refusal) {
	s.srv.countRefusal(s.x.route, r)
	a := &answer{status: r.status, contentType: "application/problem+json", body: r.document(0), extra: refusalFields(r, s.srv.random())}
	s.respond(a)
}

func refusalFields(r *refusal, random uint32) []byte {
	var extra []byte
	if r.retry > 0 {
		extra = append(extra, "Retry-After: "...)
		extra = strconv.AppendUint(extra, r.retryAfter(random), 10)
		extra = append(extra, "\r\n"...)
	}
	if r.allow != "" {
		extra = append(extra, "Allow: "...)
		extra = append(extra, r.allow...)
		extra = append(extra, "\r\n"...)
	}
	return extra
}

// refuse answers a request that is malformed or whose body will not be read; q is nil if
// its head can't be looked at any more. The connection goes to a loop, which lets the
// answer arrive.
func (s *session) refuse(q *httpparse.Request, r *refusal) {
	if s.over {
		return
	}
	s.over = true
	s.srv.countRefusal(s.x.route, r)
	s.srv.table.HTTPResponse(r.status).Inc()
	bytes := s.srv.refusalBytes(r, q, s.srv.random())
	srv := s.srv
	err := s.conn.HandOver(func(fd int, mayWait bool) bool {
		s.moves(fd)
		if !mayWait {
			return srv.group.TryRefuse(fd, bytes, srv.edge.Books())
		}
		srv.group.Refuse(fd, bytes, srv.edge.Books())
		return true
	})
	if err != nil {
		srv.table.Shed[shedDescriptors].Inc()
		s.failed(errHandOver(err))
	}
}

// refusalBytes is a complete last answer; random leads when the client comes back.
func (s *Server) refusalBytes(r *refusal, q *httpparse.Request, random uint32) []byte {
	a := &answer{status: r.status, contentType: "application/problem+json", body: r.document(0), close: true, minor: 1}
	a.extra = refusalFields(r, random)
	if q != nil {
		a.head = q.MethodID == httpparse.MethodHead
	}
	if q != nil || !s.cors.asks() {
		a.extra = s.cors.appendTo(a.extra, q)
	}
	return a.append(nil, &s.date)
}

// checkNamespace checks the ns parameter; the default stands for none.
func checkNamespace(name string) (string, *refusal) {
	if name == "" {
		return "default", nil
	}
	if len(name) > 64 {
		return "", badNamespace.because(fmt.Sprintf("ns has %d bytes; at most 64 of a-z, 0-9, _ and - are taken", len(name)))
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return "", badNamespace.because(fmt.Sprintf("ns %q: byte %d is not one of a-z, 0-9, _ and -", name, i))
		}
	}
	return name, nil
}

// checkEventName checks an event's name.
func (s *Server) checkEventName(name string) *refusal {
	if len(name) > s.o.EventNameBytesMax {
		return badEventName.because(fmt.Sprintf("the event name has %d bytes; at most %d are taken", len(name), s.o.EventNameBytesMax))
	}
	if err := sse.CheckName(name); err != nil {
		return badEventName.because(err.Error())
	}
	return nil
}
