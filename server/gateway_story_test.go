package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/breaker"
	"throng/internal/obs"
	"throng/internal/simio"
	"throng/poller"
	"throng/replay"
	"throng/ringbuf"
	"throng/server/loops"
	"throng/sse"
)

// TestGateway_Stories runs every story of testdata/gateway, on a kernel that is not there and
// in a time that nobody waits for. A line that starts with > is a command (gatewayPlay.do),
// one that starts with # is the teller's, the others are what came of the command above them:
// its answer, and what was logged. With -rewrite they are written anew; then read the diff.
func TestGateway_Stories(t *testing.T) {
	files, err := filepath.Glob("testdata/gateway/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			synctest.Test(t, func(t *testing.T) { got = tellGateway(t, string(want)) })
			switch {
			case *rewrite:
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			case !bytes.Equal(got, want):
				t.Errorf("the story went otherwise:\n%s", got)
			}
		})
	}
}

func tellGateway(t *testing.T, story string) []byte {
	p := newGatewayPlay(t)
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		switch command, ok := strings.CutPrefix(line, "> "); {
		case ok:
			fmt.Fprintln(&p.out, line)
			p.do(strings.Fields(command))
		case line == "" || line[0] == '#':
			fmt.Fprintln(&p.out, line)
		}
	}
	p.stop()
	return p.out.Bytes()
}

// gatewayPlay is the world of a story: two loops, the gateways, and clients by their names.
type gatewayPlay struct {
	*testing.T
	out     bytes.Buffer
	k       *simio.Kernel
	group   *loops.Group
	gates   *gateways
	ns      *loops.Namespace
	clients map[string]*simio.Peer
}

func newGatewayPlay(t *testing.T) *gatewayPlay {
	p := &gatewayPlay{T: t, k: simio.New(1, simio.Options{}), clients: make(map[string]*simio.Peer)}
	o := Defaults()
	log := slog.New(slog.NewTextHandler(&p.out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}}))
	p.gates = newGateways(&o, breaker.NewBoard(log, func(breaker.Layer, breaker.State) {}))
	lo := loops.Options{
		Loops: 2, NewPoller: func() (poller.Poller, error) { return p.k.NewPoller(), nil }, Net: p.k, Clock: p.k.Now,
		Random: func() uint32 { return 0 }, Wait: ringbuf.Block, Log: slog.New(slog.DiscardHandler),
		RowsMax: 256, RingEvents: 1024, MailboxMax: 256, PinnedMax: 64, TurnWritesMax: 256, ClientBytesMax: 1 << 10, LingerBytesMax: 1 << 10,
		Heartbeat: o.Heartbeat, StallTimeout: o.StallTimeout, LingerTimeout: o.LingerTimeout, RetryMs: 3000,
		Lags: obs.NewHistogram(), Broadcasts: obs.NewHistogram(), Turns: obs.NewHistogram(),
	}
	p.gates.listen(&lo)
	var err error
	if p.group, err = loops.New(lo); err != nil {
		t.Fatal(err)
	}
	mo := replay.MemoryDefaults()
	mo.Epoch = 1
	events, err := replay.NewMemory(mo).Open("default")
	if err != nil {
		t.Fatal(err)
	}
	p.ns = p.group.NewNamespace(0, "default", events)
	return p
}

// do runs one command:
//
//	attach NAME ADDRESS [TOPIC]   asks for a stream, of a client that reads; NAME*N makes N, at addresses that follow
//	stall | resume NAME      it stops reading, with room for 200 bytes; it goes on
//	cut NAME                 the way to it is cut: the kernel takes what it is sent, and nobody acknowledges it
//	drain NAME N             a client to which the way is slow, or was cut, has acknowledged N bytes more
//	reset | vanish NAME      it ends the connection; it is out of reach, and the kernel has given up
//	unwritable | writable NAME   writes to it fail for a reason of this machine, or no longer
//	publish [N]              an event of N bytes, 1 unless told
//	pass DURATION            time goes by
//	state                    how the circuit stands
func (p *gatewayPlay) do(args []string) {
	switch args[0] {
	case "publish":
		size := 1
		if len(args) > 1 {
			p.scan(args[1], &size)
		}
		p.publish(size)
	case "pass":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			p.Fatal(err)
		}
		p.pass(d)
	case "state":
		p.state()
	default:
		name, count, many := strings.Cut(args[1], "*")
		if !many {
			p.client(args[0], name, args[2:], 0)
			break
		}
		n := 0
		p.scan(count, &n)
		for i := range n {
			p.client(args[0], fmt.Sprint(name, i+1), args[2:], i)
		}
	}
	p.settle()
}

