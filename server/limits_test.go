package server_test

import (
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"throng/server"
)

// The node that is full says so, to everyone, in words, and serves again as soon as
// somebody has left.
func TestLimits_ConnectionsMax(t *testing.T) {
	for _, loops := range []int{1, 3} {
		n := start(t, func(o *server.Options) { o.ConnectionsMax, o.Loops, o.Admin = 8, loops, "" })
		var held []*stream
		for range 8 {
			until(t, "there is room", func() bool { return n.Stats().Connections == len(held) })
			held = append(held, n.subscribe("topic=a"))
		}
		until(t, "all are streams", func() bool { return n.Stats().Requests == 0 })
		retries := map[string]bool{}
		for range 20 {
			w := n.dial()
			w.send(get("/events?topic=a"))
			a := w.answer("GET")
			if p := a.refused(t, 503, "connection_limit"); p.Detail != "at most 8 connections are held" {
				t.Errorf("the detail is %q", p.Detail)
			}
			after, err := strconv.Atoi(a.Header.Get("Retry-After"))
			if err != nil || after < 5 || !a.Close {
				t.Errorf("Retry-After %q, close %v", a.Header.Get("Retry-After"), a.Close)
			}
			retries[a.Header.Get("Retry-After")] = true
			w.ends()
			w.Close()
		}
		if len(retries) < 2 {
			t.Errorf("all 20 were told to come back after %v", retries)
		}
		held[0].Close()
		until(t, "there is room again", func() bool { return n.Stats().Connections == 7 })
		held[0] = n.subscribe("topic=a")
		for _, s := range held {
			s.Close()
		}
		n.settles()
	}
}

// Connections that never become a stream have a limit of their own; it does not touch
// the streams.
func TestLimits_RequestsMax(t *testing.T) {
	n := start(t, func(o *server.Options) { o.RequestsMax = 3 })
	var streams []*stream
	for range 6 {
		streams = append(streams, n.subscribe("topic=a"))
	}
	until(t, "the request phase is over", func() bool { return n.Stats().Requests == 0 })
	var held []*wire
	for range 3 {
		w := n.dial()
		w.alive()
		held = append(held, w)
	}
	w := n.dial()
	if p := w.answer("GET").refused(t, 503, "connection_limit"); p.Detail != "at most 3 connections that are no streams are held" {
		t.Errorf("the detail is %q", p.Detail)
	}
	w.ends()
	held[0].send(post("topic=a", "x"))
	idOf(t, held[0].answer("POST"))
	held[1].Close()
	until(t, "there is room", func() bool { return n.Stats().Requests == 2 })
	n.dial().alive()
	for _, s := range streams {
		s.takes("x")
		s.Close()
	}
	for _, h := range append(held, w) {
		h.Close()
	}
}

// Tenants are opened by whoever names them, so their number has a limit; those that are
// open are not touched by it.
func TestLimits_NamespacesMax(t *testing.T) {
	n := start(t, func(o *server.Options) { o.NamespacesMax = 2 })
	n.publish("topic=a&ns=one", "x")
	s := n.subscribe("topic=a&ns=two")
	for _, request := range []string{post("topic=a&ns=three", "x"), get("/events?topic=a"), post("topic=a&ns=four", "y", "Content-Type: application/x-ndjson")} {
		n.pub.send(request)
		if a := n.pub.answer("POST"); a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		} else {
			a.refused(t, 429, "too_many_namespaces")
		}
	}
	n.publish("topic=a&ns=two", "y")
	s.takes("y")
	s.Close()
	n.settles()
}

// The limit is a limit: what fits exactly is taken, one byte more is not, chunked or not.
func TestLimits_EventBytesMax(t *testing.T) {
	n := start(t, func(o *server.Options) { o.EventBytesMax = 1000 })
	s := n.subscribe("topic=a")
	exact := strings.Repeat("x", 1000)
	n.publish("topic=a", exact)
	s.takes(exact)
	w := n.dial()
	w.send("POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + exact + "\r\n0\r\n\r\n")
	idOf(t, w.answer("POST"))
	s.takes(exact)
	w.send("POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + exact + "\r\n1\r\nx\r\n0\r\n\r\n")
	w.answer("POST").refused(t, 413, "body_too_large")
	w.ends()
	v := n.dial()
	v.send(post("topic=a", exact+"x"))
	v.answer("POST").refused(t, 413, "body_too_large")
	v.ends()
	n.silent("topic=a", s)
	for _, c := range []io.Closer{s, v, w} {
		c.Close()
	}
	n.settles()
}

// Unfinished requests of all connections together have a bound; passing it costs the
// one that passes it.
func TestLimits_BufferedBytesMax(t *testing.T) {
	n := start(t, func(o *server.Options) { o.BufferedBytesMax = 100000 })
	var all []*wire
	for range 4 {
		w := n.dial()
		w.alive()
		w.send(head("POST /publish?topic=a", "Content-Length: 40000") + strings.Repeat("x", 30000))
		all = append(all, w)
	}
	until(t, "one is refused", func() bool { return n.Stats().Requests < 4 })
	answers := map[int]int{}
	for _, w := range all {
		w.send(strings.Repeat("x", 10000))
		a := w.answer("POST")
		if answers[a.StatusCode]++; a.StatusCode != 200 {
			a.refused(t, 503, "overloaded")
		}
		w.Close()
	}
	if answers[200] == 0 || answers[503] == 0 {
		t.Errorf("answers by status: %v", answers)
	}
	n.settles()
	n.publish("topic=a", strings.Repeat("x", 60000))
}

// Two nodes on one address would each get some of the clients: the second must fail,
// name the reason, and leave nothing open.
func TestLimits_SecondServerOnTheSameAddressFails(t *testing.T) {
	n := start(t, nil)
	for name, set := range map[string]func(*server.Options){
		"listen": func(o *server.Options) { o.Listen = n.Addr().String() },
		"admin":  func(o *server.Options) { o.Admin = n.AdminAddr().String() },
	} {
		_, err := server.New(options(set), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.settles()
}
