package ringbuf

import (
	"fmt"
	"sync/atomic"
)

// Limits of a ring, checked by [NewBroadcast] and [NewMailbox].
const (
	// SizeMin is the least number of slots. One slot would be a rendezvous,
	// not a ring: writer and reader would take turns.
	SizeMin = 2
	// SizeMax is the greatest number of slots. At 16 bytes a slot it is
	// 256 MiB; a reader that far behind needs a log, not a ring.
	SizeMax = 1 << 24
	// ReadersMax is the greatest number of readers. A writer that finds its
	// cached gate used up looks at every reader once, so this bounds that walk.
	// One reader per event loop, one loop per core, leaves ample room.
	ReadersMax = 1024
)

// lineBytes is the distance kept between words that different cores write. A
// cache line is 64 bytes on amd64, but its prefetcher fetches them in pairs,
// and arm64 has 128-byte lines.
const lineBytes = 128

// line keeps its neighbours a whole line apart, however the allocator aligned
// the struct around them.
type line [lineBytes]byte

// slot holds one value and the mark that says which one.
type slot[T any] struct {
	// mark is 0 before first use, else 1 + the sequence of value. Written by
	// the writer that claimed the sequence, read by every reader. 8 bytes.
	mark  atomic.Uint64
	value T
}

// Broadcast is a bounded ring from many writers to a fixed number of readers.
// Every reader sees every value, in one order. Any goroutine may call its
// methods; each [Reader] belongs to one goroutine.
//
// Values stay in their slots until a later lap overwrites them, released or
// not: clearing would need the last of the readers, and to know which one is
// last each would have to touch the others' lines. So a ring keeps up to Size
// values reachable for the garbage collector, for life.
type Broadcast[T any] struct {
	// Set once, by NewBroadcast.
	slots   []slot[T]
	readers []Reader[T]
	_       line

	// claimed is the next sequence to be claimed. Read and advanced by every
	// writer. 8 bytes on a line of its own.
	claimed atomic.Uint64
	_       line

	// gate is a released sequence that no reader is behind: a cached minimum,
	// at times out of date, never too high. Read by every writer, written by
	// one that found it used up, once a lap or so. 8 bytes on a line of its own.
	gate atomic.Uint64
	_    line
}

// NewBroadcast makes a ring of size slots (a power of two, SizeMin to SizeMax)
// for the given number of readers (1 to ReadersMax), all of them at sequence 0.
// Every reader must be served: one that never releases stops all writers when
// the ring has filled.
func NewBroadcast[T any](size, readers int) (*Broadcast[T], error) {
	if size < SizeMin || size > SizeMax || size&(size-1) != 0 {
		return nil, fmt.Errorf("ringbuf: size %d: want a power of two from %d to %d", size, SizeMin, SizeMax)
	}
	if readers < 1 || readers > ReadersMax {
		return nil, fmt.Errorf("ringbuf: %d readers: want 1 to %d", readers, ReadersMax)
	}
	b := &Broadcast[T]{
		slots:   make([]slot[T], size),
		readers: make([]Reader[T], readers),
	}
	for i := range b.readers {
		b.readers[i].slots = b.slots
	}
	return b, nil
}

// TryPublish puts v into the ring and returns its sequence. It never waits and
// never claims a sequence that it cannot publish at once: when the slowest
// reader still holds the slot it returns false, and nothing has changed.
// Values that one goroutine publishes get rising sequences.
func (b *Broadcast[T]) TryPublish(v T) (seq uint64, ok bool) {
	size := uint64(len(b.slots))
	for {
		gate := b.gate.Load()
		seq = b.claimed.Load()
		if gate+size <= seq && b.refreshGate(gate)+size <= seq {
			return 0, false
		}
		// Gates only rise, so the room just seen is still there if the swap
		// succeeds; if another writer was faster, it fails.
		if b.claimed.CompareAndSwap(seq, seq+1) {
			break
		}
	}
	s := &b.slots[seq&(size-1)]
	s.value = v
	s.mark.Store(seq + 1)
	return seq, true
}

// refreshGate returns the lowest released sequence of all readers and caches
// it when it is not the cached one. Two writers may store in the wrong order;
// the older minimum is still a safe one, and costs another walk at most.
func (b *Broadcast[T]) refreshGate(cached uint64) uint64 {
	slowest := b.readers[0].released.Load()
	for i := 1; i < len(b.readers); i++ {
		slowest = min(slowest, b.readers[i].released.Load())
	}
	if slowest != cached {
		b.gate.Store(slowest)
	}
	return slowest
}

// Reader returns the reader with index i, from 0. It is the same one each
// time, and it belongs to one goroutine; handing it to another needs a
// happens-before edge between the two.
func (b *Broadcast[T]) Reader(i int) *Reader[T] { return &b.readers[i] }

// Published returns the next sequence to be claimed, which is the number of
// values published so far; the last few may still be on their way.
func (b *Broadcast[T]) Published() uint64 { return b.claimed.Load() }

// Size returns the number of slots.
func (b *Broadcast[T]) Size() int { return len(b.slots) }

// Readers returns the number of readers.
func (b *Broadcast[T]) Readers() int { return len(b.readers) }

// Lag returns how many slots reader i holds, from 0 to Size: published and not
// yet released by it. It is a snapshot, for gauges and for shedding load.
func (b *Broadcast[T]) Lag(i int) int {
	released := b.readers[i].released.Load() // first: claimed never falls behind it
	return int(min(b.claimed.Load()-released, uint64(len(b.slots))))
}
