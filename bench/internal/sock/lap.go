package sock

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Lap is a round of what a server of short connections does: to be connected to, accept, read,
// write and close, over loopback, client and server in one thread. How long it takes is how fast
// the machine is at that.
type Lap struct {
	listener int
	addr     unix.SockaddrInet4
	buf      [lapBytes]byte
}

// lapBytes is the size of a request and of its answer.
const lapBytes = 256

// NewLap prepares the rounds.
func NewLap() (*Lap, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("sock: socket: %w", err)
	}
	l := &Lap{listener: fd, addr: unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}}
	if err := l.listen(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lap) listen() error {
	if err := unix.Bind(l.listener, &l.addr); err != nil {
		return fmt.Errorf("sock: bind: %w", err)
	}
	if err := unix.Listen(l.listener, 1); err != nil {
		return fmt.Errorf("sock: listen: %w", err)
	}
	name, err := unix.Getsockname(l.listener)
	if err != nil {
		return fmt.Errorf("sock: getsockname: %w", err)
	}
	l.addr.Port = name.(*unix.SockaddrInet4).Port
	return nil
}

// Round is one connection, with a request and an answer. It ends with a RST: nothing of it
// remains.
func (l *Lap) Round() error {
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("sock: socket: %w", err)
	}
	if err := unix.Connect(client, &l.addr); err != nil {
		return errors.Join(fmt.Errorf("sock: connect: %w", err), unix.Close(client))
	}
	server, _, err := unix.Accept4(l.listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return errors.Join(fmt.Errorf("sock: accept: %w", err), unix.Close(client))
	}
	return errors.Join(l.pass(client, server), l.pass(server, client), Reset(client), unix.Close(server))
}

func (l *Lap) pass(from, to int) error {
	if _, err := unix.Write(from, l.buf[:]); err != nil {
		return fmt.Errorf("sock: write: %w", err)
	}
	if _, err := unix.Read(to, l.buf[:]); err != nil {
		return fmt.Errorf("sock: read: %w", err)
	}
	return nil
}

// Close ends it.
func (l *Lap) Close() error { return unix.Close(l.listener) }

// Processors are those that the calling thread may use.
func Processors() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("sock: sched_getaffinity: %w", err)
	}
	var all []int
	for cpu := 0; len(all) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	return all, nil
}

// Stay keeps the calling goroutine's thread on one processor, for good: it ends with its goroutine.
func Stay(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("sock: sched_setaffinity: %w", err)
	}
	return nil
}
