package poller

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"throng/internal/invariant"
)

// Uring is an Epoll whose WriteMany submits its writes in batches through an io_uring
// (io_uring(7)): one system call for as many as the ring takes, where a write each costs
// the way into the kernel and back. docs/decisions/0013 has the numbers.
//
// Every write carries MSG_DONTWAIT, so the kernel completes it while it takes it in: a
// batch is over when its system call returns, no buffer stays with the kernel, and the
// order of the batch is the order of the writes.
type Uring struct {
	*Epoll
	fd      int
	rings   []byte // mapped: heads, tails and completions
	entries []byte // mapped: the submissions
	sqes    []uringSubmission
	cqes    []uringCompletion
	sqHead  *uint32 // written by the kernel
	sqTail  *uint32
	cqHead  *uint32
	cqTail  *uint32 // written by the kernel
	cqMask  uint32
	plain   bool // the ring has failed: plain writes from now on
}

// uringEntries is how many writes one system call makes: at 64 the way into the kernel
// is a hundredth of them, and the thread is away from Go's scheduler for some 300 us.
const uringEntries = 64

// batchMin is from how many writes on a batch is worth its way through the ring.
const batchMin = 4

// From linux/io_uring.h.
const (
	uringOpSend      = 26
	uringOffSQRing   = 0
	uringOffSQEs     = 0x10000000
	uringEnterEvents = 1 // IORING_ENTER_GETEVENTS
	uringSingleMap   = 1 // IORING_FEAT_SINGLE_MMAP, Linux 5.4
)

// uringSubmission is struct io_uring_sqe.
type uringSubmission struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	len, msgFlags uint32
	userData      uint64
	_             [24]byte
}

// uringCompletion is struct io_uring_cqe.
type uringCompletion struct {
	userData uint64
	res      int32
	flags    uint32
}

// uringParams is struct io_uring_params.
type uringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// NewUring opens an epoll instance and a ring, and proves the ring by a batch to a socket
// of its own. The error says why the kernel does not let us: too old, forbidden by
// kernel.io_uring_disabled, or by the container's seccomp filter.
func NewUring() (*Uring, error) {
	e, err := NewEpoll()
	if err != nil {
		return nil, err
	}
	u := &Uring{Epoll: e, fd: -1}
	if err = u.open(); err == nil {
		err = u.prove()
	}
	if err != nil {
		_ = u.Close()
		return nil, err
	}
	return u, nil
}

func (u *Uring) open() error {
	var p uringParams
	r, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uringEntries, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return fmt.Errorf("poller: io_uring_setup: %w", errno)
	}
	u.fd = int(r)
	if p.features&uringSingleMap == 0 {
		return fmt.Errorf("poller: this kernel's io_uring lacks IORING_FEAT_SINGLE_MMAP; Linux 5.4 or newer has it")
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(uringCompletion{})))
	var err error
	if u.rings, err = unix.Mmap(u.fd, uringOffSQRing, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return fmt.Errorf("poller: mapping the rings: %w", err)
	}
	bytes := int(p.sqEntries) * int(unsafe.Sizeof(uringSubmission{}))
	if u.entries, err = unix.Mmap(u.fd, uringOffSQEs, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return fmt.Errorf("poller: mapping the submissions: %w", err)
	}
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&u.rings[offset])) }
	u.sqHead, u.sqTail, u.cqHead, u.cqTail = at(p.sq.head), at(p.sq.tail), at(p.cq.head), at(p.cq.tail)
	u.cqMask = *at(p.cq.mask)
	u.sqes = unsafe.Slice((*uringSubmission)(unsafe.Pointer(&u.entries[0])), p.sqEntries)
	u.cqes = unsafe.Slice((*uringCompletion)(unsafe.Pointer(&u.rings[p.cq.cqes])), p.cqEntries)
	for i, order := range unsafe.Slice(at(p.sq.array), p.sqEntries) {
		if order != 0 {
			return fmt.Errorf("poller: entry %d of a new io_uring is in use", i)
		}
		*at(p.sq.array + uint32(i)*4) = uint32(i)
		u.sqes[i] = uringSubmission{opcode: uringOpSend, msgFlags: unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL}
	}
	return nil
}

