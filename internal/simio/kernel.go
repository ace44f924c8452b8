package simio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"throng/poller"
)

// Errors a socket call can give besides poller.ErrAgain and poller.ErrEOF. The names in
// brackets are what Linux would say.
var (
	ErrReset = fmt.Errorf("simio: connection reset (ECONNRESET): %w", poller.ErrPeer)
	ErrPipe  = fmt.Errorf("simio: broken pipe (EPIPE): %w", poller.ErrPeer)
	// ErrTimeout is what a socket fails with whose client has vanished.
	ErrTimeout = fmt.Errorf("simio: connection timed out (ETIMEDOUT): %w", poller.ErrTimeout)
	// ErrNoBuffers is the machine's own fault.
	ErrNoBuffers = errors.New("simio: no buffer space available (ENOBUFS)")
	// ErrNotConnected is what ShutdownWrite gives after a reset.
	ErrNotConnected = errors.New("simio: socket is not connected (ENOTCONN)")
	ErrFiles        = errors.New("simio: too many open files (EMFILE)")
	// ErrBadFD and ErrInvalid are always recorded as a mistake too, except for a Wake
	// that comes after its Poller's Close.
	ErrBadFD   = errors.New("simio: bad file descriptor (EBADF)")
	ErrInvalid = errors.New("simio: invalid argument (EINVAL)")
)

// Calls counts what was asked of a Kernel since New.
type Calls struct {
	Read, Write, Writev, ShutdownWrite, Close, Add, Mod, Remove, Wait uint64
	// WriteMany counts batches; each of their writes counts as a Write too.
	WriteMany uint64

	Again    uint64 // answers that were ErrAgain
	BytesIn  uint64 // given out by Read
	BytesOut uint64 // accepted by Write and Writev
}

// Kernel is the machine: descriptors, sockets, clock and dice. It implements poller.Net.
// One goroutine at a time uses it.
type Kernel struct {
	opt   Options
	seed  uint64
	rng   *rand.Rand
	calls Calls
	print uint64 // running hash of calls and answers
	storm int    // calls that will still be refused

	now   int64 // ns
	later agenda
	seq   uint64 // entries ever put on the agenda

	fds     fdTable
	socks   []socket // pointer-free; a slot is free once both ends are closed
	freed   []uint32 // free slots of socks
	pollers []*Poller
	sinks   []Sink
	bufs    buffers
	addrs   map[uint32]netip.Addr // by slot, where it is not the slot's own

	mistakes     []string
	mistakeCount int
}

// New makes a kernel whose whole fate is seed and o. Print the seed when a test fails;
// Check does.
func New(seed uint64, o Options) *Kernel {
	o = o.withDefaults()
	return &Kernel{
		opt: o, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x7468726f6e67)),
		fds:   newFDTable(o.FDsMax),
		socks: make([]socket, 0, o.FDsMax),
		bufs:  newBuffers(),
		addrs: make(map[uint32]netip.Addr),
	}
}

// Seed is what New was given.
func (k *Kernel) Seed() uint64 { return k.seed }

// Calls gives the counts so far.
func (k *Kernel) Calls() Calls { return k.calls }

// Open is the number of descriptors open now.
func (k *Kernel) Open() int { return k.fds.open }

// Fingerprint is a hash of every call of a Poller or Net so far, its answer and its
// time. Two runs of one seed that differ in it were not the same run.
func (k *Kernel) Fingerprint() uint64 { return k.print }

// Connect makes a connected pair: fd is the server's end, p the client's. It gives
// ErrFiles when no descriptor is free or the dice say so.
func (k *Kernel) Connect() (fd int, p *Peer, err error) {
	if k.chance(k.opt.Files) {
		return -1, nil, ErrFiles
	}
	var slot uint32
	if n := len(k.freed); n > 0 {
		slot = k.freed[n-1]
	} else {
		slot = uint32(len(k.socks))
	}
	if fd = k.fds.take(slot); fd < 0 {
		return -1, nil, ErrFiles
	}
	if n := len(k.freed); n > 0 {
		k.freed = k.freed[:n-1]
	} else {
		k.socks = append(k.socks, socket{})
	}
	s := &k.socks[slot]
	s.fd, s.window = int32(fd), uint32(k.opt.SendBufferBytes)
	return fd, &Peer{k: k, slot: slot, gen: s.gen}, nil
}

// SetCost changes what calls cost from now on: the machine has become slower, or faster.
func (k *Kernel) SetCost(c Costs) { k.opt.Cost = c }

// chance throws the dice, and only if there is something to decide: a calm kernel's
// run does not depend on its seed.
func (k *Kernel) chance(p float64) bool { return p > 0 && k.rng.Float64() < p }

// operations, as the fingerprint knows them.
const (
	opRead = iota + 1
	opWrite
	opWritev
	opShutdown
	opClose
	opAdd
	opMod
	opRemove
	opWait
	opFailure
)

// note adds a call and its answer to the fingerprint.
func (k *Kernel) note(op, fd, answer int) {
	const prime = 0x100000001b3
	for _, v := range [...]uint64{uint64(op), uint64(fd), uint64(answer), uint64(k.now)} {
		k.print = (k.print ^ v) * prime
		k.print ^= k.print >> 29
	}
}
