package server

import (
	"context"
	"sync"
	"sync/atomic"

	"throng/server/loops"
	"throng/sse"
)

// following is whether a namespace of a shared store is tailed, because there are streams
// of it here or were a moment ago.
type following struct {
	mu   sync.Mutex // held while that changes
	at   atomic.Pointer[sse.ID]
	want atomic.Int64 // requests for streams that hold the namespace
	sent atomic.Int64 // those among them that are to be handed over, for --namespace-streams-max
	seen atomic.Int64 // when a stream was last asked for, or seen, by the hub's clock, ns
}

// floor is the position that was found when following began, which the loops must have
// seen before a stream attaches; zero: nothing is followed.
func (f *following) floor() sse.ID {
	if id := f.at.Load(); id != nil {
		return *id
	}
	return sse.ID{}
}

// follow is acquire for a stream: in a shared store, it sees to it that the namespace's
// events come in here.
func (h *hub) follow(name string, mayWait bool) (*namespace, error) {
	n, err := h.acquire(name, mayWait)
	if err != nil {
		return nil, err
	}
	n.following.want.Add(1)
	switch {
	case n.tail == nil || n.following.at.Load() != nil:
		return n, nil
	case !mayWait:
		err = errWouldWait
	default:
		err = n.follow()
	}
	if err != nil {
		n.handedOver()
		return nil, err
	}
	return n, nil
}

// handedOver is release for who called follow: the stream is a row in a moment, or is none.
func (n *namespace) handedOver() {
	n.following.seen.Store(n.hub.clock())
	n.following.want.Add(-1)
	n.release()
}

func (n *namespace) follow() error {
	f := &n.following
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.Load() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.hub.o.PublishTimeout)
	defer cancel()
	if err := n.tail.Follow(ctx); err != nil {
		return err
	}
	at := n.Log.Last()
	f.at.Store(&at)
	return nil
}

// unfollow ends tails that no stream has needed for --tail-linger.
func (h *hub) unfollow() {
	h.mu.RLock()
	var idle []*namespace
	for _, n := range h.named {
		switch {
		case n.tail == nil || n.following.at.Load() == nil:
		case n.Streams() > 0:
			n.following.seen.Store(h.clock())
		case n.unwatched():
			idle = append(idle, n)
		}
	}
	h.mu.RUnlock()
	for _, n := range idle {
		n.unfollow()
	}
}

// unwatched: no stream is here, none is on its way, and none was for the linger.
func (n *namespace) unwatched() bool {
	return n.following.want.Load() == 0 && n.Streams() == 0 && n.hub.clock()-n.following.seen.Load() > int64(n.hub.o.TailLinger)
}

// unfollow ends a tail unless a stream has come: who asks for one is counted and looks at
// following.at then; this does it the other way round, so that one of the two sees the
// other. A stream that has been handed over and is no row yet was so within the linger.
func (n *namespace) unfollow() {
	f := &n.following
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.at.Swap(nil)
	if at == nil {
		return
	}
	if !n.unwatched() {
		f.at.Store(at)
		return
	}
	n.tail.Unfollow()
}

// feed is where the store's tail delivers.
type feed struct{ *hub }

// find gives a namespace that is open.
func (f feed) find(name string) *namespace {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.named[name]
}

// Room implements replay.Feed. A loop that sleeps, as it has no stream of the namespace, may
// be all that keeps it.
func (f feed) Room(name string) bool {
	n := f.find(name)
	if n == nil || n.room() {
		return true
	}
	f.group.NudgeAll()
	return n.room()
}

// Deliver implements replay.Feed: it waits for the ring's room.
func (f feed) Deliver(name string, events []*sse.Event) {
	n := f.find(name)
	if n == nil {
		return
	}
	now := f.clock()
	for i, e := range events {
		entry := loops.Entry{Event: e, NS: n.Namespace, At: now}
		if f.group.TryPublish(entry) {
			continue
		}
		rest := make([]loops.Entry, 0, len(events)-i)
		for _, e := range events[i:] {
			rest = append(rest, loops.Entry{Event: e, NS: n.Namespace, At: now})
		}
		n.broadcast(rest)
		return
	}
	f.group.NudgeFor(n.Namespace)
}
