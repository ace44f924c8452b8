package replay

import (
	"time"

	"github.com/redis/rueidis"

	"throng/sse"
)

// A tailed is one followed namespace of a tail. Guarded by the tail's lock.
type tailed struct {
	log       *redisLog
	unchecked bool      // is our position still in the history?
	lagging   bool      // what it has yet to read may be trimmed: see redislag.go
	dirty     bool      // where Redis tells of changes: there may be something to read
	bad       time.Time // not to be read before; zero: now
}

// join adds a namespace; unchecked, when its position was found on another master.
func (t *redisTail) join(l *redisLog, unchecked bool) {
	t.mu.Lock()
	x := &tailed{log: l, unchecked: unchecked, lagging: true} // it was a while ago that its position was found
	t.set[l.key] = x
	if unchecked {
		t.unchecked++
	}
	t.mark(x)
	t.mu.Unlock()
	t.version.Add(1)
	nudge(t.wake)
	nudge(t.cut)
}

// recheck has the position of a namespace looked at again.
func (t *redisTail) recheck(l *redisLog) {
	t.mu.Lock()
	if x := t.set[l.key]; x != nil && !x.unchecked {
		x.unchecked = true
		t.unchecked++
		t.mark(x)
	}
	t.mu.Unlock()
	t.version.Add(1)
	nudge(t.wake)
	nudge(t.cut)
}

// leave removes a namespace. An XREAD under way may still name it: what comes is dropped.
func (t *redisTail) leave(l *redisLog) {
	t.mu.Lock()
	if x := t.set[l.key]; x != nil && x.log == l {
		delete(t.set, l.key)
	}
	t.mu.Unlock()
	t.version.Add(1)
}

// pick gives the namespaces to read now, after those that need it were looked at: all of
// them, or those that have news. left says whether others wait for room, or for another try.
func (t *redisTail) pick(newsOnly bool) (list []*tailed, left bool, version uint64, err error) {
	if err := t.checkAll(); err != nil {
		return nil, false, 0, err
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	version = t.version.Load()
	take := func(x *tailed) {
		if x.unchecked || now.Before(x.bad) || !t.h.s.feed.Room(x.log.ns) {
			left, x.lagging = true, true
			if newsOnly {
				t.mark(x)
			}
			return
		}
		list = append(list, x)
	}
	news := t.news
	t.news = nil
	for _, x := range news {
		x.dirty = false
		if newsOnly && t.set[x.log.key] == x {
			take(x)
		}
	}
	if !newsOnly {
		for _, x := range t.set {
			take(x)
		}
	}
	return list, left, version, nil
}

// mark says that there may be something to read. The lock is held.
func (t *redisTail) mark(x *tailed) {
	if !x.dirty {
		x.dirty = true
		t.news = append(t.news, x)
	}
}

// take delivers entries of the tail. Those that another tail of this node has delivered
// already, in a move between masters, are left out.
func (l *redisLog) take(entries []rueidis.XRangeSlice) {
	l.delivering.Lock()
	defer l.delivering.Unlock()
	if l.followed.Load() {
		l.give(entries)
	}
}

// give is take for who holds delivering.
func (l *redisLog) give(entries []rueidis.XRangeSlice) {
	last := l.Last()
	events, at, n := l.s.decodeEntries(make([]*sse.Event, 0, len(entries)+1), entries, last)
	if at == last {
		return
	}
	l.recent.add(events)
	l.entry = true
	if l.added >= 0 {
		l.added += int64(n)
	}
	l.setLast(at)
	l.s.counts.delivered.Add(uint64(len(events)))
	if len(events) == 0 || events[len(events)-1].ID != at {
		events = append(events, notice(at)) // the last entry is no event, but a position
	}
	l.s.feed.Deliver(l.ns, events)
}

// interrupts ends an XREAD that waits for an old set, until the shard is retired; then it
// closes the tail's connection, which ends the last one.
func (t *redisTail) interrupts() {
	for {
		select {
		case <-t.h.ctx.Done():
			t.setConn(nil, "")
			return
		case <-t.cut:
		}
		time.Sleep(tailCutGap)
		for t.isStale() && !t.short.Load() && t.h.ctx.Err() == nil {
			t.mu.Lock()
			id := t.id
			t.mu.Unlock()
			results, err := t.h.do(t.h.ctx, t.h.client.B().Arbitrary("CLIENT", "UNBLOCK", id).Build())
			if err != nil {
				break // the session ends by itself
			}
			if _, refused := rueidis.IsRedisErr(results[0].Error()); refused {
				t.short.Store(true)
				t.setConn(nil, "") // this once; the next session waits for moments only
			}
			time.Sleep(tailCutGap)
		}
	}
}

// isStale tells whether an XREAD waits for an old set.
func (t *redisTail) isStale() bool {
	waiting := t.reading.Load()
	return waiting != 0 && waiting != t.version.Load()
}
