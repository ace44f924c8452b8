package poller

import (
	"net"
	"testing"
	"time"
)

// accepting is a listener whose connections a Go routine takes, without netpoll.
func accepting(t *testing.T) *Listener {
	t.Helper()
	l, err := Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// dials counts how many of n connections are established soon.
func dials(t *testing.T, l *Listener, n int) (good int) {
	t.Helper()
	results := make(chan bool, n)
	for range n {
		go func() {
			c, err := net.DialTimeout("tcp", l.Addr().String(), 500*time.Millisecond)
			if err == nil {
				_, err = c.Write([]byte("x")) // else nobody accepts it for a second (TCP_DEFER_ACCEPT)
				t.Cleanup(func() { _ = c.Close() })
			}
			results <- err == nil
		}()
	}
	for range n {
		if <-results {
			good++
		}
	}
	return good
}

func TestHear_DropsItsShare(t *testing.T) {
	l := accepting(t)
	if good := dials(t, l, 50); good != 50 {
		t.Fatalf("%d of 50 connected", good)
	}
	for range 2 { // it can be set again
		if err := l.Hear(0.3); err != nil {
			t.Fatal(err)
		}
	}
	if good := dials(t, l, 400); good < 70 || good > 170 {
		t.Errorf("%d of 400 connected where 30 %% are heard", good)
	}
	if err := l.Hear(0); err != nil {
		t.Fatal(err)
	}
	if good := dials(t, l, 20); good != 0 {
		t.Errorf("%d of 20 connected where none is heard", good)
	}
	for range 2 {
		if err := l.Hear(1); err != nil {
			t.Fatal(err)
		}
	}
	if good := dials(t, l, 50); good != 50 {
		t.Errorf("%d of 50 connected where all are heard again", good)
	}
}

// A connection that was established while few are heard talks as any other one.
func TestHear_LeavesConnectionsAlone(t *testing.T) {
	l := accepting(t)
	if err := l.Hear(0.5); err != nil {
		t.Fatal(err)
	}
	var c net.Conn
	for range 50 {
		var err error
		if c, err = net.DialTimeout("tcp", l.Addr().String(), 300*time.Millisecond); err == nil {
			break
		}
	}
	if c == nil {
		t.Fatal("none of 50 connected")
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	fd := -1
	for begun := time.Now(); fd < 0 && time.Since(begun) < 3*time.Second; time.Sleep(time.Millisecond) {
		fd, _, _ = l.accept()
	}
	if fd < 0 {
		t.Fatal("not accepted")
	}
	if err := l.Hear(0); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	for range 200 {
		if _, err := c.Write([]byte("more")); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for begun := time.Now(); total < 805 && time.Since(begun) < 3*time.Second; {
		n, err := Kernel{}.Read(fd, buf)
		if err == ErrAgain {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != 805 {
		t.Errorf("%d bytes came of 805", total)
	}
	LastWords(fd, nil)
	if got := l.Accepted(); got != 1 {
		t.Errorf("%d accepted", got)
	}
}

func TestWaiting_IsTheKernelsQueue(t *testing.T) {
	l := accepting(t)
	if n := l.Waiting(); n != 0 {
		t.Errorf("%d wait where nobody came", n)
	}
	dials(t, l, 7)
	for begun := time.Now(); l.Waiting() != 7; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 3*time.Second {
			t.Fatalf("%d wait, want 7", l.Waiting())
		}
	}
}

func TestProbe_MeasuresHowLongAReactorIsAway(t *testing.T) {
	newDoor(t, func(g *guest, _ []byte) { g.say("") }) // there is a reactor
	p, err := NewProbe(1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if w := p.Waited(); w != 0 {
		t.Errorf("%v before anything was asked", w)
	}
	fastest := time.Hour
	for range 20 {
		p.Ask()
		time.Sleep(2 * time.Millisecond)
		fastest = min(fastest, p.Waited())
	}
	if fastest <= 0 || fastest > 20*time.Millisecond {
		t.Errorf("an idle reactor takes %v", fastest)
	}
	l := p.lines[0]
	l.found.Store(0) // as long as the reactor is busy
	l.asked = probeNow() - int64(time.Second)
	p.Ask()
	if w := p.Waited(); w < time.Second || w > 2*time.Second {
		t.Errorf("%v, where a byte waits for a second", w)
	}
	l.found.Store(l.asked + int64(time.Minute))
	p.Ask()
	if w := p.Waited(); w != time.Minute && w > time.Second {
		t.Errorf("%v: the one before took a minute", w)
	}
}

// A probe ends while its bytes are on their way, and the reactors go on: each is to be found
// alive after it, and nothing of the probe stays open.
func TestProbe_EndsBesideTheReactors(t *testing.T) {
	d := newDoor(t, func(g *guest, _ []byte) { g.say("alive") })
	d.serve()
	w := d.dial("x")
	w.reads("alive")
	for i := range 3000 {
		p, err := NewProbe(1)
		if err != nil {
			t.Fatal(err)
		}
		p.Ask()
		for range i % 50 {
			p.Waited()
		}
		p.Close()
		if i%100 == 0 {
			w.sends("x")
			w.reads("alive")
		}
	}
	_ = w.Close()
	d.empties(0)
}
