// Package poller is the only room that knows descriptors: epoll, eventfd, socket
// calls, memory mapped tables and the edge to netpoll. It knows no HTTP and no events.
//
// Two seams let a fake kernel (internal/simio) stand in for the real one: Poller
// (readiness) and Net (socket calls). Whoever writes a loop is written against them.
package poller

import (
	"errors"
	"net/netip"
)

// Token names a registered descriptor: a table slot in the low half, the slot's
// generation in the high half. It is never a pointer. A token whose generation has
// passed is stale; whoever receives one drops it. The token of all ones is reserved.
type Token uint64

// MakeToken packs slot and generation.
func MakeToken(slot, gen uint32) Token { return Token(slot) | Token(gen)<<32 }

// Slot gives the table slot.
func (t Token) Slot() uint32 { return uint32(t) }

// Gen gives the slot's generation at the time of Add.
func (t Token) Gen() uint32 { return uint32(t >> 32) }

// Flags are readiness bits, a subset of epoll's.
type Flags uint32

// Readiness bits. Hangup is the peer's FIN (EPOLLRDHUP) or a dead socket (EPOLLHUP).
const (
	Readable Flags = 1 << iota
	Writable
	Hangup
	Failed
)

// Event is one readiness report.
type Event struct {
	Token Token
	Flags Flags
}

// Poller is the kernel as one loop uses it by itself: readiness, edge triggered, and
// writes to many sockets at once.
//
// Add, Mod, Remove, Wait and WriteMany are called by one goroutine at a time; Wake by
// anyone, and all but Remove by another goroutine while one is inside Wait.
// An Add arms Readable and Hangup, a Mod arms Writable too. Each reports the current
// state as an edge, if it has one of the armed bits. A new socket is always writable, so
// arming Writable from the start would wake the loop once for nothing for every
// connection. After Remove no event for the descriptor is returned by a later Wait.
type Poller interface {
	Add(fd int, t Token) error
	Mod(fd int, t Token) error
	Remove(fd int) error
	// Wait fills dst, which must not be empty, and returns how many it filled.
	// timeoutMs < 0 waits without limit, 0 never waits. A Wake ends it early with 0
	// or more events; wakes are merged.
	Wait(dst []Event, timeoutMs int) (int, error)
	// WriteMany makes every write, in order, each as by Net.Write, and fills in what came
	// of it. When it returns, nothing is under way any more. It never waits.
	WriteMany(sends []Send)
	Wake() error
	Close() error
}

// Send is one write of a WriteMany.
type Send struct {
	P   []byte // what to send; not empty, and on the heap: the kernel is told its address
	FD  int32
	Tag uint32 // the caller's own
	N   int    // out: bytes taken
	Err error  // out: as of Net.Write
}

// Errors of Net. They are compared with ==; no other error of Net wraps them.
var (
	// ErrAgain: the call would have to wait; an edge will tell when to try again.
	ErrAgain = errors.New("poller: would block")
	// ErrEOF: the peer has finished sending.
	ErrEOF = errors.New("poller: end of stream")
	// ErrPeer is what another Net's errors wrap when the peer is their cause.
	ErrPeer = errors.New("poller: the peer went")
	// ErrTimeout is what they wrap when the peer has not answered for too long.
	ErrTimeout = errors.New("poller: the peer does not answer")
)

// Net is the socket calls a loop makes. None of them waits. A descriptor belongs to
// one goroutine at a time.
type Net interface {
	// Read returns n > 0, or ErrAgain, ErrEOF, or the system's error.
	Read(fd int, dst []byte) (int, error)
	// Write sends what the socket takes: 0 < n <= len(p), or ErrAgain, or the error.
	Write(fd int, p []byte) (int, error)
	// Writev is Write over several slices (at most WritevMax) in one system call.
	Writev(fd int, ps [][]byte) (int, error)
	// ShutdownWrite sends the FIN; reading goes on.
	ShutdownWrite(fd int) error
	Close(fd int) error
	// Failure takes the error that a Failed event tells of; nil: there is none. Whoever
	// takes it is the only one to be told.
	Failure(fd int) error
	// Peer is the address of the other end, also of a socket that has failed; the zero Addr
	// where the kernel does not know it.
	Peer(fd int) netip.Addr
	// Outstanding is how many of the bytes written the other end has not acknowledged.
	Outstanding(fd int) (int, error)
	// Acknowledged is how many bytes the other end has acknowledged so far, give or take a
	// constant.
	Acknowledged(fd int) (uint64, error)
}

// WritevMax is the number of slices Writev takes at most (below the kernel's IOV_MAX
// of 1,024; more per call brings nothing once a socket buffer is full).
const WritevMax = 64
