package server_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// Half a request and then silence is a slot that a proper client could have had: it is
// told so and closed.
func TestHostile_SilenceIsAnswered408(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.HeadTimeout, o.BodyTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	for _, half := range []string{
		"G", "GET /events?topic=a HTTP/1.1\r\nHost: t\r\n",
		post("topic=a", "x")[:40],
		head("POST /publish?topic=a", "Content-Length: 10") + "12345",
		head("POST /publish?topic=a", "Transfer-Encoding: chunked"),
		head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "5\r\n123",
		get("/healthz") + "GET /ev",
	} {
		w := n.dial()
		w.send(half)
		a := w.answer("GET")
		if strings.HasPrefix(half, get("/healthz")) {
			a = w.answer("GET")
		}
		a.refused(t, 408, "request_timeout")
		if !a.Close {
			t.Errorf("%.30q: a 408 must say Connection: close", half)
		}
		w.ends()
		w.Close()
	}
	n.settles()
}

// A client that never says anything is closed without a word, as browsers open spare
// connections; so is one that idles between two requests.
func TestHostile_IdleIsClosedInSilence(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.HeadTimeout, o.IdleTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	w := n.dial()
	w.ends()
	v := n.dial()
	v.alive()
	v.ends()
	w.Close()
	v.Close()
	n.settles()
}

// A deadline that each byte prolongs is none: whoever dribbles is ended like whoever is
// silent, in the head, in a sized body and in a chunked one.
func TestHostile_DribbleDoesNotExtendTheDeadline(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.HeadTimeout, o.BodyTimeout = 400*time.Millisecond, 400*time.Millisecond
	})
	for name, c := range map[string]struct{ first, again string }{
		"head":    {"GET / HTTP/1.1\r\n", "X: y\r\n"},
		"sized":   {head("POST /publish?topic=a", "Content-Length: 60000"), "x"},
		"chunked": {head("POST /publish?topic=a", "Transfer-Encoding: chunked"), "1\r\nx\r\n"},
		"trailer": {head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "0\r\n", "A: b\r\n"},
		"next":    {post("topic=a", "x"), "G"},
	} {
		t.Run(name, func(t *testing.T) {
			w := n.dial()
			w.send(c.first)
			if name == "next" {
				idOf(t, w.answer("POST"))
			}
			stop := make(chan struct{})
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for {
					select {
					case <-stop:
						return
					case <-time.After(60 * time.Millisecond): // a method of 24 bytes is too long, and that comes after the sweep
						_, _ = io.WriteString(w.TCPConn, c.again)
					}
				}
			}()
			w.answer("GET").refused(t, 408, "request_timeout")
			close(stop)
			<-sent
			w.Close()
		})
	}
	n.settles()
}

// What cannot become a request is refused after a few bytes, whatever it is; nothing of
// it may panic, hang or stay behind.
func TestHostile_RandomBytes(t *testing.T) {
	n := start(t, nil)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	valid := post("topic=a&topic=b/c&event=e", "some data", "Idempotency-Key: k") + get("/events?topic=a/%23")
	for range 300 {
		b := []byte(valid)
		if r.IntN(3) == 0 {
			b = make([]byte, r.IntN(2000))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		} else {
			for range 1 + r.IntN(4) {
				b[r.IntN(len(b))] = byte(r.Uint32())
			}
		}
		w := n.dial()
		w.send(string(b))
		_ = w.CloseWrite()
		w.gone()
		w.Close()
	}
	n.settles()
	n.publish("topic=a", "still here")
}

// Ten thousand fields and a gigabyte of body cost what their first bytes cost.
func TestHostile_TooMuchIsRefusedAtOnce(t *testing.T) {
	n := start(t, nil)
	w := n.dial()
	w.send("GET / HTTP/1.1\r\nHost: t\r\n" + strings.Repeat("X: y\r\n", 10000) + "\r\n")
	w.answer("GET").refused(t, 431, "too_many_fields")
	w.ends()
	w.Close()
	v := n.dial()
	v.send(head("POST /publish?topic=a", "Content-Length: 1073741824"))
	v.answer("POST").refused(t, 413, "body_too_large")
	v.Close()
	n.settles()
}

// A client that is still sending when it is refused must be able to finish and then
// read the whole answer: a reset would destroy it, and the client would just try again.
func TestHostile_AnswerSurvivesAnUnreadBody(t *testing.T) {
	n := start(t, nil)
	megabyte := strings.Repeat("x", 1<<20)
	for name, first := range map[string]string{
		"too large": head("POST /publish?topic=a", "Content-Length: 1048576"),
		"not found": head("POST /nowhere", "Content-Length: 1048576"),
		"malformed": head("POST /publish?topic=a", "Bad Field: x", "Content-Length: 1048576"),
		"chunked":   head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "100000\r\n",
		"garbage":   "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			w := n.dial()
			w.send(first)
			time.Sleep(20 * time.Millisecond) // let it be refused first
			w.send(megabyte)
			if a := w.answer("POST"); a.StatusCode < 400 || !strings.HasSuffix(a.body, "}\n") {
				t.Errorf("got %s %q", a.Status, a.body)
			}
			w.ends()
			w.Close()
		})
	}
	n.settles()
}

// Whoever leaves at any byte of a request, politely or not, leaves nothing behind.
func TestHostile_GoneAtEveryByte(t *testing.T) {
	n := start(t, nil)
	for _, whole := range []string{
		post("topic=a", "data"),
		get("/events?topic=a&since=earliest"),
		head("POST /publish?topic=a", "Transfer-Encoding: chunked") + "4\r\ndata\r\n0\r\n\r\n",
		get("/events?topic=a%2"),
	} {
		for at := range len(whole) + 1 {
			for how := range 3 {
				w := n.dial()
				w.send(whole[:at])
				switch how {
				case 0:
					w.Close()
				case 1:
					w.reset()
				default:
					_ = w.CloseWrite()
					w.gone()
					w.Close()
				}
			}
		}
	}
	n.settles()
	s := n.subscribe("topic=a")
	n.publish("topic=a", "x")
	s.takes("x")
}

// A client that sends requests and reads no answer must be stopped: reading from it
// cannot be paused, so what it may pile up in memory has a bound.
func TestHostile_AnswersThatNobodyReads(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.WriteTimeout, o.BatchBytesMax = 3*time.Second, 1<<20
	})
	w := n.dial()
	_ = w.SetReadBuffer(4096)
	many, sent := []byte(strings.Repeat(get("/nowhere"), 4000)), 0
	for sent < 256<<20 {
		b, err := w.Write(many)
		sent += b
		if err != nil {
			break
		}
	}
	if sent >= 256<<20 {
		t.Errorf("%d bytes were taken from a client that reads nothing", sent)
	}
	w.reset()
	n.settles()
}

// A half-closed client has said all it wants to say; its requests are still answered.
func TestHostile_HalfClosedPublisherIsAnswered(t *testing.T) {
	n := start(t, nil)
	for range 100 {
		w := n.dial()
		w.send(post("topic=a", "1") + post("topic=a", "2"))
		_ = w.CloseWrite()
		idOf(t, w.answer("POST"))
		idOf(t, w.answer("POST"))
		w.ends()
		w.Close()
	}
	n.settles()
}
