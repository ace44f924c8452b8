package poller_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"throng/internal/simio/contract"
	"throng/poller"
)

// The loops are proved on a kernel that is not there (internal/simio). This is the proof
// that the real one behaves alike: epoll and socket calls over TCP on loopback.
func TestEpoll_KeepsContract(t *testing.T) {
	keepsContract(t, func() (poller.Poller, error) { return poller.NewEpoll() })
}

func TestUring_KeepsContract(t *testing.T) {
	u, err := poller.NewUring()
	if err != nil {
		t.Skip("this kernel does not let us:", err)
	}
	must(t, "Close", u.Close())
	keepsContract(t, func() (poller.Poller, error) { return poller.NewUring() })
}

func keepsContract(t *testing.T, open func() (poller.Poller, error)) {
	contract.Run(t, func(t *testing.T) contract.Harness {
		p, err := open()
		must(t, "opening the poller", err)
		t.Cleanup(func() { must(t, "Close of the poller", p.Close()) })
		l := listen(t)
		return contract.Harness{Net: poller.Kernel{}, Poller: p, Calm: true, Connect: func() (int, contract.Client) {
			return connect(t, l)
		}}
	})
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// listen opens a listener on a free port of the loopback.
func listen(t *testing.T) (fd int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, "socket", err)
	t.Cleanup(func() { must(t, "close of the listener", unix.Close(fd)) })
	must(t, "bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, "listen", unix.Listen(fd, 16))
	return fd
}

// connect makes a connection to the listener; its descriptor is the server's end.
func connect(t *testing.T, listener int) (int, contract.Client) {
	t.Helper()
	c := &client{t: t}
	var err error
	c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, "socket", err)
	t.Cleanup(c.Close)
	address, err := unix.Getsockname(listener)
	must(t, "getsockname", err)
	must(t, "connect", unix.Connect(c.fd, address))
	fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	must(t, "accept4", err)
	must(t, "TCP_NODELAY", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	return fd, c
}

// client is a socket whose calls wait.
type client struct {
	t      *testing.T
	fd     int
	closed bool
}

func (c *client) Send(b []byte) {
	c.t.Helper()
	for len(b) > 0 {
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		must(c.t, "the client's send", err)
		b = b[n:]
	}
}

func (c *client) Read(max int) []byte {
	c.t.Helper()
	b := make([]byte, max)
	n, err := unix.Read(c.fd, b)
	if err == unix.ECONNRESET || n == 0 {
		return nil
	}
	must(c.t, "the client's read", err)
	return b[:n]
}

func (c *client) CloseWrite() {
	c.t.Helper()
	must(c.t, "the client's shutdown", unix.Shutdown(c.fd, unix.SHUT_WR))
}

func (c *client) Close() {
	c.t.Helper()
	if c.closed {
		return
	}
	c.closed = true
	must(c.t, "the client's close", unix.Close(c.fd))
}

func (c *client) Reset() {
	c.t.Helper()
	must(c.t, "SO_LINGER", unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	c.Close()
}
