package replay

import (
	"context"
	"errors"
)

// A Guard says whether a Store may be asked now. A breaker is one. Any goroutine may call it.
type Guard interface {
	// Allow gives leave for one call. Who was refused does not call, and may ask again: after
	// an outage leave is given to a part of those who ask, which grows.
	Allow() bool
}

// A Prober is a Store that may be away, and is asked whether it is.
type Prober interface {
	Store

	// Probe asks the store for a sign of life, as a publish would, and waits for as long as
	// ctx allows. The error is why it can't be relied on: it is away, does not answer in
	// time, has more to do than it can, or does not store. It asks no Guard.
	Probe(ctx context.Context) error
}

// reasonIsolated: surely not stored, since nobody asked. The Guard was against it.
const reasonIsolated = "isolated"

// errIsolated is what the Guard's no is to callers.
var errIsolated = &UnavailableError{Reason: reasonIsolated, Err: errors.New("the store has failed, and is given its work again bit by bit")}

// guarded is a Store with a Guard, for a Spool around it.
type guarded interface{ guard() Guard }

// leaveAsked is a Log that takes records of a caller who has asked the Guard, so that one
// piece of work does not need leave twice.
type leaveAsked interface {
	appendAllowed(ctx context.Context, batch []Record) error
}
