package source

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// What is pushed is taken in order, once, and then the end.
func TestInbox_GivesAllInOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := newInbox[int]()
	const messages = 20000
	go func() {
		for i := range messages {
			if !b.push(i, random.IntN(2000), nil) {
				t.Error("push ended")
			}
		}
		b.end(io.EOF)
	}()
	next := 0
	var items []int
	for {
		var err error
		if items, err = b.take(items, nil); err != nil {
			if !errors.Is(err, io.EOF) || next != messages {
				t.Errorf("ended at %d with %v", next, err)
			}
			return
		}
		if len(items) == 0 || len(items) > batchEventsMax {
			t.Fatalf("%d messages at once", len(items))
		}
		for _, i := range items {
			if i != next {
				t.Fatalf("%d came instead of %d", i, next)
			}
			next++
		}
	}
}

// Who pushes into a full inbox waits until it is emptied, or gives up; who takes from an
// empty one waits or gives up.
func TestInbox_IsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bytes := range []int{0, 100 << 10} {
			b := newInbox[int]()
			pushed := 0
			gone := make(chan struct{})
			go func() {
				for b.push(0, bytes, gone) {
					pushed++
				}
				close(gone)
			}()
			synctest.Wait()
			full := batchEventsMax
			if bytes > 0 {
				full = batchBytesMax/bytes + 1 // the last goes beyond the limit
			}
			for round := 1; round <= 3; round++ {
				if pushed != round*full {
					t.Fatalf("%d messages of %d bytes were taken, not %d", pushed, bytes, round*full)
				}
				if items, err := b.take(nil, nil); err != nil || len(items) != full {
					t.Fatalf("%d messages, %v", len(items), err)
				}
				synctest.Wait()
			}
			gone <- struct{}{}
			<-gone
		}
		done := make(chan struct{})
		close(done)
		if _, err := newInbox[int]().take(nil, done); err != errLeft {
			t.Errorf("an empty inbox gave %v", err)
		}
	})
}
