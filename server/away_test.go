package server_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// filled is a node that holds as many connections as it may.
func filled(t *testing.T, set func(*server.Options)) *node {
	t.Helper()
	n := start(t, func(o *server.Options) {
		o.ConnectionsMax, o.Admin, o.Loops = 1, "", 1
		if set != nil {
			set(o)
		}
	})
	until(t, "there is room", func() bool { return n.Stats().Connections == 0 })
	s := n.subscribe("topic=a")
	t.Cleanup(func() { _ = s.Close() })
	return n
}

// A page of another origin may know why it was sent away, and when to come back.
func TestAway_OtherOriginsMayReadIt(t *testing.T) {
	const origin = "Origin: https://a.example"
	for allowed, want := range map[string]string{"": "", "*": "*", "https://a.example": "https://a.example", "https://b.example": ""} {
		n := filled(t, func(o *server.Options) { o.CORSOrigins = strings.Fields(allowed) })
		for _, request := range []string{
			get("/events?topic=a", origin), get("/events?topic=a", origin)[:60], post("topic=a", "x", origin),
			get("/events?topic=a", eventSource, origin),
		} {
			want := want
			if !strings.Contains(request, origin) && want != "*" {
				want = "" // that line has not come
			}
			a := n.asks(request)
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%q may read: %.40q is answered %d for %q, want %q", allowed, request, a.StatusCode, got, want)
			}
			if want != "" && a.Header.Get("Access-Control-Expose-Headers") != "Retry-After" {
				t.Errorf("%q may read: %.40q hides Retry-After", allowed, request)
			}
		}
	}
}

// The same for what is sent away after its head.
func TestAway_OtherOriginsMayReadItUnderLoad(t *testing.T) {
	for _, origin := range []string{"*", "https://a.example"} {
		n, load := pressed(t, func(o *server.Options) { o.CORSOrigins = []string{origin} })
		load.Store(1000)
		until(t, "new streams are limited", func() bool { return n.Breakers().Limits.Streams == 1 })
		for refused := 0; refused < 2; {
			w := n.dial()
			w.send(get("/events?topic=a", "Origin: https://a.example"))
			if line, err := w.r.Peek(12); err != nil || string(line) == "HTTP/1.1 200" {
				_ = w.Close()
				continue
			}
			if got := w.answer("GET").Header.Get("Access-Control-Allow-Origin"); got != origin {
				t.Errorf("origins %s: refused for %q", origin, got)
			}
			refused++
		}
	}
}

// The cookies of a browser may fill a packet of their own: the lines before them say enough.
func TestAway_EventSourceWhoseHeadComesInPart(t *testing.T) {
	for _, origin := range []string{"", "*", "https://a.example"} {
		n := filled(t, func(o *server.Options) { o.CORSOrigins = strings.Fields(origin) })
		request := get("/events?topic=a", eventSource, "Origin: https://a.example", "Cookie: a="+strings.Repeat("b", 7000))
		for _, cut := range []int{strings.Index(request, "Cookie"), strings.Index(request, "bbb"), len(request) - 2, len(request) - 1} {
			w := n.dial()
			w.send(request[:cut])
			a := w.answer("GET")
			if a.returns(t); a.Header.Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("origins %q, cut at %d: %v", origin, cut, a.Header)
			}
			w.send(request[cut:])
			w.ends()
		}
		for _, text := range []string{"G", "GET /events HTTP/1.1\r\n", "GET /events HTTP/1.1\r\nHost: t\r\n" + eventSource, "\r\n", "\x00\n\n"} {
			n.asks(text).refused(t, 503, "connection_limit")
		}
	}
}

// An answer to HEAD has no body, also when it says that there is no room.
func TestAway_HeadHasNoBody(t *testing.T) {
	n := filled(t, nil)
	w := n.dial()
	w.send(strings.Replace(get("/healthz"), "GET", "HEAD", 1))
	if a := w.answer("HEAD"); a.StatusCode != 503 {
		t.Errorf("answered %s", a.Status)
	}
	w.ends()
}

