package replay

import (
	"context"
	"errors"
	"time"

	"throng/sse"
)

var (
	// ErrGone is what every GoneError is, by errors.Is.
	ErrGone = errors.New("replay: events after this ID are gone")
	// ErrKeyReused refuses one record: its key is known with another Sum.
	ErrKeyReused = errors.New("replay: idempotency key was used for another event")
	// ErrClosed says that the Log was evicted, or its Store closed.
	ErrClosed = errors.New("replay: log is closed")
	// ErrNamespaces says that the Store holds as many namespaces as it may.
	ErrNamespaces = errors.New("replay: too many namespaces")
)

// A Record is one event on its way into a Log. The caller fills Event, Key and Sum;
// Append sets the rest.
type Record struct {
	Event *sse.Event
	Key   string   // Idempotency-Key; "" is none
	Sum   [32]byte // fingerprint of what was asked (topics, name, data); compared when Key is known

	Duplicate bool  // Key was known with the same Sum: Event.ID is the ID given the first time, nothing was stored
	Err       error // why this record alone was refused (ErrKeyReused); the others of its batch are not touched by it
}

// A Log is the events of one namespace, oldest first, each with an ID above the one
// before it. IDs are never given twice, whatever is evicted or removed.
//
// Append has one caller at a time. After, Last and First may be called by any number of
// goroutines, during an Append too.
type Log interface {
	// Append stores the records in their order, gives each stored event its ID and seals
	// it (sse.Event.Seal): from then on nobody may write to it, and the Log and its readers
	// share it. The slice and its records stay the caller's. Two records of one batch with
	// the same key behave as in two batches.
	//
	// When Append returns nil, every record is stored, or a Duplicate, or has its Err, and
	// Last has moved on. On an error no record of the batch may be acknowledged, and its
	// events may not be used again; a store that can lose an answer may have kept some of
	// them, which a key makes safe to retry. Errors: ErrClosed, the context's, the store's
	// own I/O errors.
	Append(ctx context.Context, batch []Record) error

	// After fills dst with the events whose IDs are in (after, upTo], oldest first, and
	// answers how many: n may be smaller than dst though there is more, so the end of the
	// range is n == 0 with a nil error, or dst[n-1].ID == upTo. dst is the caller's, the
	// events are shared and must not be written to. upTo may be beyond Last. When the
	// Store is Resident, After does no I/O and allocates only for an error.
	//
	// A *GoneError: an event after `after` was removed, or `after` is an ID that this Log
	// never gave (of the future, of an epoch it does not hold, or zero). Then n is 0. This
	// is looked at first, so After(id, id, nil) asks only whether an ID can be resumed from.
	After(ctx context.Context, after, upTo sse.ID, dst []*sse.Event) (n int, err error)

	// Last is the ID of the newest event, or the position before the first one ever.
	// It is never zero.
	Last() sse.ID

	// First is the position just before the earliest event held: After(First()) gives all
	// that is held, unless an Append or the clock removes some of it in between. It equals
	// Last when nothing is held.
	First() sse.ID
}

// A GoneError says that a Log cannot give back all that followed an ID.
type GoneError struct {
	Earliest sse.ID // ID of the earliest event held, or Last when none is
	Resume   sse.ID // position at which reading may go on without losing anything held
}

// Error names the earliest event held.
func (e *GoneError) Error() string {
	return ErrGone.Error() + ", earliest is " + e.Earliest.String()
}

// Is makes errors.Is(err, ErrGone) true.
func (e *GoneError) Is(target error) bool { return target == ErrGone }

// A Store is all the Logs of a server. Any goroutine may call its methods.
type Store interface {
	// Open gives the Log of a namespace, the same one until it is evicted. The name is the
	// caller's to check. Errors: ErrNamespaces, ErrClosed, the store's own I/O errors.
	Open(ns string) (Log, error)

	// Evict lets go of a namespace that nobody uses: memory, descriptors and known keys. A
	// store without a disk loses its events, and readers that come back are told so; its
	// IDs are never reset. The evicted Log refuses Append with ErrClosed and its readers
	// find nothing more. Evicting a namespace that is not open does nothing.
	Evict(ns string) error

	// Sweep enforces age limits of events and keys as of now; without it age is enforced
	// only where a Log is touched. The owner calls it every now and then.
	Sweep(now time.Time)

	// Resident says that all events are in memory, so that After never blocks for I/O.
	Resident() bool

	// Stats counts what is held. It is cheap: a few atomic loads.
	Stats() Stats

	// Close evicts everything; later calls answer ErrClosed.
	Close() error
}

// Stats counts what a Store holds at one moment.
type Stats struct {
	Namespaces int   // open namespaces
	Events     int   // events held
	Bytes      int64 // bytes of the events held, by sse.Event.Size
	Keys       int   // idempotency keys known
}
