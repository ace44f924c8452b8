package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// early is a node that clients may come to before it serves: what they have sent waits in
// the queue, and is read when they are accepted.
func early(t *testing.T, set func(*server.Options)) *node {
	t.Helper()
	s, err := server.New(options(set), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Server: s, t: t, fds: descriptors(t)}
	t.Cleanup(n.end)
	return n
}

// serve begins to accept.
func (n *node) serve() {
	n.t.Helper()
	n.fds += 2 // the probe of its reactor
	served := make(chan error, 1)
	go func() { served <- n.Serve(context.Background()) }()
	n.t.Cleanup(func() {
		n.end()
		if err := within(served); err != nil && !errors.Is(err, server.ErrClosed) {
			n.t.Errorf("Serve: %v", err)
		}
	})
}

// firstCase is what a client has sent, and perhaps done, when it is accepted.
type firstCase struct {
	name, send string
	then       func(n *node, w *wire)
}

// batch are events of NDJSON, whose commit never runs on the reactor.
var batch = strings.Repeat(`{"topic":"other","data":"x"}`+"\n", 40)

var firstCases = []firstCase{
	{"stream", get("/events?topic=a"), streams},
	{"stream and bytes after it", get("/events?topic=a") + "what is this", streams},
	{"stream and a request after it", get("/events?topic=a") + post("topic=a", "not read"), streams},
	{"publish, kept", post("topic=other", "1"), func(n *node, w *wire) {
		idOf(n.t, w.answer("POST"))
		for range 3 {
			w.alive()
			w.send(post("topic=other", "2"))
			idOf(n.t, w.answer("POST"))
		}
	}},
	{"publish, then a stream", post("topic=other", "1") + get("/events?topic=a"), func(n *node, w *wire) {
		idOf(n.t, w.answer("POST"))
		streams(n, w)
	}},
	{"batch, then a publish", post("", batch, "Content-Type: application/x-ndjson") + post("topic=other", "2"), func(n *node, w *wire) {
		if a := w.answer("POST"); strings.Count(a.body, `"id"`) != 40 {
			n.t.Errorf("the batch was answered %s %.200q", a.Status, a.body)
		}
		idOf(n.t, w.answer("POST"))
		w.alive()
	}},
	{"chunked", head("POST /publish?topic=other", "Transfer-Encoding: chunked") + "4\r\ndata\r\n0\r\n\r\n", func(n *node, w *wire) {
		idOf(n.t, w.answer("POST"))
		w.alive()
	}},
	{"first byte", "G", func(n *node, w *wire) {
		w.send(get("/events?topic=a")[1:])
		streams(n, w)
	}},
	{"half a body", post("topic=other", "12345678")[:60], func(n *node, w *wire) {
		w.send(post("topic=other", "12345678")[60:])
		idOf(n.t, w.answer("POST"))
		w.alive()
	}},
	{"half a chunk", head("POST /publish?topic=other", "Transfer-Encoding: chunked") + "8\r\n1234", func(n *node, w *wire) {
		w.send("5678\r\n0\r\n\r\n")
		idOf(n.t, w.answer("POST"))
		w.alive()
	}},
	{"more than is read at once", strings.Repeat(get("/healthz"), 2000), func(n *node, w *wire) {
		for range 2000 {
			if a := w.answer("GET"); a.StatusCode != 200 {
				n.t.Fatalf("/healthz: %s", a.Status)
			}
		}
		w.alive()
	}},
	{"last request", "GET /healthz HTTP/1.0\r\n\r\n", func(n *node, w *wire) {
		if a := w.answer("GET"); a.StatusCode != 200 {
			n.t.Errorf("/healthz: %s", a.Status)
		}
		w.ends()
	}},
	{"refused, kept", get("/events?topic=a//b"), func(n *node, w *wire) {
		w.answer("GET").refused(n.t, 400, "bad_topic")
		w.alive()
	}},
	{"refused, lingering", "\x00", func(n *node, w *wire) {
		w.send(strings.Repeat("x", 1<<20))
		w.answer("GET").refused(n.t, 400, "bad_method")
		w.ends()
	}},
	{"body refused, lingering", head("POST /publish?topic=a", "Content-Length: 1073741824"), func(n *node, w *wire) {
		w.send(strings.Repeat("x", 1<<20))
		w.answer("POST").refused(n.t, 413, "body_too_large")
		w.ends()
	}},
	{"nothing", "", func(_ *node, w *wire) { w.alive() }},
}

func streams(n *node, w *wire) {
	n.t.Helper()
	w.stream()
	until(n.t, "it is a row", func() bool { return rows(n) > 0 })
}

