package poller

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastDataAt is where TCP_INFO has tcpi_last_data_recv (linux/tcp.h), its milliseconds
// since data came last; the kernel writes no more than it has room for.
const lastDataAt = 52

// Age is how long ago the last bytes of the client came, be it that they waited for the
// connection to be accepted or for the reactor: for a request that is served as soon as it
// is read, how long it waited. The kernel counts it in its ticks, of 1 to 10 ms. It is a
// system call (tcp(7), TCP_INFO); 0 where it fails.
func (c *Conn) Age() time.Duration {
	var info [lastDataAt + 4]byte
	size := uint32(len(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(c.socket()), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || size < uint32(len(info)) {
		return 0
	}
	return time.Duration(*(*uint32)(unsafe.Pointer(&info[lastDataAt]))) * time.Millisecond
}
