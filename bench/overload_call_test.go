package bench

import (
	"net"
	"testing"
	"time"
)

// answering is a server that writes the parts, each on its own, and closes or waits.
func answering(t *testing.T, parts []string, closes bool) target {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var kept []net.Conn // or the collector closes them
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			kept = append(kept, c)
			if _, err := c.Read(make([]byte, 4096)); err != nil {
				return
			}
			for _, p := range parts {
				if _, err := c.Write([]byte(p)); err != nil {
					break
				}
			}
			if closes {
				c.Close()
			}
		}
	}()
	return target{name: "answering", addr: l.Addr().(*net.TCPAddr).AddrPort()}
}

func split(text string) (parts []string) {
	for _, c := range text {
		parts = append(parts, string(c))
	}
	return parts
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

func TestCall_Outcomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		closes bool
		want   outcome
		told   string
		wait   time.Duration
	}{
		"stream":        {streamHead + "retry: 3000\nid: 1-7\n\n", false, served, "200, and come back", 3 * time.Second},
		"later":         {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", true, refused, "503", 7 * time.Second},
		"comes back":    {streamHead + "retry: 1500\n\n", true, refused, "200, and come back", 1500 * time.Millisecond},
		"hangs up":      {"", true, lost, "0", 0},
		"half a head":   {"HTTP/1.1 200 OK\r\nConte", true, lost, "0", 0},
		"ends for good": {streamHead, true, lost, "200, and come back", 0},
		"rude":          {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", true, foul, "503", 0},
		"garbage":       {"SMTP\r\n\r\n", true, foul, "0", 0},
		"silent":        {"", false, unanswered, "0", 0},
	} {
		for _, parts := range [][]string{{c.text}, split(c.text)} {
			w, err := newSwarm(time.Now(), 1)
			if err != nil {
				t.Fatal(err)
			}
			b := newCallers(w, answering(t, parts, c.closes), "default", "t")
			var ended *call
			b.ended = func(c *call) { ended = c }
			if c.want == unanswered {
				b.patience = int64(50 * time.Millisecond)
			}
			if err := b.begin(&call{by: b, due: w.now()}); err != nil {
				t.Fatal(err)
			}
			for end := w.now() + int64(10*time.Second); ended == nil && w.now() < end; {
				b.tend()
				if err := w.turn(w.now() + int64(10*time.Millisecond)); err != nil {
					t.Fatal(err)
				}
			}
			if ended == nil || ended.outcome != c.want || ended.told() != c.told || ended.wait != c.wait {
				t.Errorf("%s: %+v", name, ended)
			}
			if faults := w.faultCount > 0; faults != (c.want == foul) {
				t.Errorf("%s: %q", name, w.faults)
			}
			b.closeAll()
			if b.open != 0 || w.open != 0 {
				t.Errorf("%s: %d calls and %d connections stay open", name, b.open, w.open)
			}
			if err := w.close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A held stream is left when its time is over.
func TestCallers_LeaveAfterTheHold(t *testing.T) {
	t.Parallel()
	w, err := newSwarm(time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	b := newCallers(w, answering(t, []string{streamHead + "id: 1-7\n\n"}, false), "default", "t")
	b.hold, b.ended = int64(30*time.Millisecond), func(*call) {}
	if err := b.begin(&call{by: b, due: w.now(), kind: 1}); err != nil {
		t.Fatal(err)
	}
	c := b.waiting[0]
	err = w.until(t.Context(), "the stream is left", 10*time.Second, func() bool {
		b.tend()
		return c.outcome == served && b.open == 0
	})
	if err != nil || w.now() < c.began+b.hold {
		t.Errorf("%v, held for %v", err, time.Duration(w.now()-c.began))
	}
}