func (p *gatewayPlay) scan(word string, n *int) {
	if _, err := fmt.Sscan(word, n); err != nil {
		p.Fatal(err)
	}
}

func (p *gatewayPlay) client(do, name string, args []string, i int) {
	c := p.clients[name]
	if c == nil && do != "attach" {
		fmt.Fprintf(&p.out, "%s has no stream\n", name)
		return
	}
	switch do {
	case "attach":
		a := netip.MustParseAddr(args[0])
		for range i {
			a = a.Next()
		}
		p.attach(name, a, append(args[1:], "all")[0])
	case "cut":
		c.Stall()
	case "drain":
		n := 0
		p.scan(args[0], &n)
		c.Drain(n)
	case "stall":
		c.Stall()
		c.SetWindow(200)
	case "resume":
		c.Resume()
	case "reset":
		c.Reset()
	case "vanish":
		c.Vanish()
	case "unwritable", "writable":
		c.FailWrites(do == "unwritable")
	default:
		p.Fatalf("no such command: %s", do)
	}
}

func (p *gatewayPlay) attach(name string, a netip.Addr, topic string) {
	trial, after, ok := p.gates.admit(p.ns)
	if !ok {
		fmt.Fprintf(&p.out, "%s is refused, for %v\n", name, after.Round(time.Second))
		return
	}
	if trial != 0 {
		fmt.Fprintf(&p.out, "%s is on trial\n", name)
	}
	fd, peer, err := p.k.Connect()
	if err != nil {
		p.Fatal(err)
	}
	peer.SetAddress(a)
	p.clients[name] = peer
	p.group.Attach(fd, &loops.Attach{NS: p.ns, Topics: []string{topic}, Head: []byte("HTTP/1.1 200 OK\r\n\r\n"), Trial: trial})
}

func (p *gatewayPlay) publish(size int) {
	batch := []replay.Record{{Event: &sse.Event{Topics: []string{"all"}, Data: bytes.Repeat([]byte("x"), size)}}}
	if err := p.ns.Log.Append(context.Background(), batch); err != nil {
		p.Fatal(err)
	}
	if !p.group.TryPublish(loops.Entry{Event: batch[0].Event, NS: p.ns, At: p.k.Now()}) {
		p.Fatal("the ring is full")
	}
}

// settle turns until the loops have nothing to do.
func (p *gatewayPlay) settle() {
	for quiet := 0; quiet < 3; quiet++ {
		for _, l := range p.group.Loops() {
			if l.Turn(0) {
				quiet = 0
			}
		}
	}
}

func (p *gatewayPlay) pass(d time.Duration) {
	for ; d > 0; d -= 250 * time.Millisecond {
		p.k.Advance(250 * time.Millisecond)
		time.Sleep(250 * time.Millisecond)
		p.gates.board.Look()
		p.settle()
	}
}

func (p *gatewayPlay) state() {
	closed := make(map[string]uint64)
	streams := 0
	for _, l := range p.group.Loops() {
		f := l.Figures()
		streams += f.Streams
		for i, n := range f.Closed {
			closed[loops.Reason(i).String()] += n
		}
	}
	fmt.Fprintf(&p.out, "%d streams, closed by stalled %d, write %d, peer %d", streams, closed["stalled"], closed["write"], closed["peer"])
	for _, s := range p.gates.board.Statuses() {
		fmt.Fprintf(&p.out, "; %s, %d in a row", s.State, s.Numbers.InARow)
	}
	fmt.Fprintln(&p.out)
}

func (p *gatewayPlay) stop() {
	p.group.Drain(time.Millisecond)
	p.settle()
	p.pass(time.Second)
	p.group.Stop()
	p.k.Check(p.T)
}
