package poller

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kernel is the Net of the Linux kernel. Its calls never wait, so they are raw system
// calls: the Go scheduler is not told, which saves two atomic hand-offs each.
type Kernel struct{}

// Read implements Net.
func (Kernel) Read(fd int, dst []byte) (int, error) {
	if len(dst) == 0 {
		return 0, ErrAgain
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(dst))), uintptr(len(dst)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return 0, ErrAgain
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, ErrEOF
		default:
			return int(n), nil
		}
	}
}

// Write implements Net. MSG_NOSIGNAL: a peer that went is an error, not a signal.
func (Kernel) Write(fd int, p []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return sent(n, errno)
		}
	}
}

// Writev implements Net by sendmsg(2), which takes MSG_NOSIGNAL and writev(2) does not.
func (Kernel) Writev(fd int, ps [][]byte) (int, error) {
	if len(ps) > WritevMax {
		return 0, fmt.Errorf("poller: %d slices in one Writev; at most %d are taken", len(ps), WritevMax)
	}
	var vec [WritevMax]unix.Iovec
	used := 0
	for _, p := range ps {
		if len(p) == 0 {
			continue
		}
		vec[used].Base = unsafe.SliceData(p)
		vec[used].SetLen(len(p))
		used++
	}
	msg := unix.Msghdr{Iov: &vec[0]}
	msg.SetIovlen(used)
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno != unix.EINTR {
			return sent(n, errno)
		}
	}
}

func sent(n uintptr, errno unix.Errno) (int, error) {
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN:
		return 0, ErrAgain
	default:
		return 0, errno
	}
}

// ShutdownWrite implements Net.
func (Kernel) ShutdownWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

// Close implements Net.
func (Kernel) Close(fd int) error { return unix.Close(fd) }

// Failure implements Net by SO_ERROR.
func (Kernel) Failure(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return err
	case code != 0:
		return unix.Errno(code)
	}
	return nil
}

// soPeerName is SO_PEERNAME, which golang.org/x/sys does not name. It is getpeername(2) for
// sockets that are not connected any more too.
const soPeerName = 28

// Peer implements Net.
func (Kernel) Peer(fd int) netip.Addr {
	var six unix.RawSockaddrInet6
	if peerName(fd, unsafe.Pointer(&six), unix.SizeofSockaddrInet6) && six.Family == unix.AF_INET6 {
		return netip.AddrFrom16(six.Addr).Unmap()
	}
	var four unix.RawSockaddrInet4
	if peerName(fd, unsafe.Pointer(&four), unix.SizeofSockaddrInet4) && four.Family == unix.AF_INET {
		return netip.AddrFrom4(four.Addr)
	}
	return netip.Addr{}
}

// peerName wants the size of the address to be no more than it is.
func peerName(fd int, name unsafe.Pointer, size uint32) bool {
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, soPeerName,
		uintptr(name), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0
}

// Outstanding implements Net.
func (Kernel) Outstanding(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.SIOCOUTQ) }

// Acknowledged implements Net by TCP_INFO, into memory of its own: this is asked by loops,
// which do not allocate.
func (Kernel) Acknowledged(fd int) (uint64, error) {
	var info unix.TCPInfo
	size := uint32(unix.SizeofTCPInfo)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return info.Bytes_acked, nil
}

// PeerGone tells whether err is the peer's own doing (it closed or reset) rather than a fault
// of this node or of the way to the peer.
func PeerGone(err error) bool {
	switch err {
	case ErrEOF, unix.EPIPE, unix.ECONNRESET, unix.ECONNABORTED:
		return true
	}
	return errors.Is(err, ErrPeer)
}

// TimedOut tells whether err says that the peer has not acknowledged anything for too long:
// the kernel's time-out is over (TCP_USER_TIMEOUT), and a router may have said why.
func TimedOut(err error) bool {
	switch err {
	case unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH:
		return true
	}
	return errors.Is(err, ErrTimeout)
}
