package source

import (
	"errors"
	"sync"
)

// Limits of what a stream has received and nobody has dealt with. There is as much again
// with who deals with it.
const (
	batchEventsMax = 1024      // events; as many as a log is given at once
	batchBytesMax  = 512 << 10 // bytes; and the message that goes beyond them
)

// errLeft says that the receiving side of an inbox has gone.
var errLeft = errors.New("source: nobody takes it any more")

// inbox is between the one goroutine that receives messages and the one that deals with
// them, as many as there are at a time. Who receives waits while it is full.
type inbox[T any] struct {
	ready chan struct{} // holds a token when something is new
	space chan struct{} // holds one when it was emptied

	mu    sync.Mutex // guards the rest
	items []T
	bytes int
	err   error // how it ended, once the items are taken
}

func newInbox[T any]() *inbox[T] {
	return &inbox[T]{ready: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// push adds a message of so many bytes. It waits for room; false: done came first.
func (b *inbox[T]) push(item T, bytes int, done <-chan struct{}) bool {
	for {
		b.mu.Lock()
		room := len(b.items) < batchEventsMax && b.bytes < batchBytesMax
		if room {
			b.items, b.bytes = append(b.items, item), b.bytes+bytes
		}
		b.mu.Unlock()
		if room {
			signal(b.ready)
			return true
		}
		select {
		case <-b.space:
		case <-done:
			return false
		}
	}
}

// end says that nothing more will come, and why.
func (b *inbox[T]) end(err error) {
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	signal(b.ready)
}

// take gives all that is there, at least one; spare is what the last call gave, to be used
// again. It waits; the error is that of end when all was taken, or errLeft when done came.
func (b *inbox[T]) take(spare []T, done <-chan struct{}) ([]T, error) {
	clear(spare)
	for {
		b.mu.Lock()
		items, err := b.items, b.err
		if len(items) > 0 {
			b.items, b.bytes = spare[:0], 0
		}
		b.mu.Unlock()
		switch {
		case len(items) > 0:
			signal(b.space)
			return items, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-b.ready:
		case <-done:
			return nil, errLeft
		}
	}
}

// signal leaves a token, unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
