package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/server"
)

// A drain sends everybody elsewhere: streams are closed over the period, not at once,
// and what is new is told where it stands.
func TestDrain_ClosesStreamsAndRefusesTheNew(t *testing.T) {
	n := start(t, func(o *server.Options) { o.DrainPeriod = 1500 * time.Millisecond })
	var streams []*stream
	for range 30 {
		streams = append(streams, n.subscribe("topic=a"))
	}
	request := n.dial()
	request.alive()
	done := make(chan error, 1)
	go func() { done <- n.Drain(context.Background()) }()
	until(t, "the drain has begun", func() bool { return n.Stats().Draining })
	request.send(get("/readyz"))
	ready := request.answer("GET")
	if ready.StatusCode != 503 || !strings.Contains(ready.body, `"draining"`) || !ready.Close {
		t.Errorf("/readyz: %s %s", ready.Status, ready.body)
	}
	request.ends()
	for _, send := range []string{get("/events?topic=a"), post("topic=a", "x"), head("POST /publish?topic=a", "Content-Length: 100")} {
		w := n.dial()
		w.send(send)
		a := w.answer("GET")
		a.refused(t, 503, "draining")
		if a.Header.Get("Retry-After") == "" || !a.Close {
			t.Errorf("%.20q: Retry-After %q, close %v", send, a.Header.Get("Retry-After"), a.Close)
		}
		w.ends()
		w.Close()
	}
	comesBack(n)
	alive := n.dial()
	alive.send(get("/healthz"))
	if a := alive.answer("GET"); a.StatusCode != 200 {
		t.Errorf("/healthz: %s", a.Status)
	}
	half := false
	until(t, "all streams are closed", func() bool {
		open := 0
		for _, l := range n.Stats().Loops {
			open += l.Streams
		}
		half = half || open > 0 && open < 30
		return open == 0
	})
	if !half {
		t.Error("the streams were closed all at once")
	}
	if err := within(done); err != nil {
		t.Errorf("Drain: %v", err)
	}
	for _, s := range streams {
		s.ends()
		s.Close()
	}
	request.Close()
	alive.Close()
	n.settles()
}

// comesBack: an EventSource gives up for good on any answer but a stream, so it gets one
// that ends at once and has no ID, which would replace the one it has.
func comesBack(n *node) {
	n.t.Helper()
	w := n.dial()
	w.send(get("/events?topic=a", "Accept: text/event-stream", "Last-Event-ID: 1-1"))
	a := w.answer("GET")
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/event-stream" || !a.Close || !strings.HasPrefix(a.body, "retry: ") ||
		strings.Count(a.body, "\n") != 2 || !strings.HasSuffix(a.body, "\n\n") {
		n.t.Errorf("an EventSource was answered %s %q", a.Status, a.body)
	}
	w.ends()
	w.Close()
}

// Who waits for a drain may stop waiting.
func TestDrain_EndsWithItsContext(t *testing.T) {
	n := start(t, func(o *server.Options) { o.DrainPeriod = time.Hour })
	s := n.subscribe("topic=a")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := n.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
	s.Close()
	n.settles()
	if err := n.Drain(context.Background()); err != nil { // nobody is left
		t.Errorf("Drain: %v", err)
	}
}

// ours are the goroutines that run this project's code, tests aside.
func ours() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var left []string
	for g := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(g, "throng/server.") || strings.Contains(g, "throng/server/loops.") || strings.Contains(g, "throng/poller.") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

// Close ends everything, whatever is under way: streams, half requests, publishers and
// a crowd that is just connecting. Nothing of it may stay.
func TestClose_LeavesNothing(t *testing.T) {
	fds := descriptors(t)
	for range 4 {
		n := begin(t, options(nil))
		var clients []io.Closer
		for range 10 {
			clients = append(clients, n.subscribe("topic=a"))
			w := n.dial()
			w.send("GET /eve")
			clients = append(clients, w)
		}
		stop := make(chan struct{})
		var crowd sync.WaitGroup
		for i := range 8 {
			crowd.Go(func() { storm(n.Addr().String(), i, stop) })
		}
		time.Sleep(50 * time.Millisecond)
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := n.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
		close(stop)
		crowd.Wait()
		if c, err := net.Dial("tcp", n.Addr().String()); err == nil {
			t.Error("the port is still open")
			c.Close()
		}
		for _, c := range clients {
			c.Close()
		}
		until(t, "all goroutines have ended", func() bool { return ours() == "" })
		for end := time.Now().Add(patience); descriptors(t) > fds; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d descriptors instead of %d: %s", descriptors(t), fds, openFiles())
			}
		}
	}
}

// storm connects, publishes, subscribes and leaves as fast as it can.
func storm(address string, i int, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, []string{get("/events?topic=a"), post("topic=a", "x"), post("topic=a", "x") + get("/events?topic=b"), "\x00"}[i%4])
		_, _ = c.Read(make([]byte, 1000))
		_ = c.Close()
	}
}

// A server may be closed before it ever served, or just when it begins to.
func TestClose_BeforeAndDuringTheStart(t *testing.T) {
	fds := descriptors(t)
	for i := range 40 {
		s, err := server.New(options(nil), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		if i%4 > 0 {
			go func() { served <- s.Serve(context.Background()) }()
			time.Sleep(time.Duration(i%4-1) * 100 * time.Microsecond)
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		if err := within(closed); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if i%4 == 0 {
			go func() { served <- s.Serve(context.Background()) }()
		}
		if err := within(served); i%4 == 0 && !errors.Is(err, server.ErrClosed) || err != nil && !errors.Is(err, server.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	}
	until(t, "all is closed", func() bool { return ours() == "" && descriptors(t) <= fds })
}
