package poller

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A stream's request that is there when it is accepted costs netpoll nothing: the socket
// itself is given away, before Accept returns, and whoever takes it is told once.
func TestFirst_WholeRequestNeverEntersNetpoll(t *testing.T) {
	var late atomic.Int64
	d := newDoor(t, func(g *guest, p []byte) {
		if !g.early() || g.MayWait() || string(p) != "GET" {
			late.Add(1)
		}
		g.give()
	})
	var all []*caller
	for range 3 * acceptsMax {
		all = append(all, d.dial("GET"))
	}
	d.serve()
	for _, w := range all {
		w.reads("given false.")
		w.ends()
	}
	d.empties(len(all))
	if late.Load() != 0 || d.closed.Load() != 0 {
		t.Errorf("%d were served too late, %d sessions were told of an end", late.Load(), d.closed.Load())
	}
	if n := d.nudges.Load(); n < 1 || n > int64(len(all)) {
		t.Errorf("%d calls of HandedOver for %d connections", n, len(all))
	}
}

// The first byte alone makes no request. The session that got it gets the rest, from
// netpoll, and its socket is still its own when it is given away.
func TestFirst_SplitHeadGoesOnInNetpoll(t *testing.T) {
	d := newDoor(t, func(g *guest, _ []byte) {
		switch g.got.String() {
		case "G":
			if !g.early() {
				t.Error("the first byte was not read at accept")
			}
			g.say("more?")
		case "GET":
			if g.early() {
				t.Error("the rest came without netpoll")
			}
			g.give()
		}
	})
	w := d.dial("G")
	d.serve()
	w.reads("more?")
	w.sends("ET")
	w.reads("given true.")
	w.ends()
	d.empties(1)
	if d.made.Load() != 1 || d.closed.Load() != 0 {
		t.Errorf("%d sessions, %d of them told of an end", d.made.Load(), d.closed.Load())
	}
}

// A client that says nothing for a while enters netpoll, and one that is kept after its
// first answer does.
func TestFirst_SilentAndKeptConnectionsAreServed(t *testing.T) {
	d := newDoor(t, func(g *guest, p []byte) { g.say("re: " + string(p)) })
	silent, kept := d.dial(""), d.dial("one")
	d.serve()
	kept.reads("re: one")
	d.until("the silent one is accepted", func() bool { return d.Open() == 2 })
	for _, text := range []string{"two", "three"} {
		silent.sends(text)
		silent.reads("re: " + text)
		kept.sends(text)
		kept.reads("re: " + text)
	}
	_ = silent.CloseWrite()
	silent.ends()
	_ = kept.Close()
	d.empties(1)
	if d.closed.Load() != 2 {
		t.Errorf("%d sessions were told of an end", d.closed.Load())
	}
}

// A first request that has to wait gets its goroutine once netpoll has the connection,
// what comes meanwhile stays in order, and the answer reaches the one who asked.
func TestFirst_DeferredRequestIsServedOnAGoroutine(t *testing.T) {
	release := make(chan struct{})
	d := newDoor(t, func(g *guest, p []byte) {
		switch {
		case !g.MayWait() && string(p) == "slow":
			if !g.early() {
				t.Error("the request was not read at accept")
			}
			g.Defer()
		case g.MayWait() && p == nil:
			if g.early() {
				t.Error("the goroutine runs ahead of netpoll")
			}
			<-release
			g.say("done.")
		default:
			g.say("re: " + string(p))
		}
	})
	var all []*caller
	for range 2 * acceptsMax {
		all = append(all, d.dial("slow"))
	}
	d.serve()
	d.until("all wait", func() bool { return d.tasks.Load() == int64(len(all)) })
	for i, w := range all {
		w.sends(fmt.Sprint("next", i, "."))
	}
	close(release)
	for i, w := range all {
		w.reads(fmt.Sprint("done.re: next", i, "."))
		_ = w.Close()
	}
	d.empties(0)
	if d.closed.Load() != int64(len(all)) {
		t.Errorf("%d of %d sessions were told of an end", d.closed.Load(), len(all))
	}
}

