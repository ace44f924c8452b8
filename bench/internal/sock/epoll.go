package sock

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Ready is one readiness report: the two words given at Add, and what is ready.
// Readable is set for data, a FIN and an error alike: the next Read tells which. Hangup
// is set for a FIN and an error: no further report will come for what follows the data.
type Ready struct {
	Slot, Gen uint32
	Readable  bool
	Hangup    bool
	Writable  bool
}

// Epoll is an edge triggered epoll set of one goroutine, with a timer in it. After a
// report, a descriptor must be read until a Read that fills less than its buffer, with
// Hangup until the end or an error, and written until ErrAgain. A Mod reports anew.
type Epoll struct {
	fd     int
	timer  int
	events []unix.EpollEvent
	armed  int64 // the time.Duration since epoch the timer stands at; 0 when it does not run
	epoch  time.Time
}

// timerSlot marks the timer's own reports.
const timerSlot = ^uint32(0)

// readyMax bounds the reports of one Wait. A smaller number makes more calls, a larger
// one lets the last descriptor of a burst wait longer for nothing.
const readyMax = 512

// NewEpoll makes an empty set. Deadlines of Wait count from epoch.
func NewEpoll(epoch time.Time) (*Epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	e := &Epoll{fd: fd, timer: timer, events: make([]unix.EpollEvent, readyMax), epoch: epoch}
	if err := e.control(unix.EPOLL_CTL_ADD, timer, timerSlot, 0, true, false); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Add registers a descriptor for reading, writing or both.
func (e *Epoll) Add(fd int, slot, gen uint32, read, write bool) error {
	return e.control(unix.EPOLL_CTL_ADD, fd, slot, gen, read, write)
}

// Mod changes what is asked for.
func (e *Epoll) Mod(fd int, slot, gen uint32, read, write bool) error {
	return e.control(unix.EPOLL_CTL_MOD, fd, slot, gen, read, write)
}

func (e *Epoll) control(op, fd int, slot, gen uint32, read, write bool) error {
	ev := unix.EpollEvent{Fd: int32(slot), Pad: int32(gen), Events: unix.EPOLLET}
	if read {
		ev.Events |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if write {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(e.fd, op, fd, &ev)
}

// Wait fills dst with what is ready, at the latest at the deadline (nanoseconds since
// the epoch; a passed one never waits). The timer's own firing is not reported.
func (e *Epoll) Wait(dst []Ready, deadline int64) ([]Ready, error) {
	timeout := -1
	if deadline <= int64(time.Since(e.epoch)) {
		timeout = 0
	} else if err := e.arm(deadline); err != nil {
		return dst, err
	}
	n, err := unix.EpollWait(e.fd, e.events, timeout)
	if err == unix.EINTR {
		return dst, nil
	}
	if err != nil {
		return dst, err
	}
	for _, ev := range e.events[:n] {
		if uint32(ev.Fd) == timerSlot {
			if err := e.fired(); err != nil {
				return dst, err
			}
			continue
		}
		const hangup = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
		dst = append(dst, Ready{
			Slot:     uint32(ev.Fd),
			Gen:      uint32(ev.Pad),
			Readable: ev.Events&(unix.EPOLLIN|hangup) != 0,
			Hangup:   ev.Events&hangup != 0,
			Writable: ev.Events&unix.EPOLLOUT != 0,
		})
	}
	return dst, nil
}

func (e *Epoll) arm(deadline int64) error {
	if e.armed == deadline {
		return nil
	}
	left := max(deadline-int64(time.Since(e.epoch)), 1)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(left)}
	if err := unix.TimerfdSettime(e.timer, 0, &spec, nil); err != nil {
		return err
	}
	e.armed = deadline
	return nil
}

func (e *Epoll) fired() error {
	var count [8]byte
	e.armed = 0
	if _, err := Read(e.timer, count[:]); err != nil && err != ErrAgain {
		return err
	}
	return nil
}

// Close closes the set and its timer; the descriptors in it stay open.
func (e *Epoll) Close() error {
	return errors.Join(unix.Close(e.timer), unix.Close(e.fd))
}
