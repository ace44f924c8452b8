package sock

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// pair is a connection made by Connect and its other end.
func pair(t *testing.T, d Dial) (int, *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d.Target = l.Addr().(*net.TCPAddr).AddrPort()
	fd, err := Connect(d)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	return fd, peer
}

func TestConnect_FromTheSource(t *testing.T) {
	source := netip.MustParseAddr("127.0.0.77")
	fd, peer := pair(t, Dial{Source: source, RcvBuf: 4096, NoDelay: true})
	defer Close(fd)
	remote := peer.RemoteAddr().(*net.TCPAddr).AddrPort()
	port, err := LocalPort(fd)
	if remote.Addr() != source || int(remote.Port()) != port || err != nil {
		t.Errorf("the peer sees %v, the port is %d, %v", remote, port, err)
	}
}

func TestConnect_NobodyListens(t *testing.T) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	fd, err := Connect(Dial{Target: addr})
	if err != nil {
		return // told at once
	}
	defer Close(fd)
	if _, err := Write(fd, []byte("x")); err == nil || err == ErrAgain {
		t.Errorf("a write to nobody: %v", err)
	}
}

func TestReset_IsSeenAsReset(t *testing.T) {
	fd, peer := pair(t, Dial{})
	if err := Reset(fd); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Read(make([]byte, 1)); !IsReset(err) {
		t.Errorf("the peer reads %v", err)
	}
}

func TestShutdownWrite_ReadingGoesOn(t *testing.T) {
	fd, peer := pair(t, Dial{})
	defer Close(fd)
	if err := ShutdownWrite(fd); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer reads %v", err)
	}
	if _, err := Read(fd, make([]byte, 1)); err != ErrAgain {
		t.Errorf("nothing was sent yet: %v", err)
	}
	_, err := peer.Write([]byte("x"))
	if err = errors.Join(err, peer.Close()); err != nil {
		t.Fatal(err)
	}
	e := newEpoll(t)
	if err := e.Add(fd, 3, 4, true, false); err != nil {
		t.Fatal(err)
	}
	ready := await(t, e)
	if ready.Slot != 3 || ready.Gen != 4 || !ready.Readable || !ready.Hangup || ready.Writable {
		t.Errorf("%+v", ready)
	}
	if n, err := Read(fd, make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := Read(fd, make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func newEpoll(t *testing.T) *Epoll {
	t.Helper()
	e, err := NewEpoll(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// await waits for one report.
func await(t *testing.T, e *Epoll) Ready {
	t.Helper()
	for {
		got, err := e.Wait(nil, int64(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 {
			return got[0]
		}
	}
}

func TestEpoll_ModReportsAnew(t *testing.T) {
	fd, _ := pair(t, Dial{})
	defer Close(fd)
	e := newEpoll(t)
	if err := e.Add(fd, 1, 1, true, false); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Wait(nil, 0); len(got) != 0 || err != nil {
		t.Errorf("%+v, %v: nothing is ready", got, err)
	}
	if err := e.Mod(fd, 1, 2, true, true); err != nil {
		t.Fatal(err)
	}
	if got := await(t, e); !got.Writable || got.Readable || got.Gen != 2 {
		t.Errorf("%+v", got)
	}
}

func TestEpoll_DeadlineEndsTheWait(t *testing.T) {
	e := newEpoll(t)
	for range 2 { // the timer runs more than once
		deadline := int64(time.Since(e.epoch) + 2*time.Millisecond)
		for int64(time.Since(e.epoch)) < deadline {
			if got, err := e.Wait(nil, deadline); len(got) != 0 || err != nil {
				t.Fatalf("%+v, %v", got, err)
			}
		}
	}
}

func TestTerminate_NobodyThere(t *testing.T) {
	if err := Terminate(1 << 30); err == nil {
		t.Error("a process that is not there was told to end")
	}
	if err := Nice(0); err != nil {
		t.Errorf("nice 0 in process %d: %v", os.Getpid(), err)
	}
}
