package sock

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"

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

// Pair is a connected pair of stream sockets: a descriptor like those of Connect, and a
// file to give to a child process.
func Pair() (fd int, child *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, fmt.Errorf("sock: socketpair: %w", err)
	}
	if err := Adopt(pair[0]); err != nil {
		return -1, nil, errors.Join(err, unix.Close(pair[0]), unix.Close(pair[1]))
	}
	return pair[0], os.NewFile(uintptr(pair[1]), "pair"), nil
}

// Adopt makes a socket that came from elsewhere one that Read and Write may use.
func Adopt(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("sock: descriptor %d: %w", fd, err)
	}
	return nil
}

// FilesMax is how many descriptors this process may have at once.
func FilesMax() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("sock: RLIMIT_NOFILE: %w", err)
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}

// Monotonic is the kernel's monotonic clock, ns: the same in every process of the machine.
func Monotonic() (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("sock: CLOCK_MONOTONIC: %w", err)
	}
	return t.Nano(), nil
}
