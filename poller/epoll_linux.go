package poller

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eventsMax is how many events one Wait reports at most: a turn of a loop stays short,
// and what is not reported now is reported by the next Wait.
const eventsMax = 256

// wakeToken is the eventfd's own; no table has so many slots.
const wakeToken = Token(1<<64 - 1)

// Epoll is the Poller of the Linux kernel. Descriptors are armed once, edge triggered
// (epoll(7)), and an eventfd, edge triggered too so that it is never read, wakes it.
type Epoll struct {
	fd     int
	wakeFD int
	events [eventsMax]unix.EpollEvent
}

// NewEpoll opens an epoll instance and its eventfd.
func NewEpoll() (*Epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("poller: epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("poller: eventfd: %w", err)
	}
	e := &Epoll{fd: fd, wakeFD: wake}
	if err := e.control(unix.EPOLL_CTL_ADD, wake, wakeToken, unix.EPOLLIN|unix.EPOLLET); err != nil {
		_ = e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Epoll) control(op, fd int, t Token, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(t)), Pad: int32(uint32(t >> 32))}
	if err := unix.EpollCtl(e.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("poller: watching descriptor %d: %w", fd, err)
	}
	return nil
}

// Add implements Poller.
func (e *Epoll) Add(fd int, t Token) error {
	return e.control(unix.EPOLL_CTL_ADD, fd, t, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET)
}

// Mod implements Poller.
func (e *Epoll) Mod(fd int, t Token) error {
	return e.control(unix.EPOLL_CTL_MOD, fd, t, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET)
}

// Remove implements Poller.
func (e *Epoll) Remove(fd int) error {
	if err := unix.EpollCtl(e.fd, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("poller: removing descriptor %d: %w", fd, err)
	}
	return nil
}

// Wait implements Poller. A wait of 0 is a raw system call: it returns at once, so
// the scheduler need not hear of it.
func (e *Epoll) Wait(dst []Event, timeoutMs int) (int, error) {
	size := min(len(dst), eventsMax)
	var n int
	if timeoutMs == 0 {
		r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd),
			uintptr(unsafe.Pointer(&e.events[0])), uintptr(size), 0, 0, 0)
		if errno != 0 {
			return 0, waitError(errno)
		}
		n = int(r)
	} else {
		var err error
		if n, err = unix.EpollWait(e.fd, e.events[:size], timeoutMs); err != nil {
			return 0, waitError(err)
		}
	}
	filled := 0
	for i := range e.events[:n] {
		ev := &e.events[i]
		t := Token(uint32(ev.Fd)) | Token(uint32(ev.Pad))<<32
		if t == wakeToken {
			continue
		}
		dst[filled] = Event{Token: t, Flags: flagsOf(ev.Events)}
		filled++
	}
	return filled, nil
}

func waitError(err error) error {
	if err == unix.EINTR {
		return nil
	}
	return fmt.Errorf("poller: epoll_wait: %w", err)
}

func flagsOf(events uint32) Flags {
	var f Flags
	if events&unix.EPOLLIN != 0 {
		f |= Readable
	}
	if events&unix.EPOLLOUT != 0 {
		f |= Writable
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 {
		f |= Hangup
	}
	if events&unix.EPOLLERR != 0 {
		f |= Failed
	}
	return f
}

var one = [8]byte{1}

// Wake implements Poller. A counter that is full has a wake pending already.
func (e *Epoll) Wake() error {
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(e.wakeFD), uintptr(unsafe.Pointer(&one[0])), 8)
	if errno != 0 && errno != unix.EAGAIN {
		return fmt.Errorf("poller: waking a loop: %w", errno)
	}
	return nil
}

// WriteMany implements Poller, by one system call a write.
func (e *Epoll) WriteMany(sends []Send) { writeEach(sends) }

func writeEach(sends []Send) {
	for i := range sends {
		s := &sends[i]
		s.N, s.Err = Kernel{}.Write(int(s.FD), s.P)
	}
}

// Close implements Poller.
func (e *Epoll) Close() error {
	_ = unix.Close(e.wakeFD)
	return unix.Close(e.fd)
}
