package replay

import (
	"context"
	"math"
	"strconv"
	"sync"
	"sync/atomic"

	"throng/sse"
)

// redisStart is the position before the first event of a stream that never had one: below
// every ID that Redis gives, and not zero.
var redisStart = sse.ID{Minor: 1}

// redisLog is the Log of one namespace in Redis. One goroutine at a time may call Append,
// any goroutine everything else.
type redisLog struct {
	s      *Redis
	ns     string
	key    string // throng:{NS}, the stream
	known  string // throng:{NS}:keys, the idempotency keys
	order  string // throng:{NS}:keyorder, the same in the order of forgetting
	nobody string // throng:{NS}:none, which nobody makes
	slot   uint16
	recent *recent                    // the newest events, while it is followed
	shard  atomic.Pointer[redisShard] // who has the slot; nil: not known

	entryBytes atomic.Int32 // size of the entries that After read of late, for the next page

	following chan struct{} // held by one Follow, Unfollow or close at a time
	closed    atomic.Bool

	delivering sync.Mutex // held while the tail delivers; guards the next lines
	followed   atomic.Bool
	entry      bool  // last is the ID of an entry that was seen, so that it must be there
	added      int64 // entries that the stream had been given when it was at last; -1: not known

	mu       sync.RWMutex // guards the rest
	last     sse.ID
	lastText string // last as XREAD wants it
	first    sse.ID
	acked    sse.ID // the highest that this node was given by Append
}

var _ Followed = (*redisLog)(nil)

// newRedisLog knows nothing of its namespace yet.
func newRedisLog(s *Redis, ns string) *redisLog {
	key := "throng:{" + ns + "}"
	l := &redisLog{s: s, ns: ns, key: key, known: key + ":keys", order: key + ":keyorder", nobody: key + ":none", slot: keySlot(ns)}
	l.following = make(chan struct{}, 1)
	l.recent = s.recent.open(redisStart)
	l.first = redisStart
	l.entryBytes.Store(redisEntryBytes)
	l.setLast(redisStart)
	return l
}

// Last implements Log.
func (l *redisLog) Last() sse.ID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last
}

// First implements Log: as of the last time that Redis was asked.
func (l *redisLog) First() sse.ID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.first
}

// setLast moves the position.
func (l *redisLog) setLast(id sse.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.lastText = id, id.String()
}

// begin makes a Log followed from a position on: from now on only the tail moves it, since
// what an Append learns of in between would be left out.
func (l *redisLog) begin(at sse.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.lastText = at, at.String()
	l.followed.Store(true)
}

// raiseLast moves the position if it is not there yet, of a Log without a tail. The lock is
// held.
func (l *redisLog) raiseLast(id sse.ID) {
	if l.followed.Load() {
		return // what the tail has read is what this node knows
	}
	if l.last.Less(id) {
		l.last, l.lastText = id, id.String()
	}
}

// ack notes the highest ID that Append was given.
func (l *redisLog) ack(id sse.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = maxID(l.acked, id)
	l.raiseLast(id)
}

// claims are the IDs that Redis must know: the position, and the highest one acknowledged.
func (l *redisLog) claims() (last, acked sse.ID) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last, maxID(l.acked, l.last)
}

// learn takes over what Redis told of the stream.
func (l *redisLog) learn(info streamInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raiseLast(info.last)
	l.first = info.floor()
	if l.last.Less(l.first) {
		l.first = l.last // Redis is ahead of the tail, and has let go of all that the tail knows
	}
}

// held is how many events are in memory.
func (l *redisLog) held() int {
	l.recent.mu.RLock()
	defer l.recent.mu.RUnlock()
	return l.recent.events.n
}

// move gives the namespace to another master, whose tail looks at it before it reads on.
func (l *redisLog) move(to *redisShard) {
	from := l.shard.Swap(to)
	if from == to {
		return
	}
	if from != nil {
		from.tail.leave(l)
	}
	if to != nil && l.followed.Load() {
		to.tail.join(l, true)
	}
}

// master is who has the namespace, if it can be asked.
func (l *redisLog) master() (*redisShard, error) {
	if l.closed.Load() {
		return nil, ErrClosed
	}
	h := l.shard.Load()
	if h == nil {
		return nil, &UnavailableError{Reason: reasonUnreachable, Err: errNoShard}
	}
	if f := h.away.Load(); f != nil {
		return nil, f
	}
	return h, nil
}

// Follow implements Followed.
func (l *redisLog) Follow(ctx context.Context) error {
	select {
	case l.following <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.following }()
	if l.closed.Load() {
		return ErrClosed
	}
	if l.followed.Load() {
		return nil
	}
	h, err := l.master()
	if err != nil {
		return err
	}
	if err := l.s.mayRead(h); err != nil {
		return err
	}
	_, known := l.claims() // before Redis is asked: what is appended meanwhile may be in neither answer
	info, err := h.info(ctx, l.key)
	if err != nil {
		return err
	}
	at := info.last
	if at.Less(known) {
		// This node has seen later events than Redis has now.
		if err := h.raise(ctx, l.key, known); err != nil {
			return err
		}
		l.s.lost(l, known)
		at, info = known, streamInfo{last: known, deleted: known, added: -1}
	}
	l.delivering.Lock()
	l.entry, l.added = info.lastIsEntry, info.added
	l.recent.reset(at)
	l.begin(at)
	l.learn(info)
	l.s.feed.Deliver(l.ns, []*sse.Event{notice(at)})
	l.delivering.Unlock()
	l.s.mu.RLock() // so that it does not move meanwhile
	defer l.s.mu.RUnlock()
	if now := l.shard.Load(); now != nil {
		now.tail.join(l, now != h)
	}
	return nil
}

// Unfollow implements Followed. It waits for a Deliver under way.
func (l *redisLog) Unfollow() {
	l.following <- struct{}{}
	defer func() { <-l.following }()
	l.unfollow()
}

// unfollow ends the following. The caller holds it.
func (l *redisLog) unfollow() {
	l.leaveTail()
	l.delivering.Lock()
	l.followed.Store(false)
	l.recent.reset(l.Last())
	l.delivering.Unlock()
	l.leaveTail() // to which it may have moved while a Deliver was waited for
}

// leaveTail leaves the tail of the master that has the namespace now.
func (l *redisLog) leaveTail() {
	l.s.mu.RLock()
	defer l.s.mu.RUnlock()
	if h := l.shard.Load(); h != nil {
		h.tail.leave(l)
	}
}

// close makes the Log refuse everything.
func (l *redisLog) close() {
	l.following <- struct{}{}
	defer func() { <-l.following }()
	l.closed.Store(true)
	l.unfollow()
	l.recent.close()
}

// notice says that a namespace's position is an ID.
func notice(id sse.ID) *sse.Event {
	e := &sse.Event{ID: id}
	e.Seal()
	return e
}

// before is the position right before an ID.
func before(id sse.ID) sse.ID {
	switch {
	case id.Minor > 0:
		id.Minor--
	case id.Major > 0:
		id.Major, id.Minor = id.Major-1, math.MaxUint64
	}
	return id
}

// itoa is the text of a number in a command.
func itoa[T ~int | ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }
