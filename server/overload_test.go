package server_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"throng/server"
)

// eventSource is what a browser's says of itself.
const eventSource = "Accept: text/event-stream"

// returns checks an answer that makes an EventSource come back, and says after how many ms.
func (a reply) returns(t *testing.T) int {
	t.Helper()
	text, ok := strings.CutPrefix(strings.TrimSpace(a.body), "retry: ")
	ms, err := strconv.Atoi(text)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/event-stream" || !ok || err != nil || !a.Close {
		t.Fatalf("an EventSource was sent away with %s, close %v, %q", a.Status, a.Close, a.body)
	}
	return ms
}

// asks makes one request on a connection of its own, which must end with a FIN if the answer
// says so.
func (n *node) asks(request string) reply {
	n.t.Helper()
	w := n.dial()
	defer w.Close()
	w.send(request)
	a := w.answer("GET")
	if a.Close {
		w.ends()
	}
	return a
}

// letsIn asks for a stream, and gives it, or the answer of the refusal.
func (n *node) letsIn(query string) (*stream, reply) {
	n.t.Helper()
	w := n.dial()
	w.send(get("/events?" + query))
	line, err := w.r.Peek(len("HTTP/1.1 200"))
	if err != nil {
		n.t.Fatal(err)
	}
	if strings.HasSuffix(string(line), "200") {
		return w.stream(), reply{}
	}
	defer w.Close()
	return nil, w.answer("GET")
}

