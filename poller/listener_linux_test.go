package poller

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The client's address is told where that is asked for, as an IPv4 address also where the
// socket is an IPv6 one, and nowhere else.
func TestListener_TellsWhoComes(t *testing.T) {
	for _, c := range []struct {
		listen, dial string
		named        bool
		want         netip.Addr
	}{
		{"127.0.0.1:0", "127.0.0.1", true, netip.MustParseAddr("127.0.0.1")},
		{"127.0.0.1:0", "127.0.0.1", false, netip.Addr{}},
		{"[::1]:0", "::1", true, netip.MustParseAddr("::1")},
		{"[::]:0", "127.0.0.1", true, netip.MustParseAddr("127.0.0.1")},
	} {
		l, err := Listen(c.listen, ListenOptions{Addresses: c.named})
		if err != nil {
			t.Logf("%s: %v; this host has no IPv6", c.listen, err)
			continue
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		w, err := net.Dial("tcp", net.JoinHostPort(c.dial, port))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil { // or it is kept from the queue for a second
			t.Fatal(err)
		}
		fd, from, err := l.accept()
		for end := time.Now().Add(patience); err == unix.EAGAIN && time.Now().Before(end); time.Sleep(time.Millisecond) {
			fd, from, err = l.accept()
		}
		if err != nil || from != c.want {
			t.Errorf("%+v: accepted from %v, %v", c, from, err)
		}
		_ = unix.Close(fd)
		_ = w.Close()
		_ = l.Close()
	}
}

func TestProcessorTime_Grows(t *testing.T) {
	before, err := ProcessorTime()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if now, _ := ProcessorTime(); now > before {
			return
		}
	}
	t.Error("a busy process uses no processor time")
}
