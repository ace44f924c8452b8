package poller

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long anything that must happen may take; nothing is measured by it.
const patience = 15 * time.Second

// door is an Edge whose sessions do what the test says. Clients may come before it serves:
// what they have sent is there when they are accepted.
type door struct {
	*Edge
	t      *testing.T
	fds    int // open before
	served chan error
	made   atomic.Int64
	closed atomic.Int64
	nudges atomic.Int64
	once   sync.Once
}

// guest is the Session of one connection.
type guest struct {
	*Conn
	door *door
	got  strings.Builder
	data func(g *guest, p []byte)
}

func (g *guest) Data(p []byte) {
	g.got.Write(p)
	g.data(g, p)
}

func (g *guest) Expired(DeadlineClass) []byte { return nil }

func (g *guest) Closed() { g.door.closed.Add(1) }

// early says whether netpoll does not know the connection.
func (g *guest) early() bool { return g.np == nil }

// say writes an answer.
func (g *guest) say(text string) {
	if err := g.Write([]byte(text)); err != nil {
		g.door.t.Errorf("answering %q: %v", text, err)
	}
}

// give hands the socket over to a reader of one line, which it answers.
func (g *guest) give() {
	err := g.HandOver(func(fd int, mayWait bool) bool {
		_, _ = Kernel{}.Write(fd, []byte(fmt.Sprintf("given %v.", mayWait)))
		_ = Kernel{}.Close(fd)
		g.door.Books().Add(-1)
		return true
	})
	if err != nil {
		g.door.t.Errorf("HandOver: %v", err)
	}
}

// opened lets netpoll open what it keeps for good before anybody counts descriptors.
var opened sync.Once

func newDoor(t *testing.T, data func(g *guest, p []byte)) *door {
	t.Helper()
	opened.Do(func() {
		d := makeDoor(t, func(g *guest, _ []byte) { g.say("warm"); g.Close() })
		d.serve()
		w := d.dial("x")
		w.reads("warm")
		d.shut()
	})
	d := makeDoor(t, data)
	t.Cleanup(d.shut)
	return d
}

func makeDoor(t *testing.T, data func(g *guest, p []byte)) *door {
	t.Helper()
	d := &door{t: t, fds: descriptorsOpen(t)}
	ln, err := Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ln.Admit, ln.Exhausted = func(netip.Addr, []byte) (int, bool) { return 0, true }, func() {}
	ln.Shed = func(fd, why int, first []byte) { LastWords(fd, fmt.Appendf(nil, "full %d %s", why, first)) }
	ln.Refusal = func([]byte) []byte { return []byte("none left") }
	d.Edge, err = NewEdge(ln, EdgeOptions{
		Reactors: 1, HeadTimeout: time.Minute, BodyTimeout: time.Minute, IdleTimeout: time.Minute,
		WriteTimeout: time.Minute, LingerTimeout: time.Minute, AheadBytesMax: 1 << 20, AheadTotalBytesMax: 1 << 20,
		NewSession: func(c *Conn) Session {
			d.made.Add(1)
			return &guest{Conn: c, door: d, data: data}
		},
		HandedOver: func() { d.nudges.Add(1) },
		Log:        io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serve begins to accept.
func (d *door) serve() {
	d.served = make(chan error, 1)
	go func() { d.served <- d.Serve() }()
}

// shut closes the Edge, once: no connection and no goroutine of it may stay.
func (d *door) shut() { d.once.Do(d.shutNow) }

func (d *door) shutNow() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.Edge.Close(ctx); err != nil {
		d.t.Errorf("Close: %v", err)
	}
	if d.served != nil {
		if err := <-d.served; err != nil {
			d.t.Errorf("Serve: %v", err)
		}
	}
	if n, tasks := d.Open(), d.tasks.Load(); n != 0 || tasks != 0 {
		d.t.Errorf("%d connections and %d tasks are left", n, tasks)
	}
}

// empties waits until the server's side of every connection is gone; clients are the
// descriptors that the test itself still has.
func (d *door) empties(clients int) {
	d.t.Helper()
	d.until("all connections are gone", func() bool { return d.Open() == 0 && d.tasks.Load() == 0 })
	d.until("all descriptors are closed", func() bool { return descriptorsOpen(d.t) <= d.fds+2+clients }) // the listener and its reserve
}

func descriptorsOpen(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list) - 1 // the one that reads the list
}

func (d *door) until(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// caller is a client.
type caller struct {
	*net.TCPConn
	t *testing.T
}

// dial connects and sends.
func (d *door) dial(text string) *caller {
	d.t.Helper()
	c, err := net.Dial("tcp", d.ln.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	w := &caller{TCPConn: c.(*net.TCPConn), t: d.t}
	if text != "" {
		w.sends(text)
	}
	return w
}

func (w *caller) sends(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.TCPConn, text); err != nil {
		w.t.Fatalf("sending %q: %v", text, err)
	}
}

// reads takes exactly this text.
func (w *caller) reads(text string) {
	w.t.Helper()
	b := make([]byte, len(text))
	if n, err := io.ReadFull(w.TCPConn, b); err != nil || string(b) != text {
		w.t.Fatalf("got %q, %v; want %q", b[:n], err, text)
	}
}

// ends reads to the end, which must be a FIN.
func (w *caller) ends() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.TCPConn); err != nil || len(rest) > 0 {
		w.t.Fatalf("the connection should just end; got %q, %v", rest, err)
	}
}