// after is a refusal's Retry-After in seconds.
func (a reply) after(t *testing.T) int {
	t.Helper()
	s, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil {
		t.Fatalf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
	return s
}

// pressed is a node whose load is what the test says, in hundredths of the target.
func pressed(t *testing.T, set func(*server.Options)) (*node, *atomic.Int64) {
	t.Helper()
	var load atomic.Int64
	n := early(t, func(o *server.Options) {
		o.StreamsRateMin, o.PublishRateMin = 1, 1<<20
		o.DelayTarget, o.SilenceMax = 20*time.Millisecond, 0
		if set != nil {
			set(o)
		}
	})
	n.Press(func() (float64, float64) { return float64(load.Load()) / 100, 0 })
	n.serve()
	return n, &load
}

// Under load new streams are refused, the later to come back the more are; those that are
// there do not notice; and when the load is gone, so is the limit.
func TestOverload_LoadLimitsNewStreams(t *testing.T) {
	n, load := pressed(t, nil)
	s := n.subscribe("topic=a")
	defer s.Close()
	load.Store(200)
	until(t, "new streams are limited", func() bool { return n.Breakers().Limits.Streams == 1 })
	if p := n.Breakers().Pressure["delay"]; p != 2 {
		t.Errorf("the pressure is shown as %v, want 2", p)
	}
	first, last := 0, 0
	until(t, "Retry-After has grown", func() bool {
		in, a := n.letsIn("topic=a")
		if in != nil {
			in.Close()
			return false
		}
		if p := a.refused(t, 503, "overloaded"); !a.Close || !strings.Contains(p.Detail, "load") {
			t.Fatalf("close %v, %+v", a.Close, p)
		}
		last = a.after(t)
		if first == 0 {
			first = last
		}
		return last >= 12
	})
	if first > 6 {
		t.Errorf("the first that was refused was to come back after %d s", first)
	}
	for { // one a second is let in; the next is not
		in, _ := n.letsIn("topic=a")
		if in == nil {
			break
		}
		in.Close()
	}
	if ms := n.asks(get("/events?topic=a", eventSource)).returns(t); ms < 5000 {
		t.Errorf("an EventSource was to come back after %d ms, the others after %d s", ms, last)
	}
	n.publish("topic=a", "in spite of it")
	s.takes("in spite of it")
	load.Store(10)
	until(t, "there is no limit any more", func() bool { return n.Breakers().Limits.Streams == 0 })
	in, a := n.letsIn("topic=a")
	if in == nil {
		t.Fatalf("refused without load: %s %s", a.Status, a.body)
	}
	in.Close()
}

// Who waits is let in in the end: the least there is of new streams is let in whatever the
// load.
func TestOverload_NobodyIsRefusedForEver(t *testing.T) {
	n, load := pressed(t, func(o *server.Options) { o.StreamsRateMin = 20 })
	load.Store(1000)
	until(t, "new streams are limited", func() bool { return n.Breakers().Limits.Streams == 20 })
	for in := 0; in < 10; {
		if s, _ := n.letsIn("topic=a"); s != nil {
			s.Close()
			in++
		}
	}
}

// A browser gives up for good on anything but a 200, so at the limit it gets one that makes
// it come back; all others are told in words.
func TestOverload_EventSourceAtTheConnectionLimit(t *testing.T) {
	for _, origins := range [][]string{nil, {"*"}, {"https://a.example"}} {
		n := start(t, func(o *server.Options) { o.ConnectionsMax, o.Admin, o.CORSOrigins = 2, "", origins })
		until(t, "there is room", func() bool { return n.Stats().Connections == 0 })
		held := []*stream{n.subscribe("topic=a"), n.subscribe("topic=a")}
		a := n.asks(get("/events?topic=a", eventSource, "Origin: https://a.example"))
		if ms := a.returns(t); ms < 5000 || ms > 50000 {
			t.Errorf("it was to come back after %d ms", ms)
		}
		want := map[int]string{0: "", 1: "*"}
		if origins != nil && origins[0] != "*" {
			want[1] = origins[0]
		}
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != want[len(origins)] {
			t.Errorf("origins %v: the answer is for %q", origins, got)
		}
		for _, request := range []string{get("/events?topic=a"), get("/healthz", eventSource), post("topic=a", "x", eventSource), get("/events?topic=a", eventSource)[:40]} {
			n.asks(request).refused(t, 503, "connection_limit")
		}
		for _, s := range held {
			s.Close()
		}
		n.settles()
	}
}

// More is on its way than a request without a body: the answer must not be destroyed by it.
func TestOverload_ShedConnectionThatGoesOnSending(t *testing.T) {
	n := start(t, func(o *server.Options) { o.ConnectionsMax, o.Admin = 1, "" })
	until(t, "there is room", func() bool { return n.Stats().Connections == 0 })
	s := n.subscribe("topic=a")
	for range 20 {
		w := n.dial()
		w.send(head("POST /publish?topic=a", "Content-Length: 2000000") + strings.Repeat("x", 1000))
		time.Sleep(time.Millisecond)
		w.send(strings.Repeat("x", 200000))
		w.answer("POST").refused(t, 503, "connection_limit")
		w.Close()
	}
	s.Close()
	n.settles()
}

// connectionLayer is how it stands, and what it has counted.
func connectionLayer(s *server.Server) (state string, outcomes int) {
	for _, b := range s.Breakers().Breakers {
		if b.Layer == "connection" {
			return b.State, b.Numbers.Outcomes
		}
	}
	return "none", 0
}

func state(n *node) (state string, outcomes int) { return connectionLayer(n.Server) }

// The node's own failures open the connection layer at 60 %, whoever is in stays in, and
// after a while some are tried.
func TestOverload_ConnectionCircuit(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.ConnectionMin, o.ConnectionOpen, o.ConnectionProbes, o.ConnectionWindow = 10, 400*time.Millisecond, 3, time.Minute
	})
	s := n.subscribe("topic=a")
	defer s.Close()
	n.publish("topic=a", "1")
	s.takes("1")
	for range 5 {
		n.asks("GET /healthz HTTP/1.0\r\n\r\n")
	}
	counted := func(want int) {
		t.Helper()
		until(t, fmt.Sprint(want, " are counted"), func() bool { _, now := state(n); return now == want })
	}
	counted(8) // with the first client, the stream and the publisher
	n.FailEstablishments(11)
	counted(19)
	if now, _ := state(n); now != "closed" {
		t.Fatalf("it is %s at 11 failures of 19", now)
	}
	n.FailEstablishments(1)
	until(t, "it is open", func() bool { now, _ := state(n); return now == "open" })
	a := n.asks(get("/events?topic=a"))
	if a.refused(t, 503, "breaker_open"); a.after(t) < 1 {
		t.Errorf("come back after %d s", a.after(t))
	}
	n.asks(get("/events?topic=a", eventSource)).returns(t)
	n.publish("topic=a", "2") // on a kept connection
	s.takes("2")
	n.pub.send(get("/readyz"))
	if a := n.pub.answer("GET"); a.StatusCode != 503 || !strings.Contains(a.body, "overloaded") {
		t.Errorf("/readyz: %s %s", a.Status, a.body)
	}
	until(t, "it is closed", func() bool {
		n.asks("GET /healthz HTTP/1.0\r\n\r\n")
		now, _ := state(n)
		return now == "closed"
	})
	n.asks("GET /healthz HTTP/1.0\r\n\r\n")
	s.Close()
	n.settles()
}

