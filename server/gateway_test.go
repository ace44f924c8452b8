package server_test

import (
	"bufio"
	"net"
	"testing"
	"time"

	"throng/server"
)

// readersFrom opens streams of different addresses that are not read, in the one namespace.
func readersFrom(n *node, first, count int) (all []*stream) {
	n.t.Helper()
	for i := range count {
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(first+i))}}
		c, err := d.Dial("tcp", n.Addr().String())
		if err != nil {
			n.t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		w := &wire{TCPConn: c.(*net.TCPConn), t: n.t, r: bufio.NewReader(c)}
		n.t.Cleanup(func() { _ = w.Close() })
		_ = w.SetReadBuffer(4 << 10)
		w.send(get("/events?topic=a"))
		all = append(all, w.stream())
	}
	return all
}

// stall publishes until nobody takes any more. One that lags for a moment may only be slow: its
// client's kernel has room left.
func (n *node) stall(readers int) {
	n.t.Helper()
	for still, published := 0, 0; published < 10_000; published++ {
		n.publish("topic=a", numbered(0, 32<<10))
		lagging := 0
		for _, l := range n.Stats().Loops {
			lagging += l.Lagging
		}
		if still++; lagging < readers {
			still = 0
		}
		if still == 20 {
			return
		}
	}
	n.t.Fatalf("%d readers take whatever comes", readers)
}

// gateway is how the gateway layer of the default namespace stands; empty: there is none.
func (n *node) gateway() string {
	for _, b := range n.Breakers().Breakers {
		if b.Layer == "gateway" && b.Scope == "default" {
			return b.State
		}
	}
	return ""
}

func sickGateway(o *server.Options) {
	o.StallTimeout, o.SendBufferBytes = 2*time.Second, 16<<10
	o.GatewayFailures, o.GatewayProbes, o.GatewayOpen = 3, 2, 4*time.Second
}

// Readers of different addresses that take nothing open the layer for their namespace: new
// streams are told when to come back, an EventSource in its own way, and those of other
// namespaces notice nothing. Half-open a few are let in, and when these do well, all are.
func TestGateway_OpensAndCloses(t *testing.T) {
	n := start(t, sickGateway)
	readers := readersFrom(n, 1, 6)
	n.stall(len(readers))
	until(t, "the gateway layer is open", func() bool { return n.gateway() == "open" })
	w := n.dial()
	w.send(get("/events?topic=a"))
	a := w.answer("GET")
	a.refused(t, 503, "breaker_open")
	if a.Header.Get("Retry-After") == "" || a.Header.Get("Throng-Fallback") != "" {
		t.Errorf("Retry-After %q, Throng-Fallback %q", a.Header.Get("Retry-After"), a.Header.Get("Throng-Fallback"))
	}
	w.Close()
	comesBack(n)
	n.subscribe("topic=a&ns=other").Close()

	until(t, "the gateway layer is half-open", func() bool { return n.gateway() == "half-open" })
	one, two := n.subscribe("topic=a"), n.subscribe("topic=a")
	until(t, "the gateway layer is closed", func() bool { return n.gateway() == "closed" })
	id := n.publish("topic=a", "x")
	for _, s := range []*stream{one, two} {
		if e := s.next(); e.id != id {
			t.Errorf("after %s came %s", id, e.id)
		}
		s.Close()
	}
	n.subscribe("topic=a").Close()
	for _, r := range readers {
		r.Close()
	}
	n.settles()
}

// As many of one address are one bad reader; and without breakers nothing opens.
func TestGateway_StaysClosed(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*server.Options)
		open  func(n *node, i int) *stream
		state string
	}{
		{"OneAddress", nil, func(n *node, _ int) *stream { return readersFrom(n, 9, 1)[0] }, "closed"},
		{"NoBreakers", func(o *server.Options) { o.Breakers = "off" }, func(n *node, i int) *stream { return readersFrom(n, 1+i, 1)[0] }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := start(t, func(o *server.Options) {
				sickGateway(o)
				if c.set != nil {
					c.set(o)
				}
			})
			const readers = 6
			for i := range readers {
				c.open(n, i)
			}
			n.stall(readers)
			until(t, "all have been closed", func() bool {
				open := 0
				for _, l := range n.Stats().Loops {
					open += l.Streams
				}
				return open == 0
			})
			if got := n.gateway(); got != c.state {
				t.Errorf("the gateway layer is %q", got)
			}
			n.subscribe("topic=a").Close()
		})
	}
}
