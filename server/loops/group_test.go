package loops

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"throng/internal/obs"
	"throng/internal/simio"
	"throng/poller"
	"throng/replay"
	"throng/ringbuf"
	"throng/sse"
)

// party is a started Group on real sockets, with publishers and readers of its own
// goroutines: here the loops meet the others at the mailbox, the ring and the baton.
type party struct {
	*testing.T
	g       *Group
	ns      *Namespace
	publish sync.Mutex // one committer at a time, as the loops want it
	events  int        // that will be published
}

func newParty(t *testing.T, wait ringbuf.Strategy, loops, events int) *party {
	t.Helper()
	o := calm().Options
	o.Loops, o.Wait, o.Random, o.Clock = loops, wait, rand.Uint32, ClockFrom(time.Now())
	o.NewPoller = func() (poller.Poller, error) { return poller.NewEpoll() }
	o.Net, o.Log = poller.Kernel{}, slog.New(slog.DiscardHandler)
	o.Lags, o.Broadcasts, o.Turns = obs.NewHistogram(), obs.NewHistogram(), obs.NewHistogram()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	log, err := replay.NewMemory(replay.MemoryDefaults()).Open("party")
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	return &party{T: t, g: g, ns: g.NewNamespace(0, "party", log), events: events}
}

func TestGroup_ServesRealSockets(t *testing.T) {
	const readers, publishers = 24, 3
	for _, c := range []struct {
		name        string
		wait        ringbuf.Strategy
		loops, each int // a loop that never sleeps wants a core of its own
	}{
		{"block", ringbuf.Block, 2, 400}, {"sleep", ringbuf.Sleep, 2, 400}, {"yield", ringbuf.Yield, 1, 100}, {"spin", ringbuf.Spin, 1, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newParty(t, c.wait, c.loops, publishers*c.each)
			var all sync.WaitGroup
			for i := range readers {
				first := p.attach(FromEarliest, sse.ID{})
				all.Go(func() { p.read(i, first) })
			}
			for range publishers {
				all.Go(func() {
					for range c.each {
						p.emit()
					}
				})
			}
			all.Wait()
			last := p.attach(FromNow, sse.ID{})
			p.g.Stop()
			if _, err := io.Copy(io.Discard, last); err != nil { // to its end
				t.Error(err)
			}
			last.Close()
			if n := p.g.Rows(); n != 0 {
				t.Errorf("%d rows after Stop", n)
			}
		})
	}
}

// emit takes one event through the log into the ring.
func (p *party) emit() {
	p.publish.Lock()
	defer p.publish.Unlock()
	batch := []replay.Record{{Event: &sse.Event{Topics: []string{"news"}, Data: []byte("tick")}}}
	if err := p.ns.Log.Append(context.Background(), batch); err != nil {
		p.Error(err)
		return
	}
	e := Entry{Event: batch[0].Event, NS: p.ns, At: p.g.o.Clock()}
	if !p.g.TryPublish(e) && !p.g.AwaitSpace(func() bool { return p.g.TryPublish(e) }, time.Now().Add(20*time.Second)) {
		p.Error("no room in the ring for 20 s")
	}
	p.g.NudgeFor(p.ns)
}

// attach makes a connection and hands its one end over.
func (p *party) attach(from From, id sse.ID) net.Conn {
	p.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		p.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[1]), "client")
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		p.Fatal(err)
	}
	p.g.Attach(fds[0], &Attach{NS: p.ns, Topics: []string{"news", "#"}, From: from, ID: id, Requested: id.String()})
	return conn
}

// read follows the stream to its last event, over several connections. Every event must
// come once, in order.
func (p *party) read(reader int, conn net.Conn) {
	seen := uint64(0)
	var last sse.ID
	for seen < uint64(p.events) {
		n, err := p.follow(conn, &seen, &last, 1+(reader*37)%p.events)
		conn.Close()
		if err != nil {
			p.Errorf("reader %d after %d events: %v", reader, seen, err)
			return
		}
		if n == 0 {
			p.Errorf("reader %d: a connection without an event after %v", reader, last)
			return
		}
		if seen < uint64(p.events) {
			conn = p.attach(FromID, last)
		}
	}
}

// follow reads up to most events of one connection.
func (p *party) follow(conn net.Conn, seen *uint64, last *sse.ID, most int) (n int, err error) {
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0, err
	}
	d := sse.NewDecoder(conn, sse.Limits{})
	for n < most && *seen < uint64(p.events) {
		m, err := d.Next()
		if err != nil {
			return n, err
		}
		if m.Kind != sse.KindEvent {
			continue
		}
		id, err := sse.ParseID(m.ID)
		if err != nil || id.Minor != *seen+1 || string(m.Data) != "tick" {
			return n, fmt.Errorf("after %d events came %s %q", *seen, m.ID, m.Data)
		}
		*seen, *last = id.Minor, id
		n++
	}
	return n, nil
}

// A caller that must not wait is told when a mailbox is full, keeps its descriptor, and
// may come back where it may wait; what it has left is served when it says so, once.
func TestGroup_TryAttachDoesNotWait(t *testing.T) {
	s := calm()
	s.MailboxMax = 4
	r := newRig(t, s)
	ns := r.space("default")
	r.publish(ns, []string{"news"}, "old")
	r.settle()
	try := func(refused bool) (bool, *simio.Peer) {
		fd, peer := r.connect()
		ok := false
		if refused {
			ok = r.g.TryRefuse(fd, []byte("no"), nil)
		} else {
			ok = r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"news"}, From: FromEarliest})
		}
		if !ok {
			_ = r.k.Close(fd) // it is still the caller's
		}
		return ok, peer
	}
	l := r.g.Loops()[0]
	l.patience(false) // it goes to sleep
	var peers []*simio.Peer
	for i := range 4 {
		ok, peer := try(i == 3)
		if !ok {
			t.Fatalf("hand-over %d was not taken", i)
		}
		peers = append(peers, peer)
	}
	for _, refused := range []bool{false, true} {
		if ok, _ := try(refused); ok {
			t.Errorf("refused %v: a full mailbox took another one", refused)
		}
	}
	if n := r.g.Rows(); n != 4 {
		t.Errorf("%d rows are counted while 4 wait", n)
	}
	for _, peer := range peers {
		if got := peer.Received(); len(got) > 0 {
			t.Errorf("somebody wrote %q before he was asked to", got)
		}
	}
	r.g.Nudge()
	for i, peer := range peers {
		if got := string(peer.Received()); i < 3 != strings.Contains(got, "data: old") || i == 3 && got != "no" {
			t.Errorf("hand-over %d got %q", i, got)
		}
	}
	r.stop()
}
