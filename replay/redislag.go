package replay

import (
	"github.com/redis/rueidis"

	"throng/sse"
)

// XREAD goes on with the oldest entry that is left and says nothing of those that were
// removed before it. A tail that keeps up reads them first; one that may not have, since it
// had no room or its answer was as long as a trimmed stream, reads with XINFO behind it.

// doubt is how many entries an answer must have to be what is left of a longer one: trimming
// leaves as many as EventsMax, and an answer has count at most.
func (t *redisTail) doubt(count int) int {
	if max := t.h.s.opts.EventsMax; max > 0 {
		return min(count, max)
	}
	return count
}

// setLagging says whether a namespace is read with a look at what was removed.
func (t *redisTail) setLagging(x *tailed, lagging bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.lagging = lagging
	if lagging {
		t.mark(x)
	}
}

// anyLagging tells whether one of them is.
func (t *redisTail) anyLagging(list []*tailed) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range list {
		if x.lagging {
			return true
		}
	}
	return false
}

// overtake delivers what a tail that may lag has read, and before it a gap, if something was
// removed that it had yet to read. info was asked for behind the read. true: it is to be
// read so again.
func (l *redisLog) overtake(entries []rueidis.XRangeSlice, info streamInfo) (again bool) {
	l.delivering.Lock()
	defer l.delivering.Unlock()
	if !l.followed.Load() {
		return false
	}
	at := l.Last()
	fresh, trimmed, next := 0, 0, sse.ID{} // entries that are new, those of them that are held no longer, and the first one
	for _, e := range entries {
		id, err := sse.ParseID(e.ID)
		if err != nil || !at.Less(id) {
			continue
		}
		if fresh == 0 {
			next = id
		}
		fresh++
		if info.first.IsZero() || id.Less(info.first) {
			trimmed++
		}
	}
	again = fresh > 0 && fresh == trimmed // what came behind them may be gone too
	if info.missed(at, l.added, trimmed) {
		resume := maxID(at, info.floor())
		if fresh > 0 {
			resume = before(next)
		}
		l.entry, l.added = false, -1
		if !again && info.added >= 0 {
			l.added = info.added - info.length - int64(trimmed)
		}
		l.tellGap(at, resume, info)
	}
	l.give(entries)
	if l.Last() == info.last {
		l.added = info.added
	}
	return again
}

// missed tells whether entries after a position were removed, but for some that were read
// before that. added is how many the stream had been given up to the position, -1 when
// that is not known: in doubt they were.
func (i *streamInfo) missed(at sse.ID, added int64, read int) bool {
	switch {
	case !at.Less(i.last), !i.first.IsZero() && !at.Next().Less(i.first):
		return false // nothing new, or what is held begins right behind it or before
	case i.whole && i.deleted.IsZero():
		return false
	}
	return added < 0 || i.added-added != int64(read)+i.length
}
