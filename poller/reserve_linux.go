package poller

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// exhaustedPause is how long the acceptor waits when there is not even the reserve
// descriptor left: it neither spins nor stops, and asks again.
const exhaustedPause = 5 * time.Millisecond

// reserve is a descriptor for whoever comes when no other is left: it is closed, the connection
// accepted, answered, and its descriptor made the reserve.
//
// Between the first two, another part of the process may take the number and keep it. An Edge's
// own connections may not (dup), and of what is free again the reserve comes first (refuse, dup):
// else a node full of streams would answer nobody until one of them goes.
type reserve struct {
	mu       sync.Mutex
	listener int // what the reserve is a copy of, -1 after end: any open file does, and no other is needed
	fd       int // -1: lost
	lost     atomic.Bool
}

func (r *reserve) begin(listener int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener, r.fd = listener, -1
	r.take()
}

// end gives it back, before the listener is closed: a copy would keep it open.
func (r *reserve) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd >= 0 {
		_ = unix.Close(r.fd)
	}
	r.listener, r.fd = -1, -1
	r.lost.Store(false)
}

// take makes a reserve, if there is a descriptor. The caller holds mu.
func (r *reserve) take() bool {
	fd, err := unix.FcntlInt(uintptr(r.listener), unix.F_DUPFD_CLOEXEC, 3)
	r.lost.Store(err != nil)
	if err != nil {
		return false
	}
	r.fd = fd
	return true
}

// keep makes fd the reserve, in one step that closes what it was (dup(2)). The caller holds mu.
func (r *reserve) keep(fd int) {
	if err := unix.Dup3(r.listener, fd, unix.O_CLOEXEC); err != nil {
		_ = unix.Close(fd)
		r.take()
		return
	}
	r.fd = fd
	r.lost.Store(false)
}

// dup is another descriptor of the same file. There is none while the reserve is lost.
func (r *reserve) dup(fd int) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err == nil && r.fd < 0 && r.listener >= 0 {
		r.keep(own)
		return -1, unix.EMFILE
	}
	return own, err
}

// exhausted deals with one connection for which there is no descriptor. It may be that
// nobody waits: the kernel looks for a descriptor before it looks into the queue.
func (l *Listener) exhausted() {
	if !l.answerByReserve() {
		time.Sleep(exhaustedPause)
	}
}

// answerByReserve says whether there is a reserve afterwards.
func (l *Listener) answerByReserve() bool {
	r := &l.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener < 0 {
		return true
	}
	if r.fd >= 0 {
		_ = unix.Close(r.fd)
		r.fd = -1
	}
	fd, _, err := l.accept()
	if err != nil {
		if err != unix.EAGAIN {
			l.Exhausted()
		}
		return r.take()
	}
	l.turnAway(fd)
	return true
}

// refuse makes the descriptor of a new connection the reserve that was lost, unless there is one.
func (l *Listener) refuse(fd int) bool {
	r := &l.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd >= 0 || r.listener < 0 {
		return false
	}
	l.turnAway(fd)
	return true
}

// turnAway answers a connection and makes its descriptor the reserve. The caller holds the
// reserve's mu.
func (l *Listener) turnAway(fd int) {
	l.Exhausted()
	n, _ := l.edge.readFirst(fd)
	answer := l.Refusal(l.edge.entrance.first[:n])
	readOn(fd)
	_, _ = Kernel{}.Write(fd, answer)
	l.reserve.keep(fd)
}
