package sock

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ErrAgain says that the call would have to wait.
var ErrAgain = errors.New("sock: would block")

// Dial describes one outgoing connection.
type Dial struct {
	Source  netip.Addr     // IPv4 address to bind; the port is the kernel's choice at connect
	Target  netip.AddrPort // IPv4
	RcvBuf  int            // SO_RCVBUF in bytes, set before connect so the window is small from the start; 0 leaves the default
	NoDelay bool           // TCP_NODELAY
}

// Connect starts a connection and returns its non-blocking descriptor at once. On
// loopback the handshake is usually over when it returns; a Write that gets ErrAgain
// must wait for Writable. A refusal shows as the error of the first Write or Read.
func Connect(d Dial) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("sock: socket: %w", err)
	}
	if err := connect(fd, d); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func connect(fd int, d Dial) error {
	if d.RcvBuf > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, d.RcvBuf); err != nil {
			return fmt.Errorf("sock: SO_RCVBUF: %w", err)
		}
	}
	if d.NoDelay {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return fmt.Errorf("sock: TCP_NODELAY: %w", err)
		}
	}
	if d.Source.IsValid() {
		// The port is picked at connect, by the whole four-tuple: 28,000 ports per
		// source and target instead of per source.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return fmt.Errorf("sock: IP_BIND_ADDRESS_NO_PORT: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: d.Source.As4()}); err != nil {
			return fmt.Errorf("sock: bind %v: %w", d.Source, err)
		}
	}
	sa := &unix.SockaddrInet4{Addr: d.Target.Addr().As4(), Port: int(d.Target.Port())}
	if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("sock: connect %v from %v: %w", d.Target, d.Source, err)
	}
	return nil
}

// LocalPort is the descriptor's own port.
func LocalPort(fd int) (int, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	in4, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		return 0, errors.New("sock: not an IPv4 socket")
	}
	return in4.Port, nil
}

// Read returns n > 0, or ErrAgain, io.EOF, or the system's error.
func Read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, ErrAgain
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write sends what the socket takes: 0 < n <= len(p), or ErrAgain, or the system's error.
// A dead peer never raises SIGPIPE.
func Write(fd int, p []byte) (int, error) {
	for {
		n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, ErrAgain
		}
		return 0, err
	}
}

// ShutdownWrite sends the FIN; reading goes on.
func ShutdownWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

// Close closes the descriptor.
func Close(fd int) error { return unix.Close(fd) }

// Reset closes with a RST in place of a FIN: SO_LINGER with a time of zero.
func Reset(fd int) error {
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		_ = unix.Close(fd)
		return err
	}
	return unix.Close(fd)
}

// IsReset says whether an error of Read or Write means that the peer reset the connection.
func IsReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// Terminate sends SIGTERM to one process.
func Terminate(pid int) error { return unix.Kill(pid, unix.SIGTERM) }

// Nice sets the nice value of the calling thread, which its goroutine should have locked.
// Below zero it lets a client's clock run on time beside the client's other threads, and
// needs CAP_SYS_NICE.
func Nice(value int) error { return unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), value) }