func rows(n *node) (rows int) {
	for _, l := range n.Stats().Loops {
		rows += l.Rows
	}
	return rows
}

// Whatever a request is, it is answered alike whether its first bytes are read when the
// connection is accepted or later, and nothing of it stays.
func TestFirst_WhatIsThereAtAccept(t *testing.T) {
	for _, c := range firstCases {
		t.Run(c.name, func(t *testing.T) {
			n := early(t, nil)
			w := n.dial()
			w.send(c.send)
			n.serve()
			c.then(n, w)
			w.Close()
			n.settles()
		})
	}
}

// A client that has gone before it was accepted leaves nothing; one that only stopped
// sending gets its answer if it asked for one, and no stream.
func TestFirst_GoneBeforeAccept(t *testing.T) {
	n := early(t, nil)
	for _, send := range []string{"", "G", get("/events?topic=a"), post("topic=a", "x"), "\x00"} {
		w := n.dial()
		w.send(send)
		w.Close()
		w = n.dial()
		w.send(send)
		w.reset()
	}
	half, stream, mute := n.dial(), n.dial(), n.dial()
	half.send(post("topic=a", "x"))
	stream.send(get("/events?topic=a"))
	for _, w := range []*wire{half, stream, mute} {
		_ = w.CloseWrite()
	}
	n.serve()
	idOf(t, half.answer("POST"))
	for _, w := range []*wire{half, stream, mute} {
		w.gone()
		w.Close()
	}
	n.settles()
}

// A crowd that waits at the door is let in up to the limit; everyone else is told. A
// connection on its way from the reactor to a loop is counted on both sides for a moment, so
// the limit may be met a little early, and never late.
func TestFirst_ShedAtAccept(t *testing.T) {
	n := early(t, func(o *server.Options) { o.ConnectionsMax = 50 })
	var all []*wire
	for range 120 {
		w := n.dial()
		w.send(get("/events?topic=a"))
		all = append(all, w)
	}
	n.serve()
	streams := 0
	for _, w := range all {
		line, err := w.r.Peek(len("HTTP/1.1 200"))
		if err != nil {
			t.Fatal(err)
		}
		if string(line) == "HTTP/1.1 200" {
			w.stream()
			streams++
			continue
		}
		w.answer("GET").refused(t, 503, "connection_limit")
		w.ends()
	}
	if streams < 40 || streams > 50 {
		t.Errorf("%d streams were let in; the limit is 50 connections", streams)
	}
	for _, w := range all {
		w.Close()
	}
	n.settles()
}

// While a crowd streams in, publishers that are in are answered, and what they publish
// reaches each stream from its point of attachment on: the last event of all comes to all.
func TestFirst_CrowdBesidePublishers(t *testing.T) {
	const crowd = 600
	n := early(t, func(o *server.Options) { o.Breakers = "off" }) // a machine that is busy refuses some
	pub := n.dial()
	pub.send(post("topic=all", "first"))
	var all []*wire
	for i := range crowd {
		w := n.dial()
		w.send(get(fmt.Sprintf("/events?topic=all&topic=own/%d&since=earliest", i)))
		all = append(all, w)
	}
	n.serve()
	idOf(t, pub.answer("POST"))
	for i := range 50 {
		pub.send(post("topic=all", fmt.Sprint("event ", i)))
		idOf(t, pub.answer("POST"))
	}
	for _, w := range all {
		w.extend()
		s := w.stream()
		last := -1
		for last < 49 {
			e := s.next()
			if e.data == "first" {
				continue
			}
			var i int
			if _, err := fmt.Sscanf(e.data, "event %d", &i); err != nil || last >= 0 && i != last+1 {
				t.Fatalf("after event %d came %+v", last, e)
			}
			last = i
		}
	}
	for _, w := range all {
		w.Close()
	}
	pub.Close()
	n.settles()
}

// A crowd in the queue when the server begins, drains or closes: each is served, sent away
// or cut off, and nothing stays.
func TestFirst_CrowdMeetsTheEnd(t *testing.T) {
	fds := descriptors(t)
	for round := range 6 {
		n := early(t, nil)
		var all []io.Closer
		for i := range 80 {
			w := n.dial()
			w.send([]string{get("/events?topic=a"), post("", batch, "Content-Type: application/x-ndjson"), "GET /ev", get("/healthz"), ""}[i%5])
			all = append(all, w)
		}
		n.serve()
		time.Sleep(time.Duration(round) * 300 * time.Microsecond)
		if round%2 == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			_ = n.Drain(ctx)
			cancel()
		}
		n.end()
		for _, w := range all {
			w.Close()
		}
		until(t, "all is closed", func() bool { return ours() == "" && descriptors(t) <= fds })
	}
}