// Whoever is refused and goes on sending lingers, as long as there are rows for that. Those
// beyond say nothing of this node, and open nothing.
func TestAway_CrowdThatLingersOpensNothing(t *testing.T) {
	n := filled(t, func(o *server.Options) { o.ConnectionMin = 1; o.LingerTimeout = time.Minute })
	closed := 0
	for range 1100 {
		w := n.dial()
		w.send("GET /ev")
		if w.answer("GET").StatusCode != 503 {
			t.Fatal("let in")
		}
		_ = w.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := w.r.ReadByte(); err == io.EOF {
			closed++
		}
	}
	time.Sleep(300 * time.Millisecond) // the watch has counted: nothing is seen of it
	for _, b := range n.Breakers().Breakers {
		if b.Layer == "connection" && (b.State != "closed" || b.Numbers.Failures > 0) {
			t.Errorf("the connection layer: %+v, %d were closed at once", b, closed)
		}
	}
}

// However many say nothing whole, the places half-open are for those who ask.
func TestAway_HalfOpenIsForThoseWhoAsk(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.ConnectionMin, o.ConnectionOpen, o.ConnectionProbes = 10, 50*time.Millisecond, 3
	})
	n.FailEstablishments(100)
	until(t, "it is half-open", func() bool { now, _ := state(n); return now == "half-open" })
	for range 3 {
		for range 5 {
			for _, dribble := range []string{"G", "GET /ev", head("POST /publish?topic=a", "Content-Length: 5") + "1234", head("POST /publish?topic=a", "Transfer-Encoding: chunked")} {
				n.asks(dribble).refused(t, 503, "breaker_open")
			}
		}
		if a := n.asks("GET /healthz HTTP/1.0\r\n\r\n"); a.StatusCode != 200 {
			t.Errorf("one who asks is told %s", a.Status)
		}
	}
	if now, _ := state(n); now != "closed" {
		t.Errorf("it is %s", now)
	}
	n.publish("topic=a", "1")
}

// Without descriptors an EventSource is sent away as with them, and a long request does not
// destroy its answer.
func TestExhausted_EventSourceComesBack(t *testing.T) {
	c := startChild(t, "few descriptors")
	told := map[string]int{}
	for i := range 3 * descriptorsFew {
		w := dialTo(t, c.address)
		fields := []string{"Cookie: a=" + strings.Repeat("b", 7000), "X-More: " + strings.Repeat("c", 7000)}
		if i%2 == 0 {
			fields = append(fields, eventSource)
		}
		_, _ = io.WriteString(w.TCPConn, get("/events?topic=a", fields...))
		line, err := w.r.Peek(12)
		if err != nil {
			told["closed"]++
			continue
		}
		if string(line) != "HTTP/1.1 200" {
			w.answer("GET").refused(t, 503, "connection_limit")
			told[fmt.Sprint("503 ", i%2)]++
			w.ends()
		} else if a, err := http.ReadResponse(w.r, nil); err == nil && a.Close {
			told["returns"]++
		}
	}
	if told["returns"] == 0 || told["503 1"] == 0 || told["503 0"] > 0 {
		t.Errorf("answers: %v", told)
	}
}

// Close ends a node however its breakers stand, with whoever is being sent away, and leaves no
// goroutine.
func TestAway_NodeClosesInEveryState(t *testing.T) {
	filled(t, nil).end() // what the process keeps for good is there
	for want, set := range map[string]func(*server.Options){
		"open":      func(o *server.Options) { o.ConnectionOpen = time.Hour },
		"half-open": func(o *server.Options) { o.ConnectionOpen = time.Millisecond },
		"closed":    func(o *server.Options) { o.Breakers = "off" },
	} {
		before := runtime.NumGoroutine()
		n := early(t, set)
		n.Press(func() (float64, float64) { return 20, 0.99 })
		n.serve()
		w := n.dial()
		w.send(get("/events?topic=a")) // a stream, or sent away
		n.FailEstablishments(100)
		if want != "closed" {
			until(t, "it is "+want, func() bool { now, _ := state(n); return now == want })
		}
		for range 20 {
			n.dial().send("GET /ev")
		}
		n.end()
		w.gone()
		until(t, want+": no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	}
}
