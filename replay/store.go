package replay

import (
	"context"
	"time"

	"throng/sse"
)

// A Store is all the Logs of a server. Any goroutine may call its methods. One that may be
// away is a Prober as well.
type Store interface {
	// Open gives the Log of a namespace, the same one until it is evicted. The name is the
	// caller's to check. Errors: ErrNamespaces, ErrClosed, the store's own I/O errors.
	Open(ns string) (Log, error)

	// Evict lets go of a namespace that nobody uses: memory, descriptors and known keys. A
	// store without a disk loses its events, and readers that come back are told so; its
	// IDs are never reset. The evicted Log refuses Append with ErrClosed and its readers
	// find nothing more, also when an error is answered. Evicting a namespace that is not open
	// does nothing.
	Evict(ns string) error

	// Sweep enforces age limits of events and keys as of now; without it age is enforced
	// only where a Log is touched. The owner calls it every now and then.
	Sweep(now time.Time)

	// Resident says that all events are in memory, so that no call ever waits for I/O. Of
	// another store, Open, Evict, Append and After may.
	Resident() bool

	// Health says why the store can't take events now; nil: it can. It does no I/O.
	Health() error

	// Stats counts what is held. It is cheap: a few atomic loads.
	Stats() Stats

	// Close evicts everything; later calls answer ErrClosed.
	Close() error
}

// Stats counts what a Store holds at one moment, and what became of it since its start.
type Stats struct {
	Namespaces int   `json:"namespaces"` // open namespaces
	Events     int   `json:"events"`     // events held; in a Shared store, those in this node's memory
	Bytes      int64 `json:"bytes"`      // bytes of these, by sse.Event.Size; on disk, bytes of its files
	Keys       int   `json:"keys"`       // idempotency keys known; a Shared store keeps them elsewhere

	Followed    int    `json:"followed"`     // Shared: namespaces followed
	TailEvents  uint64 `json:"tail_events"`  // Shared: events delivered to the Feed
	TailSkipped uint64 `json:"tail_skipped"` // Shared: entries that are no events
	Rewrites    uint64 `json:"rewrites"`     // Shared: times that history which had been delivered was gone

	Spooled      int    `json:"spooled"`       // events that wait for the store
	SpooledBytes int64  `json:"spooled_bytes"` //
	SpoolTaken   uint64 `json:"spool_taken"`   // events that were put there to wait
	SpoolSent    uint64 `json:"spool_sent"`    // events that waited and are in the store now
	SpoolDropped uint64 `json:"spool_dropped"` // events that waited and were refused for good
}

// A Shared store is one that other nodes append to as well. What is appended here is not
// to be given to readers on the spot: it comes back by the tail, in the one order that all
// nodes see.
type Shared interface {
	Store

	// Feed says where the events of followed Logs go. It is called once, before any Follow.
	Feed(f Feed)
}

// A Followed is what the Logs of a Shared store are besides.
type Followed interface {
	Log

	// Follow sees to it that events of this namespace reach the Feed, from now on until
	// Unfollow. When it returns nil, the position has been found and was delivered as a
	// notice; Last has it. Following what is followed already only waits for that. Errors:
	// the context's, ErrClosed, ErrUnavailable.
	Follow(ctx context.Context) error

	// Unfollow ends it: once it has returned, nothing more is delivered.
	Unfollow()
}

// A Feed is where followed Logs deliver. Calls for one namespace come one after the other.
type Feed interface {
	// Room says whether events of a namespace are welcome now; while they are not, its tail
	// reads no further. It must not wait.
	Room(ns string) bool

	// Deliver takes events of a namespace in their order. It may wait. An event without
	// topics is a notice to every stream: with a name (a gap) it is sent to all of them,
	// without one it only says that the namespace's position is now its ID.
	Deliver(ns string, events []*sse.Event)
}
