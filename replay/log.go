package replay

import (
	"context"
	"errors"

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
	// ErrNotResident is Peek's answer when the events are not in memory: After has them.
	ErrNotResident = errors.New("replay: events are not in memory")
	// ErrUnavailable is what every UnavailableError is, by errors.Is.
	ErrUnavailable = errors.New("replay: the store is unavailable")
)

// A Record is one event on its way into a Log. The caller fills Event, Key and Sum;
// Append sets the rest.
type Record struct {
	Event *sse.Event
	Key   string   // Idempotency-Key; "" is none
	Sum   [32]byte // fingerprint of what was asked (topics, name, data); compared when Key is known

	behind string // a key, without which being known this record is not stored; "" is none

	Duplicate bool   // Key was known with the same Sum: Event.ID is the ID given the first time, nothing was stored
	Err       error  // why this record alone was refused (ErrKeyReused, ErrUnavailable); the others of its batch are not touched by it
	Spooled   uint64 // the store is away and the event waits on this node's disk, under this number, without an ID; 0: it does not
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
	// When Append returns nil, every record is stored, or a Duplicate, or Spooled, or has its
	// Err, and Last has moved on (in a Shared store: will, once the tail has read it). On an error no record of the batch may be acknowledged, and its
	// events may not be used again; a store that can lose an answer may have kept some of
	// them, which a key makes safe to retry. Errors: ErrClosed, the context's, ErrUnavailable
	// when the store can't be written to now.
	Append(ctx context.Context, batch []Record) error

	// After fills dst with the events whose IDs are in (after, upTo], oldest first, and
	// answers how many: n may be smaller than dst though there is more, so the end of the
	// range is n == 0 with a nil error, or dst[n-1].ID == upTo. dst is the caller's, the
	// events are shared and must not be written to. upTo may be beyond Last. It may wait for
	// I/O, for as long as ctx allows; a failure that will pass is ErrUnavailable.
	//
	// A *GoneError: an event after `after` was removed, or `after` is an ID that this Log
	// never gave (of the future, of an epoch it does not hold, or zero). Then n is 0. This
	// is looked at first, so After(id, id, nil) asks only whether an ID can be resumed from.
	After(ctx context.Context, after, upTo sse.ID, dst []*sse.Event) (n int, err error)

	// Peek is After for a caller that must not wait: it answers from memory, and allocates
	// only for an error. ErrNotResident: only After can tell; n is 0 then. A Log keeps its
	// newest events in memory, so that who was away for a moment is served from there.
	Peek(after, upTo sse.ID, dst []*sse.Event) (n int, err error)

	// Last is the ID of the newest event, or the position before the first one ever.
	// It is never zero. In a Shared store it is as new as this node knows. It does no I/O.
	Last() sse.ID

	// First is the position just before the earliest event held: After(First()) gives all
	// that is held, unless an Append or the clock removes some of it in between. It equals
	// Last when nothing is held. It does no I/O: in a Shared store, from which others remove
	// too, it is as new as this node knows.
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

// An UnavailableError says that a store can't be read or written now, and why. Nothing was
// acknowledged, and later it may work again.
type UnavailableError struct {
	Reason string // one word for machines: "disk_full", "read_only", "io", "unreachable", "memory_full", "spool_full"…
	Err    error  // what the system said
}

// Error names the reason and the cause.
func (e *UnavailableError) Error() string {
	return ErrUnavailable.Error() + " (" + e.Reason + "): " + e.Err.Error()
}

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }
