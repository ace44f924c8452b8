package server_test

import (
	"testing"

	"throng/server"
)

// A browser asks before it publishes, and reads only what names its origin; a page that
// was not allowed gets neither.
func TestCORS_PreflightAndAnswers(t *testing.T) {
	n := start(t, func(o *server.Options) { o.CORSOrigins = []string{"https://app.example"} })
	w := n.dial()
	for _, c := range []struct {
		method, send          string
		status                int
		allow, origin, expose string
	}{
		{"OPTIONS", head("OPTIONS /publish?topic=a", "Origin: https://app.example", "Access-Control-Request-Method: POST",
			"Access-Control-Request-Headers: content-type"), 204, "POST, OPTIONS", "https://app.example", "Retry-After"},
		{"OPTIONS", head("OPTIONS /events", "Origin: https://evil.example", "Access-Control-Request-Method: GET"), 204, "", "", ""},
		{"OPTIONS", head("OPTIONS /events", "Origin: https://app.example"), 204, "", "https://app.example", "Retry-After"},
		{"OPTIONS", head("OPTIONS *"), 204, "", "", ""},
		{"OPTIONS", head("OPTIONS /nowhere"), 404, "", "", ""},
		{"POST", post("topic=a", "x", "Origin: https://app.example"), 200, "", "https://app.example", "Retry-After"},
		{"POST", post("topic=a", "x", "Origin: http://t"), 200, "", "", ""}, // its own page
		{"POST", post("topic=a", "x", "Origin: https://evil.example"), 403, "", "", ""},
		{"POST", post("topic=a", "x", "Origin: https://app.example.evil.example"), 403, "", "", ""},
		{"GET", get("/nowhere", "Origin: https://app.example"), 404, "", "https://app.example", "Retry-After"},
		{"GET", get("/nowhere", "Origin: https://evil.example"), 404, "", "", ""},
		{"GET", get("/nowhere"), 404, "", "", ""},
	} {
		w.send(c.send)
		a := w.answer(c.method)
		if a.StatusCode != c.status {
			t.Errorf("%q: %s", c.send, a.Status)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Methods": c.allow, "Access-Control-Allow-Origin": c.origin,
			"Access-Control-Expose-Headers": c.expose, "Vary": "Origin",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%q: %s: %q, want %q", c.send, name, got, want)
			}
		}
		if c.method == "OPTIONS" && c.status == 204 && a.Header.Get("Allow") == "" {
			t.Errorf("%q: no Allow", c.send)
		}
	}
	s := n.subscribe("topic=a", "Origin: https://app.example")
	if got := s.head.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
		t.Errorf("a stream may be read by %q", got)
	}
	s.Close()
	// A request that was never understood has no origin, least of all the last one's.
	w.send("GET / HTTP/1.1\r\nOrigin: https://app.example\r\nBad Field: x\r\n\r\n")
	a := w.answer("GET")
	a.refused(t, 400, "space_before_colon")
	w.Close()
	n.settles()
}
