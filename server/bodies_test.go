package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The body is the data, however it is cut into chunks and packets.
func TestBody_ChunkedIsPutTogether(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	whole := "POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"3;ext=\"v\"\r\nabc\r\n1\r\nd\r\n00006\r\nefghij\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n"
	w := n.dial()
	for at := 1; at < len(whole); at++ {
		w.send(whole[:at])
		if at%5 == 0 {
			time.Sleep(time.Millisecond)
		}
		w.send(whole[at:])
		id := idOf(t, w.answer("POST"))
		if e := s.next(); e.id != id || e.data != "abcdefghij" {
			t.Fatalf("cut at %d: got %+v, published %s", at, e, id)
		}
	}
	for i := range len(whole) {
		w.send(whole[i : i+1])
	}
	idOf(t, w.answer("POST"))
	s.takes("abcdefghij")
	w.Close()
	s.Close()
	n.settles()
}

// Several requests in one packet are answered in their order, whatever they are, and
// the half at the end waits for its rest.
func TestBody_PipelinedAnswersKeepTheirOrder(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	w := n.dial()
	last := post("topic=a", "four")
	w.send(post("topic=a", "one") + post("topic=a//", "bad") +
		"POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n" +
		get("/nowhere") + "\r\n" + post("topic=a", "three") + "HEAD /healthz HTTP/1.1\r\nHost: t\r\n\r\n" + last[:len(last)-2])
	one := idOf(t, w.answer("POST"))
	w.answer("POST").refused(t, 400, "bad_topic")
	two := idOf(t, w.answer("POST"))
	w.answer("GET").refused(t, 404, "not_found")
	three := idOf(t, w.answer("POST"))
	if a := w.answer("HEAD"); a.StatusCode != 200 || a.body != "" || a.ContentLength <= 0 {
		t.Errorf("HEAD: %s, length %d", a.Status, a.ContentLength)
	}
	w.send(last[len(last)-2:])
	four := idOf(t, w.answer("POST"))
	for i, id := range []string{one, two, three, four} {
		if e := s.next(); e.id != id || e.data != []string{"one", "two", "three", "four"}[i] {
			t.Errorf("event %d is %+v, published as %s", i, e, id)
		}
	}
	s.Close()
	w.Close()
	n.settles()
}

// A stream may be the last of several requests on one connection: that is when the
// descriptor changes hands while the task before is just ending.
func TestBody_PublishesThenStreamOnOneConnection(t *testing.T) {
	n := start(t, nil)
	for i := range 300 {
		w := n.dial()
		publish := post("topic=a", fmt.Sprint(i))
		if i%2 == 0 {
			w.send(publish + get("/events?topic=own&since=earliest"))
			idOf(t, w.answer("POST"))
		} else {
			w.send(publish)
			idOf(t, w.answer("POST"))
			w.send(get("/events?topic=own"))
		}
		w.stream().Close()
	}
	n.settles()
}

func TestBody_ExpectContinue(t *testing.T) {
	n := start(t, nil)
	w := n.dial()
	w.send(head("POST /publish?topic=a", "Expect: 100-continue", "Content-Length: 4"))
	if a := w.answer("POST"); a.StatusCode != 100 {
		t.Fatalf("got %s", a.Status)
	}
	w.send("data")
	idOf(t, w.answer("POST"))
	w.send(head("POST /publish?topic=a", "Expect: 100-continue", "Transfer-Encoding: chunked"))
	if a := w.answer("POST"); a.StatusCode != 100 {
		t.Fatalf("got %s", a.Status)
	}
	w.send("1\r\nx\r\n0\r\n\r\n")
	idOf(t, w.answer("POST"))
	// Whoever sends the body at once gets no 100, nor does HTTP/1.0.
	w.send(post("topic=a", "data", "Expect: 100-continue"))
	idOf(t, w.answer("POST"))
	w.send("POST /publish?topic=a HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
	time.Sleep(20 * time.Millisecond)
	w.send("x")
	idOf(t, w.answer("POST"))
	// The refusal comes instead of the 100, so that the body is never sent.
	w.send(head("POST /publish?topic=a", "Expect: 100-continue", "Content-Length: 1000000"))
	w.answer("POST").refused(t, 413, "body_too_large")
	w.ends()
	w.Close()
	n.settles()
}

// HTTP/1.0 closes unless it asks to keep, and is told which; 1.1 keeps unless it asks
// to close.
func TestBody_KeepAlive(t *testing.T) {
	n := start(t, nil)
	for _, c := range []struct {
		send string
		kept bool
	}{
		{"GET /healthz HTTP/1.0\r\n\r\n", false},
		{"GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n", true},
		{"GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: x, close\r\n\r\n", false},
		{"GET http://other.example/healthz HTTP/1.1\r\nHost: t\r\n\r\n", true},
		{"GET http://other.example/healthz?x=%zz HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nab", true},
		{"\r\nGET /healthz HTTP/1.1\r\nHost: t\r\n\r\n", true},
	} {
		w := n.dial()
		w.send(c.send)
		a := w.answer("GET")
		if a.StatusCode != 200 || a.body != "{\"status\":\"alive\"}\n" {
			t.Errorf("%q: %s %q", c.send, a.Status, a.body)
		}
		if keep := a.Header.Get("Connection"); strings.HasPrefix(c.send, "GET /healthz HTTP/1.0") && c.kept && keep != "keep-alive" {
			t.Errorf("%q: Connection: %q", c.send, keep)
		}
		if c.kept {
			w.alive()
		} else {
			w.ends()
		}
		w.Close()
	}
	n.settles()
}
