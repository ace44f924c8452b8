package server_test

import (
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// refusalCase is a request that is refused. One that is understood leaves the
// connection open; after one that is not, nobody knows where the next would begin.
type refusalCase struct {
	code   string
	status int
	send   string
	fatal  bool
	header string // a field that must be there
}

func head(first string, fields ...string) string {
	return first + " HTTP/1.1\r\nHost: t\r\n" + lines(fields) + "\r\n"
}

var semanticRefusals = []refusalCase{
	{code: "bad_request", status: 400, send: get("/events?topic=%zz")},
	{code: "bad_request", status: 400, send: get("/events?topic=" + strings.Repeat("a", 1025))},
	{code: "bad_topic", status: 400, send: get("/events?topic=a//b")},
	{code: "bad_topic", status: 400, send: get("/events?topic=")},
	{code: "bad_topic", status: 400, send: get("/events?topic=a%00b")},
	{code: "bad_topic", status: 400, send: get("/events?topic=a%0Adata:%20x")},
	{code: "bad_topic", status: 400, send: get("/events?topic=%FF")},
	{code: "bad_topic", status: 400, send: get("/events?topic=a%23")},
	{code: "bad_topic", status: 400, send: get("/events?topic=" + strings.Repeat("a", 256))},
	{code: "bad_topic", status: 400, send: post("topic=a/%2B", "x")},
	{code: "bad_topic", status: 400, send: post("topic=a/+", "x")},
	{code: "bad_topic", status: 400, send: post("topic=%23", "x")},
	{code: "missing_topic", status: 400, send: get("/events")},
	{code: "missing_topic", status: 400, send: get("/events?Topic=a")},
	{code: "missing_topic", status: 400, send: post("", "x")},
	{code: "too_many_topics", status: 400, send: get("/events?" + strings.Repeat("topic=a&", 5))},
	{code: "too_many_topics", status: 400, send: post(strings.Repeat("topic=a&", 4), "x")},
	{code: "bad_namespace", status: 400, send: get("/events?topic=a&ns=A")},
	{code: "bad_namespace", status: 400, send: get("/events?topic=a&ns=" + strings.Repeat("n", 65))},
	{code: "bad_namespace", status: 400, send: post("topic=a&ns=..%2Fetc", "x")},
	{code: "bad_event_name", status: 400, send: post("topic=a&event=throng.gap", "x")},
	{code: "bad_event_name", status: 400, send: post("topic=a&event=a%0Adata:%20b", "x")},
	{code: "bad_event_name", status: 400, send: post("topic=a&event=a%0D", "x")},
	{code: "bad_event_name", status: 400, send: post("topic=a&event=%00", "x")},
	{code: "bad_event_name", status: 400, send: post("topic=a&event="+strings.Repeat("e", 129), "x")},
	{code: "bad_data", status: 400, send: post("topic=a", "a\x00b")},
	{code: "bad_data", status: 400, send: post("topic=a", "a\xffb")},
	{code: "bad_since", status: 400, send: get("/events?topic=a&since=yesterday")},
	{code: "bad_since", status: 400, send: get("/events?topic=a&since=1-1%0A")},
	{code: "bad_since", status: 400, send: get("/events?topic=a&since=01-1")},
	{code: "bad_format", status: 400, send: get("/events?topic=a&format=xml")},
	{code: "bad_idempotency_key", status: 400, send: post("topic=a", "x", "Idempotency-Key: "+strings.Repeat("k", 256))},
	{code: "bad_idempotency_key", status: 400, send: post("topic=a", "x", "Idempotency-Key: k\xc3\xa4y")},
	{code: "origin_forbidden", status: 403, send: post("topic=a", "x", "Origin: https://evil.example")},
	{code: "origin_forbidden", status: 403, send: post("topic=a", "x", "Origin: null")},
	{code: "not_found", status: 404, send: get("/")},
	{code: "not_found", status: 404, send: get("/events/")},
	{code: "not_found", status: 404, send: get("/%65vents?topic=a")},
	{code: "method_not_allowed", status: 405, send: head("DELETE /events"), header: "Allow: GET, OPTIONS"},
	{code: "method_not_allowed", status: 405, send: head("POST /healthz", "Content-Length: 0"), header: "Allow: GET, HEAD, OPTIONS"},
	{code: "method_not_allowed", status: 405, send: get("/publish?topic=a"), header: "Allow: POST, OPTIONS"},
	{code: "method_not_allowed", status: 405, send: head("get /events?topic=a"), header: "Allow: GET, OPTIONS"},
	{code: "length_required", status: 411, send: head("POST /publish?topic=a")},
}

var fatalRefusals = []refusalCase{
	{code: "body_too_large", status: 413, send: head("POST /publish?topic=a", "Content-Length: 1073741824")},
	{code: "body_too_large", status: 413, send: head("POST /publish?topic=a", "Content-Length: 9223372036854775807")},
	{code: "body_too_large", status: 413, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "ffffffff\r\n"},
	{code: "body_too_large", status: 413, send: head("GET /healthz", "Content-Length: 100000")},
	{code: "method_not_allowed", status: 405, send: head("PUT /publish?topic=a", "Content-Length: 10"), header: "Allow: POST, OPTIONS"},
	{code: "not_found", status: 404, send: head("POST /", "Transfer-Encoding: chunked")},
	{code: "origin_forbidden", status: 403, send: head("POST /publish?topic=a", "Origin: https://evil.example", "Content-Length: 9")},
	{code: "tls_hello", status: 400, send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
	{code: "bad_method", status: 400, send: "\x00\x01\x02\x03"},
	{code: "bad_method", status: 400, send: "G(T / HTTP/1.1\r\n"},
	{code: "method_too_long", status: 501, send: strings.Repeat("G", 25)},
	{code: "connect_refused", status: 501, send: head("CONNECT example.org:443")},
	{code: "extra_space", status: 400, send: head("GET  /")},
	{code: "bad_target", status: 400, send: head("GET events")},
	{code: "fragment_in_target", status: 400, send: head("GET /events?topic=#")},
	{code: "target_too_long", status: 414, send: head("GET /" + strings.Repeat("a", 9000))},
	{code: "bad_version", status: 400, send: "GET / HTPP/1.1\r\n"},
	{code: "version_unsupported", status: 505, send: "GET / HTTP/2.0\r\n\r\n"},
	{code: "bare_cr", status: 400, send: "GET / HTTP/1.1\r\nHost: t\rX: y\r\n\r\n"},
	{code: "bare_lf", status: 400, send: "GET / HTTP/1.1\nHost: t\n\n"},
	{code: "obs_fold", status: 400, send: head("GET /", "X: a", " b")},
	{code: "empty_field_name", status: 400, send: head("GET /", ": x")},
	{code: "bad_field_name", status: 400, send: head("GET /", "X@Y: x")},
	{code: "space_before_colon", status: 400, send: head("GET /", "X : x")},
	{code: "field_name_too_long", status: 431, send: head("GET /", strings.Repeat("n", 129)+": x")},
	{code: "bad_field_value", status: 400, send: head("GET /", "X: a\x00b")},
	{code: "field_value_too_long", status: 431, send: head("GET /", "X: "+strings.Repeat("v", 9000))},
	{code: "too_many_fields", status: 431, send: head("GET /", strings.TrimSuffix(strings.Repeat("X: y\r\n", 101), "\r\n"))},
	{code: "head_too_large", status: 431, send: head("GET /", strings.TrimSuffix(strings.Repeat("X: "+strings.Repeat("v", 4000)+"\r\n", 6), "\r\n"))},
	{code: "doubled_field", status: 400, send: head("GET /", "Host: t")},
	{code: "missing_host", status: 400, send: "GET / HTTP/1.1\r\n\r\n"},
	{code: "bad_host", status: 400, send: "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{code: "bad_content_length", status: 400, send: head("POST /publish?topic=a", "Content-Length: +1")},
	{code: "length_and_coding", status: 400, send: head("POST /publish?topic=a", "Content-Length: 1", "Transfer-Encoding: chunked")},
	{code: "bad_transfer_encoding", status: 400, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked, gzip")},
	{code: "unknown_transfer_coding", status: 501, send: head("POST /publish?topic=a", "Transfer-Encoding: gzip, chunked")},
	{code: "coding_in_http10", status: 400, send: "POST /publish?topic=a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{code: "unknown_expectation", status: 417, send: head("POST /publish?topic=a", "Expect: miracles", "Content-Length: 1")},
	{code: "bad_chunk_size", status: 400, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "x\r\n"},
	{code: "chunk_size_too_long", status: 400, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "000000001\r\n"},
	{code: "bad_chunk_ext", status: 400, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "1;a\x00\r\n"},
	{code: "chunk_ext_too_long", status: 400, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "1;" + strings.Repeat("e", 257)},
	{code: "bad_chunk_end", status: 400, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "1\r\nxy"},
	{code: "trailer_too_large", status: 431, send: head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "0\r\nX: " + strings.Repeat("t", 3000) + "\r\n\r\n"},
}

func startRefusing(t *testing.T) *node {
	return start(t, func(o *server.Options) { o.StreamTopicsMax, o.EventTopicsMax = 4, 3 })
}

func checkRefusal(t *testing.T, w *wire, c refusalCase) {
	t.Helper()
	w.send(c.send)
	method, _, _ := strings.Cut(c.send, " ")
	a := w.answer(method)
	a.refused(t, c.status, c.code)
	if a.Header.Get("Date") == "" {
		t.Errorf("%s has no Date", c.code)
	}
	if name, value, ok := strings.Cut(c.header, ": "); ok && a.Header.Get(name) != value {
		t.Errorf("%s: %s is %q, want %q", c.code, name, a.Header.Get(name), value)
	}
	if a.Close != c.fatal {
		t.Errorf("%s: Connection: close is %v, want %v", c.code, a.Close, c.fatal)
	}
}

// A client that asked for something impossible in a proper way keeps its connection:
// many such requests come over one connection of a proxy.
func TestRefusal_OfAnUnderstoodRequestKeepsTheConnection(t *testing.T) {
	n := startRefusing(t)
	w := n.dial()
	for i, c := range semanticRefusals {
		t.Run(strconv.Itoa(i)+" "+c.code, func(t *testing.T) {
			checkRefusal(t, w, c)
			w.alive()
		})
	}
	w.Close()
	n.settles()
}

// After a request whose end is unknown, what follows must not be taken for a request:
// the answer arrives whole, and the connection ends with a FIN.
func TestRefusal_OfAMalformedRequestCloses(t *testing.T) {
	n := startRefusing(t)
	for i, c := range fatalRefusals {
		t.Run(strconv.Itoa(i)+" "+c.code, func(t *testing.T) {
			w := n.dial()
			c.fatal = true
			checkRefusal(t, w, c)
			w.ends()
			w.Close()
		})
	}
	n.settles()
}

// The parser must not depend on how the network cuts a request into packets: byte by
// byte gives the same refusal.
func TestRefusal_ByteByByteIsTheSame(t *testing.T) {
	n := startRefusing(t)
	for _, c := range fatalRefusals {
		if len(c.send) > 120 {
			continue
		}
		w := n.dial()
		for i := range len(c.send) {
			if _, err := io.WriteString(w.TCPConn, c.send[i:i+1]); err != nil {
				break // refused before the last byte
			}
			if i%8 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
		method, _, _ := strings.Cut(c.send, " ")
		w.answer(method).refused(t, c.status, c.code)
		w.reset()
	}
	n.settles()
}

// Retry-After must differ between clients, or those that were refused together come
// back together; and it must be there wherever coming back makes sense.
func TestRefusal_RetryAfterHasJitter(t *testing.T) {
	n := start(t, func(o *server.Options) { o.NamespacesMax = 1 })
	n.publish("topic=a", "x")
	w := n.dial()
	seen := map[string]bool{}
	for range 60 {
		w.send(get("/events?topic=a&ns=other"))
		a := w.answer("GET")
		a.refused(t, 429, "too_many_namespaces")
		after := a.Header.Get("Retry-After")
		if s, err := strconv.Atoi(after); err != nil || s < 10 || s > 16 {
			t.Fatalf("Retry-After: %q", after)
		}
		seen[after] = true
	}
	if len(seen) < 3 {
		t.Errorf("60 refusals had Retry-After %v only", seen)
	}
	w.Close()
	n.settles()
}
