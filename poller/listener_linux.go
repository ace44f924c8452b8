package poller

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// acceptBacklog is the listen(2) queue asked for; the kernel caps it at
	// net.core.somaxconn. A reconnect storm waits in it.
	acceptBacklog = 65535
	// silenceSeconds is TCP_DEFER_ACCEPT: a connection is accepted when its first bytes are
	// there, or after this time without any. 1 is the least there is.
	silenceSeconds = 1
)

// ListenOptions are set on the listening socket; Linux hands all of them down to the
// accepted ones (sk_clone), which saves their system calls for every connection.
type ListenOptions struct {
	SendBufferBytes int           // SO_SNDBUF; 0 leaves the kernel's autotuning
	UserTimeout     time.Duration // TCP_USER_TIMEOUT: sent data unacknowledged for so long ends the connection; 0: the kernel's
	Addresses       bool          // Admit is given the client's address, which the kernel must copy out for each; set on no socket
}

// Listener accepts for an Edge and its netpoll (early_linux.go). It sheds before anything
// is allocated, and it holds a reserve descriptor: with none left, the reserve is given up
// for the moment it takes to accept a connection and refuse it in words, and its descriptor
// is the reserve then (reserve_linux.go).
//
// Accept is called by netpoll's reactor; Close by anyone.
type Listener struct {
	fd      int
	addr    net.Addr
	edge    *Edge
	named   bool // ListenOptions.Addresses
	closed  atomic.Bool
	taken   atomic.Uint64 // connections accepted
	reserve reserve
	asked   chan struct{} // closed when netpoll has begun to serve
	askOnce sync.Once

	// Admit is asked once per accepted connection and says whether it may be served, and
	// if it may not, why. If it may, NewSession is called for it next. from is the zero
	// Addr unless ListenOptions.Addresses is set. first is what the client has sent already,
	// up to firstBytesMax, and has been read; here and below it is valid during the call, and
	// may be written to.
	Admit func(from netip.Addr, first []byte) (why int, ok bool)
	// Shed takes over a descriptor that may not; it owns and closes it.
	Shed func(fd, why int, first []byte)
	// Exhausted is told when a connection could not be accepted for want of descriptors.
	Exhausted func()
	// Refusal is what a connection that only the reserve could accept is told.
	Refusal func(first []byte) []byte
}

// Listen binds address ("host:port"; port 0 lets the kernel choose) and listens. The
// address is never shared: a second Listen on it fails.
func Listen(address string, o ListenOptions) (*Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w; host:port is expected", address, err)
	}
	family, sa := sockaddr(tcp)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil && tcp.IP == nil { // every address, on a host without IPv6
		sa = &unix.SockaddrInet4{Port: tcp.Port}
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: socket: %w", address, err)
	}
	if err := prepare(fd, sa, o); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: getsockname: %w", address, err)
	}
	l := &Listener{fd: fd, addr: net.TCPAddrFromAddrPort(addrPort(bound)), named: o.Addresses, asked: make(chan struct{})}
	l.reserve.begin(fd)
	return l, nil
}

func prepare(fd int, sa unix.Sockaddr, o ListenOptions) error {
	type option struct{ level, name, value int }
	options := []option{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}, {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, silenceSeconds},
	}
	if o.SendBufferBytes > 0 {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBufferBytes})
	}
	if o.UserTimeout > 0 {
		options = append(options, option{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(o.UserTimeout.Milliseconds())})
	}
	for _, s := range options {
		if err := unix.SetsockoptInt(fd, s.level, s.name, s.value); err != nil {
			return fmt.Errorf("setsockopt(%d, %d, %d): %w", s.level, s.name, s.value, err)
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return err
	}
	return unix.Listen(fd, acceptBacklog)
}

func sockaddr(a *net.TCPAddr) (int, unix.Sockaddr) {
	if ip := a.IP.To4(); ip != nil {
		return unix.AF_INET, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
	}
	s := &unix.SockaddrInet6{Port: a.Port}
	copy(s.Addr[:], a.IP)
	return unix.AF_INET6, s
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port))
	}
	return netip.AddrPort{}
}

// peer is an accepted socket in the shape netpoll asks for. Only Fd and the two
// addresses are ever called; the embedded net.Conn is nil.
type peer struct {
	net.Conn
	fd    int
	local net.Addr
}

func (p *peer) Fd() int              { return p.fd }
func (p *peer) LocalAddr() net.Addr  { return p.local }
func (p *peer) RemoteAddr() net.Addr { return anyAddr{} }

// anyAddr stands for a client's address, which nobody asks for: the kernel need not
// copy it out for every connection.
type anyAddr struct{}

func (anyAddr) Network() string { return "tcp" }
func (anyAddr) String() string  { return "client" }

// accept is accept4(2), with the client's address where that is asked for. It never waits.
func (l *Listener) accept() (fd int, from netip.Addr, err error) {
	if fd, from, err = l.acceptOne(); err == nil {
		l.taken.Add(1)
	}
	return fd, from, err
}

func (l *Listener) acceptOne() (fd int, from netip.Addr, err error) {
	if l.named {
		return acceptFrom(l.fd)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l.fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, from, errno
	}
	return int(n), from, nil
}

func acceptFrom(listener int) (fd int, from netip.Addr, err error) {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, from, errno
	}
	switch sa.Addr.Family {
	case unix.AF_INET:
		from = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&sa)).Addr)
	case unix.AF_INET6:
		from = netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&sa)).Addr).Unmap()
	}
	return int(n), from, nil
}

// Accepted is how many connections were accepted, those that were shed included.
func (l *Listener) Accepted() uint64 { return l.taken.Load() }

// refusedBytesMax is how much is read of who is refused without a lingering close.
const refusedBytesMax = 256 << 10

// RefuseNow answers on a descriptor that cannot be kept for a lingering close, and closes
// it: what the client has sent so far is read, so that a FIN follows and not a reset.
func RefuseNow(fd int, answer []byte) {
	readOn(fd)
	LastWords(fd, answer)
}

func readOn(fd int) {
	var scratch [4096]byte
	for n := 0; n < refusedBytesMax; {
		more, err := Kernel{}.Read(fd, scratch[:])
		if err != nil {
			break
		}
		n += more
	}
}

// LastWords answers on a descriptor whose client has sent all that it will before it has
// its answer, and closes it: nothing unread is left, so that a FIN follows and not a reset.
func LastWords(fd int, answer []byte) {
	_, _ = Kernel{}.Write(fd, answer)
	_ = unix.Close(fd)
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.reserve.end()
	return unix.Close(l.fd)
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// Fd is the listening descriptor, for netpoll, which asks for it under the lock that its
// Shutdown takes too.
func (l *Listener) Fd() int {
	l.askOnce.Do(func() { close(l.asked) })
	return l.fd
}