// prove sends a batch to a socket pair: some kernels let a ring be made and refuse its
// use.
func (u *Uring) prove() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("poller: socketpair: %w", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	sends := make([]Send, batchMin)
	for i := range sends {
		sends[i] = Send{FD: int32(pair[0]), P: []byte{byte('0' + i)}}
	}
	u.WriteMany(sends)
	if u.plain {
		return fmt.Errorf("poller: the kernel takes no batches through its io_uring")
	}
	var got [batchMin + 1]byte
	n, err := unix.Read(pair[1], got[:])
	if err != nil || string(got[:n]) != "0123" {
		return fmt.Errorf("poller: a batch through io_uring gave %q, %v where 0123 was sent", got[:max(n, 0)], err)
	}
	return nil
}

// WriteMany implements Poller.
func (u *Uring) WriteMany(sends []Send) {
	for len(sends) >= batchMin && !u.plain {
		n := min(len(sends), len(u.sqes))
		taken := u.batch(sends[:n])
		sends = sends[taken:]
		if taken < n {
			break
		}
	}
	writeEach(sends)
}

// batch makes as many of the writes as the kernel takes, and says how many.
func (u *Uring) batch(sends []Send) int {
	tail := *u.sqTail
	for i := range sends {
		s := &sends[i]
		e := &u.sqes[(tail+uint32(i))%uint32(len(u.sqes))]
		e.fd = s.FD
		e.addr = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s.P))))
		e.len = uint32(len(s.P))
		e.userData = uint64(i)
		s.N, s.Err = 0, nil
	}
	atomic.StoreUint32(u.sqTail, tail+uint32(len(sends)))
	taken := u.enter(len(sends), tail)
	u.reap(sends, taken)
	runtime.KeepAlive(sends)
	return taken
}

// enter submits n entries from tail on. What the kernel does not take is taken back.
func (u *Uring) enter(n int, tail uint32) int {
	done := 0
	for done < n {
		r, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), uintptr(n-done), 0, 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 || r == 0 {
			// EAGAIN and EBUSY: the kernel has no memory for requests at the moment.
			// Anything else will not pass.
			u.plain = errno != unix.EAGAIN && errno != unix.EBUSY
			atomic.StoreUint32(u.sqTail, atomic.LoadUint32(u.sqHead))
			return int(atomic.LoadUint32(u.sqHead) - tail)
		}
		done += int(r)
	}
	return done
}

// reap takes n completions.
func (u *Uring) reap(sends []Send, n int) {
	head := *u.cqHead
	for range n {
		for head == atomic.LoadUint32(u.cqTail) {
			// A kernel that defers a completion: fetch it. It can't be long in coming,
			// since the write itself does not wait.
			_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), 0, 1, uringEnterEvents, 0, 0)
			invariant.Check(errno == 0 || errno == unix.EINTR, "completions of an io_uring that took the writes")
		}
		c := &u.cqes[head&u.cqMask]
		s := &sends[c.userData]
		switch {
		case c.res >= 0:
			s.N = int(c.res)
		case unix.Errno(-c.res) == unix.EINTR:
			s.N, s.Err = Kernel{}.Write(int(s.FD), s.P)
		default:
			s.N, s.Err = sent(0, unix.Errno(-c.res))
		}
		head++
	}
	atomic.StoreUint32(u.cqHead, head)
}

// Close implements Poller.
func (u *Uring) Close() error {
	for _, m := range [][]byte{u.entries, u.rings} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	if u.fd >= 0 {
		_ = unix.Close(u.fd)
	}
	return u.Epoll.Close()
}
