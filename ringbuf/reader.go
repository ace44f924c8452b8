package ringbuf

import "sync/atomic"

// Reader is one reader's place in a [Broadcast]. Only its owner may call it,
// save Released, which any goroutine may.
//
// It has two positions: how far it can read (Available) and how far it has let
// go (Released). Between them lies what it may still look at, so a reader can
// run ahead and keep a stretch of history for whoever lags behind it, at the
// price of the room writers have.
type Reader[T any] struct {
	// Owner only.
	slots []slot[T]
	// available is the sequence up to which marks were found in place.
	available uint64
	_         line

	// released is the sequence below which slots may be overwritten. Written
	// by the owner, read by a writer that looks for room. 8 bytes on a line
	// of its own.
	released atomic.Uint64
	_        line
}

// Available returns the sequence below which everything is published and
// readable, without a hole. It looks at each newly published slot once, and at
// a single one when there is nothing new. It never falls.
func (r *Reader[T]) Available() uint64 {
	mask := uint64(len(r.slots)) - 1
	next := r.available
	for r.slots[next&mask].mark.Load() == next+1 {
		next++
	}
	r.available = next
	return next
}

// At returns the value with sequence seq, which must lie between Released and
// what Available last returned; anything else is a mistake of the caller and
// panics. The pointer is valid until seq is released: after that a writer may
// be overwriting what it points at. The value is shared with the other readers
// and must not be changed.
func (r *Reader[T]) At(seq uint64) *T {
	if seq >= r.available || seq < r.released.Load() {
		panic("ringbuf: At outside of what the reader holds")
	}
	return &r.slots[seq&uint64(len(r.slots)-1)].value
}

// Release lets go of all slots below upTo, for writers to overwrite. A position
// that was released before changes nothing; one beyond what Available last
// returned is a mistake of the caller and panics. It costs an atomic store, so
// release a range at a time.
func (r *Reader[T]) Release(upTo uint64) {
	if upTo > r.available {
		panic("ringbuf: Release of what was not yet available")
	}
	if upTo > r.released.Load() {
		r.released.Store(upTo)
	}
}

// Released returns the lowest sequence the reader still holds. Any goroutine
// may call it.
func (r *Reader[T]) Released() uint64 { return r.released.Load() }
