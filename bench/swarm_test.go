package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// heardBytes is a handler that keeps what it is told.
type heardBytes struct {
	got   []byte
	err   error
	fault error // answered to every read
}

func (h *heardBytes) received(_ *conn, p []byte) error {
	h.got = append(h.got, p...)
	return h.fault
}

func (h *heardBytes) gone(_ *conn, err error) { h.err = err }

// testSwarm is a swarm and a listener to connect to.
func testSwarm(t *testing.T) (*swarm, *net.TCPListener, netip.AddrPort) {
	t.Helper()
	w, err := newSwarm(time.Now(), 3)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	return w, l, l.Addr().(*net.TCPAddr).AddrPort()
}

func await(t *testing.T, w *swarm, what string, done func() bool) {
	t.Helper()
	if err := w.until(context.Background(), what, 10*time.Second, done); err != nil {
		t.Fatal(err)
	}
}

// joined connects h and returns both ends.
func joined(t *testing.T, w *swarm, l *net.TCPListener, d dial, h handler) (*conn, *net.TCPConn) {
	t.Helper()
	c, err := w.connect(h, d, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	var hello [5]byte
	if _, err := io.ReadFull(peer, hello[:]); err != nil || string(hello[:]) != "hello" {
		t.Fatalf("%q, %v", hello, err)
	}
	return c, peer
}

func TestSwarm_SourcesTakeTurns(t *testing.T) {
	w, l, addr := testSwarm(t)
	seen := map[string]bool{}
	for range 3 {
		_, peer := joined(t, w, l, dial{target: addr}, &heardBytes{})
		seen[peer.RemoteAddr().(*net.TCPAddr).IP.String()] = true
	}
	if len(seen) != 3 || w.open != 3 {
		t.Errorf("%v, %d open", seen, w.open)
	}
}

func TestSwarm_PeerClosesAndResets(t *testing.T) {
	w, l, addr := testSwarm(t)
	for _, linger := range []int{-1, 0} {
		var h heardBytes
		c, peer := joined(t, w, l, dial{target: addr}, &h)
		if _, err := peer.Write([]byte("bye")); err != nil {
			t.Fatal(err)
		}
		await(t, w, "bytes", func() bool { return len(h.got) == 3 })
		if err := errors.Join(peer.SetLinger(linger), peer.Close()); err != nil {
			t.Fatal(err)
		}
		await(t, w, "the end", func() bool { return h.err != nil })
		if h.err != io.EOF || c.fd != -1 || w.open != 0 {
			t.Errorf("linger %d: %v, fd %d, %d open", linger, h.err, c.fd, w.open)
		}
	}
}

func TestSwarm_FaultResetsTheConnection(t *testing.T) {
	w, l, addr := testSwarm(t)
	h := heardBytes{fault: errForeign}
	_, peer := joined(t, w, l, dial{target: addr}, &h)
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	await(t, w, "the fault", func() bool { return h.err != nil })
	if w.faultCount != 1 || len(w.faults) != 1 || h.err != errFault {
		t.Errorf("%d faults %q, %v", w.faultCount, w.faults, h.err)
	}
}

// A slot that is used again must not receive what belonged to the one before.
func TestSwarm_ClosedConnectionHearsNothing(t *testing.T) {
	w, l, addr := testSwarm(t)
	var old, young heardBytes
	c, peer := joined(t, w, l, dial{target: addr}, &old)
	if _, err := peer.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	slot := c.slot
	c.close()
	next, nextPeer := joined(t, w, l, dial{target: addr}, &young)
	if next.slot != slot || next.gen == c.gen {
		t.Fatalf("slot %d then %d, generation %d then %d", slot, next.slot, c.gen, next.gen)
	}
	if _, err := nextPeer.Write([]byte("mine")); err != nil {
		t.Fatal(err)
	}
	await(t, w, "bytes", func() bool { return len(young.got) == 4 })
	if string(young.got) != "mine" || len(old.got) != 0 || old.err != nil {
		t.Errorf("%q, %q, %v", young.got, old.got, old.err)
	}
}

func TestSwarm_DeafUntilHear(t *testing.T) {
	w, l, addr := testSwarm(t)
	var h heardBytes
	c, peer := joined(t, w, l, dial{target: addr, rcvBuf: 4096, deaf: true}, &h)
	if _, err := peer.Write([]byte("waiting")); err != nil {
		t.Fatal(err)
	}
	if err := w.sleep(context.Background(), w.now()+int64(20*time.Millisecond)); err != nil || len(h.got) != 0 {
		t.Fatalf("a deaf connection has read %q, %v", h.got, err)
	}
	if err := c.hear(); err != nil {
		t.Fatal(err)
	}
	await(t, w, "bytes", func() bool { return string(h.got) == "waiting" })
}

func TestSwarm_SendKeepsWhatDoesNotFit(t *testing.T) {
	w, l, addr := testSwarm(t)
	c, peer := joined(t, w, l, dial{target: addr}, &heardBytes{})
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than two socket buffers
	if err := errors.Join(c.send(want), c.send([]byte("end"))); err != nil {
		t.Fatal(err)
	}
	if len(c.out) == 0 {
		t.Fatal("the socket took 16 MiB at once")
	}
	want = append(want, "end"...)
	var got []byte
	buf := make([]byte, 1<<20)
	for len(got) < len(want) {
		if err := w.turn(w.now() + int64(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := peer.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := peer.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, want) || len(c.out) != 0 {
		t.Errorf("%d bytes of %d arrived changed, %d left", len(got), len(want), len(c.out))
	}
}

func TestSwarm_UntilEndsWithItsContext(t *testing.T) {
	w, _, _ := testSwarm(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.until(ctx, "nothing", time.Hour, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := w.until(context.Background(), "nothing", 0, func() bool { return false }); err == nil {
		t.Error("no error after the limit")
	}
}