// Who never says anything takes a place among those that are tried half-open, but does not
// keep it.
func TestOverload_DribblersHalfOpen(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.ConnectionMin, o.ConnectionOpen, o.ConnectionProbes = 10, 50*time.Millisecond, 2
	})
	n.FailEstablishments(100)
	until(t, "it is open", func() bool { now, _ := state(n); return now != "closed" })
	until(t, "it is half-open", func() bool { now, _ := state(n); return now == "half-open" })
	for range 2 {
		w := n.dial()
		w.send("GET /ev")
		defer w.Close()
	}
	until(t, "it is closed", func() bool {
		n.asks("GET /healthz HTTP/1.0\r\n\r\n")
		now, _ := state(n)
		return now == "closed"
	})
}

// An address has its connections, streams and requests alike, and gets them back as they
// close, however that comes about; others do not notice.
func TestOverload_AddressConnectionsMax(t *testing.T) {
	n := start(t, func(o *server.Options) { o.AddressConnectionsMax = 3 })
	until(t, "the first client is not counted any more", func() bool { return n.CountedByAddress() == 0 })
	streamOf := func(split bool) *stream {
		w := n.dial()
		request := get("/events?topic=a")
		if split {
			w.send(request[:10])
			until(t, "the first part is read", func() bool { return n.Stats().Requests > 0 })
			time.Sleep(5 * time.Millisecond)
			request = request[10:]
		}
		w.send(request)
		return w.stream()
	}
	for round := range 20 {
		one, two := streamOf(false), streamOf(round < 3)
		three := n.dial()
		three.alive()
		if got := n.CountedByAddress(); got != 3 {
			t.Fatalf("%d connections are counted, want 3", got)
		}
		a := n.asks(get("/events?topic=a"))
		if a.refused(t, 429, "address_limit"); a.after(t) < 5 {
			t.Errorf("come back after %d s", a.after(t))
		}
		n.asks(get("/events?topic=a", eventSource)).returns(t)
		n.fromElsewhere()
		if round%2 == 0 {
			two.reset()
		} else {
			three.send("\x00") // refused, and lingers as a row
			three.answer("GET")
		}
		_ = two.Close()
		_ = three.Close()
		until(t, "they are not counted any more", func() bool { return n.CountedByAddress() == 1 })
		n.asks("GET /healthz HTTP/1.0\r\n\r\n")
		n.asks(get("/events?topic=a//b", "Connection: close")).refused(t, 400, "bad_topic")
		_ = one.Close()
		until(t, "nothing is counted", func() bool { return n.CountedByAddress() == 0 })
	}
}

// fromElsewhere is a client of another address, which is served.
func (n *node) fromElsewhere() {
	n.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	c, err := d.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var status string
	_, _ = fmt.Fprint(c, "GET /healthz HTTP/1.0\r\n\r\n")
	if _, err := fmt.Fscan(c, new(string), &status); err != nil || status != "200" {
		n.t.Fatalf("a client of another address: %s, %v", status, err)
	}
}

func TestOverload_NamespaceStreamsMax(t *testing.T) {
	n := start(t, func(o *server.Options) { o.NamespaceStreamsMax = 2 })
	held := []*stream{n.subscribe("topic=a&ns=one"), n.subscribe("topic=a&ns=one"), n.subscribe("topic=a&ns=two")}
	n.asks(get("/events?topic=a&ns=one")).refused(t, 429, "namespace_limit")
	n.asks(get("/events?topic=a&ns=one", eventSource)).returns(t)
	_ = held[0].Close()
	until(t, "there is room", func() bool { // a stream that has just come counts twice for a moment
		w := n.dial()
		w.send(get("/events?topic=a&ns=one"))
		line, err := w.r.Peek(len("HTTP/1.1 200"))
		if err != nil || string(line) != "HTTP/1.1 200" {
			_ = w.Close()
			return false
		}
		held[0] = w.stream()
		return true
	})
	for _, s := range held {
		s.Close()
	}
	n.settles()
}
