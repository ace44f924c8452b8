package loops

import (
	"sync/atomic"

	"throng/replay"
	"throng/sse"
)

// Namespace is what the loops need to know of a namespace. The hub makes one and never
// changes its exported fields.
type Namespace struct {
	Index  uint32 // place in the loops' tables; free again once the namespace is evicted
	Name   string
	Log    replay.Log
	Origin sse.ID // Log.Last() before anything of this namespace entered the ring

	published atomic.Uint64 // entries put into the ring
	loops     []nsShare     // one a loop
}

// nsShare is what one loop reports of a namespace, on a cache line of its own.
type nsShare struct {
	done    atomic.Uint64 // entries dealt with; written by the loop
	streams atomic.Int64  // rows; written by the loop
	proven  atomic.Int64  // when a row last took something and its client acknowledged it, ns; written by the loop
	_       [40]byte
}

// Unread is how many published entries the slowest loop has still to deal with.
func (n *Namespace) Unread() int {
	published := n.published.Load()
	slowest := published
	for i := range n.loops {
		slowest = min(slowest, n.loops[i].done.Load())
	}
	return int(published - slowest)
}

// Progress is how many entries were published, and how many of them every loop that has
// streams of the namespace has dealt with. The others are not woken for it.
func (n *Namespace) Progress() (published, dealt uint64) {
	published = n.published.Load()
	dealt = published
	for i := range n.loops {
		if n.loops[i].streams.Load() > 0 {
			dealt = min(dealt, n.loops[i].done.Load())
		}
	}
	return published, dealt
}

// Streams is the number of open streams.
func (n *Namespace) Streams() int {
	sum := int64(0)
	for i := range n.loops {
		sum += n.loops[i].streams.Load()
	}
	return int(sum)
}

// Entry is one event in the ring. An event without topics is a notice to every stream of the
// namespace: with a name it is sent, without one its ID only says where the namespace stands.
type Entry struct {
	Event *sse.Event
	NS    *Namespace
	At    int64 // when it was published, by the Group's clock, ns
}