// Where the one who takes a socket would have to wait, it waits on a goroutine, and the
// connection counts until then.
func TestFirst_HandOverWaitsElsewhere(t *testing.T) {
	release := make(chan struct{})
	d := newDoor(t, func(g *guest, _ []byte) {
		err := g.HandOver(func(fd int, mayWait bool) bool {
			if !mayWait {
				return false
			}
			<-release
			_, _ = Kernel{}.Write(fd, []byte("at last"))
			g.door.Books().Add(-1)
			return Kernel{}.Close(fd) == nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	w, v := d.dial("x"), d.dial("y")
	d.serve()
	d.until("both wait", func() bool { return d.tasks.Load() == 2 })
	if d.Open() != 2 {
		t.Errorf("%d connections are counted", d.Open())
	}
	close(release)
	w.reads("at last")
	v.reads("at last")
	d.empties(2)
}

// An answer that is the last one is sent, and the connection ended with a FIN; nothing is
// left, though netpoll never closed anything.
func TestFirst_LastAnswerEndsTheConnection(t *testing.T) {
	d := newDoor(t, func(g *guest, _ []byte) {
		g.say("bye")
		g.Close()
	})
	w := d.dial("x")
	d.serve()
	w.reads("bye")
	w.ends()
	d.empties(1)
	if d.closed.Load() != 1 {
		t.Errorf("the session was told of its end %d times", d.closed.Load())
	}
}

// Whoever has come and gone before it was accepted leaves nothing behind; one that has only
// stopped sending is answered.
func TestFirst_PeersThatAreGoneAtAccept(t *testing.T) {
	d := newDoor(t, func(g *guest, p []byte) { _ = g.Write([]byte("re: " + string(p))) })
	for _, text := range []string{"", "x"} {
		_ = d.dial(text).Close()
		reset := d.dial(text)
		_ = reset.SetLinger(0)
		_ = reset.Close()
	}
	mute, half := d.dial(""), d.dial("half")
	_ = mute.CloseWrite()
	_ = half.CloseWrite()
	d.serve()
	mute.ends()
	half.reads("re: half")
	half.ends()
	d.empties(2)
	if d.closed.Load() != d.made.Load() {
		t.Errorf("%d sessions, %d of them told of an end", d.made.Load(), d.closed.Load())
	}
}

// A crowd at the door does not stop those who are in: a kept connection has its turn after
// at most one Accept more.
func TestFirst_CrowdDoesNotStarveTheOthers(t *testing.T) {
	const crowd, asksAt = 400, 100
	var served atomic.Int64
	var answeredAt atomic.Int64
	var kept *caller
	d := newDoor(t, func(g *guest, p []byte) {
		switch string(p) {
		case "kept":
			g.say("in")
		case "again":
			answeredAt.Store(served.Load())
			g.say("still in")
		default:
			if served.Add(1) == asksAt {
				kept.sends("again")
			}
			g.give()
		}
	})
	kept = d.dial("kept")
	d.serve()
	kept.reads("in")
	// One that is being served keeps the reactor busy until the crowd has come.
	come := make(chan struct{})
	busy := newDoor(t, func(g *guest, _ []byte) { <-come; g.Close() })
	blocker := busy.dial("x")
	busy.serve()
	busy.until("the reactor is busy", func() bool { return busy.made.Load() == 1 })
	var all []*caller
	for range crowd {
		all = append(all, d.dial("GET"))
	}
	close(come)
	blocker.ends()
	kept.reads("still in")
	for _, w := range all {
		w.reads("given false.")
	}
	if at := answeredAt.Load(); at < asksAt || at > asksAt+2*acceptsMax {
		t.Errorf("it asked when %d of the crowd were served, and was answered after %d", asksAt, at)
	}
	_ = kept.Close()
	d.empties(len(all) + 3) // blocker, and the two that busy has open
}

// A full house says so to each of a crowd, and tells the one who answers them.
func TestFirst_ShedAtAccept(t *testing.T) {
	d := newDoor(t, func(g *guest, _ []byte) { g.say("in") })
	d.ln.Admit = func(netip.Addr, []byte) (int, bool) { return 7, d.Open() < 3 }
	var all []*caller
	for range 4 * acceptsMax {
		all = append(all, d.dial("x"))
	}
	d.serve()
	for i, w := range all {
		if i < 3 {
			w.reads("in")
			continue
		}
		w.reads("full 7 x")
		w.ends()
	}
	if d.nudges.Load() == 0 || d.made.Load() != 3 {
		t.Errorf("%d calls of HandedOver, %d sessions", d.nudges.Load(), d.made.Load())
	}
}

// Close may come while clients wait in the queue, are being accepted, or wait for a
// goroutine: all of them end, and no session is forgotten.
func TestFirst_CloseDuringACrowd(t *testing.T) {
	for round := range 20 {
		var given atomic.Int64
		d := newDoor(t, func(g *guest, p []byte) {
			switch {
			case g.MayWait():
				g.say("late")
			case string(p) == "slow":
				g.Defer()
			case string(p) == "GET":
				given.Add(1)
				g.give()
			}
		})
		var all []*caller
		for i := range 60 {
			all = append(all, d.dial([]string{"GET", "slow", "kept", ""}[i%4]))
		}
		d.serve()
		time.Sleep(time.Duration(round) * 100 * time.Microsecond)
		d.shut()
		for _, w := range all {
			_ = w.Close()
		}
		d.until("all descriptors are closed", func() bool { return descriptorsOpen(t) <= d.fds })
		if d.made.Load() != d.closed.Load()+given.Load() {
			t.Fatalf("%d sessions, %d told of an end, %d given away", d.made.Load(), d.closed.Load(), given.Load())
		}
	}
}

// netpoll may end a connection before the task that would start its goroutine: the session
// is told all the same, and the goroutine's descriptor closed.
func TestFirst_DeferredAndNeverTaken(t *testing.T) {
	d := newDoor(t, func(g *guest, _ []byte) { g.Defer() })
	c, peer := d.pair("x")
	if c.spare < 0 {
		t.Fatal("the deferred request has no descriptor for its goroutine")
	}
	c.closed()
	_ = unix.Close(c.fd)
	_ = unix.Close(peer)
	d.empties(0)
	if d.closed.Load() != 1 {
		t.Errorf("the session was told of its end %d times", d.closed.Load())
	}
}

// What netpoll's Shutdown did not see is cut off: its reactor then closes it.
func TestFirst_CutOff(t *testing.T) {
	d := newDoor(t, func(*guest, []byte) {})
	c, peer := d.pair("x")
	d.cutOff()
	var b [1]byte
	if n, err := unix.Read(peer, b[:]); n != 0 || err != nil {
		t.Errorf("the peer reads %d, %v; want the end", n, err)
	}
	c.closed()
	_ = unix.Close(c.fd)
	_ = unix.Close(peer)
	d.empties(0)
}

// pair gives the Edge a connection that has sent text, and leaves it between Accept and
// netpoll.
func (d *door) pair(text string) (c *Conn, peer int) {
	d.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := unix.Write(fds[1], []byte(text)); err != nil {
		d.t.Fatal(err)
	}
	n, err := d.readFirst(fds[0])
	if d.first(fds[0], n, err) {
		d.t.Fatal("the connection does not enter netpoll")
	}
	c = d.entrance.entering
	d.entrance.entering = nil
	return c, fds[1]
}
