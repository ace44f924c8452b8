package replay

import (
	"sync"
	"sync/atomic"

	"throng/sse"
)

// recentLimits bound the newest events of one log that are kept in memory.
type recentLimits struct {
	eventsMax int
	bytesMax  int64 // by sse.Event.Size
}

// A recentPool is all the recents of a store. They share one limit: when it is passed,
// the largest of them gives up its oldest events. Any goroutine may use it.
type recentPool struct {
	each     recentLimits
	bytesMax int64        // of all members
	bytes    atomic.Int64 // of all members; each adds and subtracts its own

	mu      sync.Mutex // guards members; taken before a member's own lock
	members map[*recent]struct{}
}

// newRecentPool bounds each member and all of them together.
func newRecentPool(each recentLimits, bytesMax int64) *recentPool {
	return &recentPool{each: each, bytesMax: bytesMax, members: make(map[*recent]struct{})}
}

// open makes a member that holds nothing and knows of everything after position.
func (p *recentPool) open(position sse.ID) *recent {
	r := &recent{pool: p, position: position}
	p.mu.Lock()
	p.members[r] = struct{}{}
	p.mu.Unlock()
	return r
}

// trim makes room when all members together hold too much. No lock is held on entry.
func (p *recentPool) trim() {
	if p.bytes.Load() <= p.bytesMax {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	goal := p.bytesMax - p.bytesMax/trimShare
	for {
		excess := p.bytes.Load() - goal
		var victim *recent
		var most int64
		for r := range p.members {
			if n := r.bytes.Load(); n > most {
				victim, most = r, n
			}
		}
		if excess <= 0 || victim == nil {
			return
		}
		victim.shrink(min(excess, most/trimVictim+1))
	}
}

// A recentEntry is one held event. Its ID and size are kept beside the pointer, so that a
// search and a removal do not touch the event.
type recentEntry struct {
	event *sse.Event
	id    sse.ID
	bytes int64
}

// recent is the newest events of one log in memory: all that were added after its floor,
// so a reader that is not behind the floor needs no store. IDs rise but may have holes.
// One goroutine at a time may call add and reset, any goroutine everything else.
type recent struct {
	pool  *recentPool
	bytes atomic.Int64 // bytes held; written under mu, read by the pool

	mu       sync.RWMutex // guards the rest
	position sse.ID       // the floor
	events   deque[recentEntry]
	closed   bool // holds nothing more
}

// add appends sealed events with rising IDs, all above what was added before, and removes
// the oldest over the limits: a page under one lock. An event that alone is over them
// moves the floor and is not held.
func (r *recent) add(events []*sse.Event) {
	for len(events) > 0 {
		page := events[:min(len(events), dequePage)]
		events = events[len(page):]
		r.addPage(page)
	}
	r.pool.trim()
}

// addPage is add for a page.
func (r *recent) addPage(page []*sse.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	before, held := r.bytes.Load(), r.bytes.Load()
	for _, e := range page {
		size := int64(e.Size())
		r.events.push(recentEntry{event: e, id: e.ID, bytes: size})
		held += size
		for r.events.n > r.pool.each.eventsMax || held > r.pool.each.bytesMax && r.events.n > 0 {
			held -= r.pop()
		}
	}
	r.account(held - before)
}

// pop removes the oldest event and gives its size. The lock is held.
func (r *recent) pop() int64 {
	e := r.events.pop()
	r.position = e.id
	return e.bytes
}

// account adds to the bytes of the log and the pool. The lock is held.
func (r *recent) account(bytes int64) {
	r.bytes.Add(bytes)
	r.pool.bytes.Add(bytes)
}

// after fills dst with events whose IDs are in (after, upTo], oldest first, a page at most,
// and says how many. ok is false when after is before the floor: only the store can tell
// what follows it. It does not allocate.
func (r *recent) after(after, upTo sse.ID, dst []*sse.Event) (n int, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if after.Less(r.position) {
		return 0, false
	}
	at := r.search(after)
	for n < min(len(dst), dequePage, r.events.n-at) {
		e := r.events.at(at + n)
		if upTo.Less(e.id) {
			break
		}
		dst[n] = e.event
		n++
	}
	return n, true
}

// search is the index of the first event after an ID that is not before the floor. Where
// IDs are numbered without holes the first guess is right. The lock is held.
func (r *recent) search(after sse.ID) int {
	n := r.events.n
	if n == 0 || after == r.position {
		return 0
	}
	low, high := 0, n // every event before low is at or before after, every one from high on is behind it
	if first := r.events.at(0).id; first.Major == after.Major && first.Minor <= after.Minor && after.Minor-first.Minor < uint64(n) {
		guess := int(after.Minor - first.Minor)
		if r.events.at(guess).id == after {
			return guess + 1
		}
	}
	for low < high {
		mid := int(uint(low+high) / 2)
		if after.Less(r.events.at(mid).id) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// reset forgets all events: from now on it knows of everything after position.
func (r *recent) reset(position sse.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.account(-r.bytes.Load())
	r.position, r.events = position, deque[recentEntry]{}
}

// floor is the position before the earliest event held: what follows it is here.
func (r *recent) floor() sse.ID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.position
}

// forget removes events up to an ID, which the log has let go of. The floor moves there
// only if events were held below it.
func (r *recent) forget(upTo sse.ID) {
	r.removeWhile(func(e *recentEntry) bool { return !upTo.Less(e.id) })
}

// shrink removes the oldest events until that many bytes are free.
func (r *recent) shrink(bytes int64) {
	r.removeWhile(func(e *recentEntry) bool {
		more := bytes > 0
		bytes -= e.bytes
		return more
	})
}

// removeWhile removes the oldest event as long as over says so: a page under one lock.
func (r *recent) removeWhile(over func(oldest *recentEntry) bool) {
	for more := true; more; {
		r.mu.Lock()
		n, bytes := 0, int64(0)
		for n < dequePage && r.events.n > 0 && over(r.events.at(0)) {
			bytes += r.pop()
			n++
		}
		r.account(-bytes)
		r.mu.Unlock()
		more = n == dequePage
	}
}

// close lets go of everything and leaves the pool. What is added later is not held, and
// every reader is sent to the store.
func (r *recent) close() {
	r.pool.mu.Lock()
	delete(r.pool.members, r)
	r.pool.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.account(-r.bytes.Load())
	r.closed, r.events = true, deque[recentEntry]{}
	r.position = sse.ID{Major: ^uint64(0), Minor: ^uint64(0)}
}
