package replay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"throng/sse"
)

// An entry is one held event. Its time and size are kept beside the pointer, so that
// removal reads one line of memory and not the event.
type entry struct {
	event *sse.Event
	at    time.Duration // since the store's start; only the oldest entry's counts, so a clock may be set back
	bytes int64
}

// memLog is the Log of one namespace in memory. One goroutine at a time may call Append,
// any goroutine everything else. Events are numbered without holes and removed from the
// old end only, so the events held are exactly (last-events.n, last]: that is the whole
// memory of what was removed, and an event is found by its number.
type memLog struct {
	store *Memory
	keys  keys

	last  atomic.Uint64 // Minor of the newest event; written under mu, read by anybody
	bytes atomic.Int64  // bytes held; written under mu, read by trim

	mu     sync.RWMutex // guards the rest
	events deque[entry]
	closed bool
}

// newMemLog goes on after the number start.
func newMemLog(s *Memory, start uint64) *memLog {
	l := &memLog{store: s}
	l.keys = keys{max: s.opts.KeysMax, window: s.opts.KeyWindow, total: &s.keys}
	l.last.Store(start)
	return l
}

// id is the ID with this number.
func (l *memLog) id(minor uint64) sse.ID { return sse.ID{Major: l.store.opts.Epoch, Minor: minor} }

// first is the number before the earliest event held. The lock is held.
func (l *memLog) first() uint64 { return l.last.Load() - uint64(l.events.n) }

// Append implements Log. A page of the batch becomes readable at once; encoding happens
// outside of the lock.
func (l *memLog) Append(ctx context.Context, batch []Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := l.store.now()
	for len(batch) > 0 {
		page := batch[:min(len(batch), dequePage)]
		batch = batch[len(page):]
		l.number(page, now)
		if err := l.push(page, now); err != nil {
			return err
		}
		l.enforce(now)
	}
	l.store.trim()
	return nil
}

// number checks the keys of a page, gives IDs and seals. Only the appender moves last, so
// it cannot change meanwhile.
func (l *memLog) number(page []Record, now time.Duration) {
	var fresh [dequePage]*sse.Event
	n := 0
	minor := l.last.Load() + 1
	for i := range page {
		r := &page[i]
		r.Duplicate, r.Err = false, nil
		if r.Key != "" {
			first, unknown, same := l.keys.claim(r.Key, r.Sum, minor, now)
			switch {
			case !unknown && same:
				r.Duplicate = true
				r.Event.ID = l.id(first)
				continue
			case !unknown:
				r.Err = ErrKeyReused
				continue
			}
		}
		r.Event.ID = l.id(minor)
		fresh[n] = r.Event
		n++
		minor++
	}
	sse.SealAll(fresh[:n])
}

// push stores the numbered records of a page.
func (l *memLog) push(page []Record, now time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	stored, bytes := 0, int64(0)
	for i := range page {
		if r := &page[i]; r.Err == nil && !r.Duplicate {
			size := int64(r.Event.Size())
			l.events.push(entry{event: r.Event, at: now, bytes: size})
			stored++
			bytes += size
		}
	}
	l.last.Add(uint64(stored))
	l.account(stored, bytes)
	return nil
}

// account adds to the counts of the log and the store, once a page: the store's are
// shared by all appenders. The lock is held.
func (l *memLog) account(events int, bytes int64) {
	l.bytes.Add(bytes)
	l.store.events.Add(int64(events))
	l.store.bytes.Add(bytes)
}

// After implements Log.
func (l *memLog) After(_ context.Context, after, upTo sse.ID, dst []*sse.Event) (int, error) {
	return l.Peek(after, upTo, dst)
}

// Peek implements Log: everything is in memory.
func (l *memLog) Peek(after, upTo sse.ID, dst []*sse.Event) (int, error) {
	l.lockForReading()
	defer l.mu.RUnlock()
	first, last := l.first(), l.last.Load()
	if after.Major != l.store.opts.Epoch || after.Minor < first || after.Minor > last {
		return 0, l.gone(after, first, last)
	}
	if upTo.Less(l.id(last)) {
		last = upTo.Minor
		if upTo.Less(after) {
			return 0, nil
		}
	}
	n := int(min(last-after.Minor, uint64(len(dst)), dequePage))
	at := int(after.Minor - first)
	for i := range n {
		dst[i] = l.events.at(at + i).event
	}
	return n, nil
}

// gone explains what is held instead. Who comes with an ID of another epoch got nothing
// of this one, so nothing held may be left out; who comes from the future of this epoch
// has a made-up ID and goes on live.
func (l *memLog) gone(after sse.ID, first, last uint64) *GoneError {
	e := &GoneError{Earliest: l.id(min(first+1, last)), Resume: l.id(first)}
	if after.Major == l.store.opts.Epoch && after.Minor > last {
		e.Resume = l.id(last)
	}
	return e
}

// Last implements Log: one atomic load.
func (l *memLog) Last() sse.ID { return l.id(l.last.Load()) }

// First implements Log.
func (l *memLog) First() sse.ID {
	l.lockForReading()
	defer l.mu.RUnlock()
	return l.id(l.first())
}

// lockForReading takes the lock shared, after removing what has become too old. Mostly
// there is no such thing, and readers do not wait for each other.
func (l *memLog) lockForReading() {
	ageMax := l.store.opts.AgeMax
	if ageMax <= 0 {
		l.mu.RLock()
		return
	}
	now := l.store.now()
	l.mu.RLock()
	if l.events.n > 0 && now-l.events.at(0).at > ageMax {
		l.mu.RUnlock()
		l.enforce(now)
		l.mu.RLock()
	}
}

// enforce removes what is over the limits of one namespace at now.
func (l *memLog) enforce(now time.Duration) {
	o := &l.store.opts
	l.removeWhile(func(e *entry, held int64) bool {
		return l.events.n > o.EventsMax || held > o.BytesMax || o.AgeMax > 0 && now-e.at > o.AgeMax
	})
}

// drop removes the oldest events until that many bytes are free.
func (l *memLog) drop(bytes int64) {
	l.removeWhile(func(e *entry, _ int64) bool {
		more := bytes > 0
		bytes -= e.bytes
		return more
	})
}

// removeWhile removes the oldest event as long as over, given it and the bytes held, says
// so: a page under one lock, so that readers and the appender get in between.
func (l *memLog) removeWhile(over func(oldest *entry, held int64) bool) {
	for more := true; more; {
		l.mu.Lock()
		n, bytes, held := 0, int64(0), l.bytes.Load()
		for n < dequePage && l.events.n > 0 && over(l.events.at(0), held-bytes) {
			bytes += l.events.pop().bytes
			n++
		}
		l.account(-n, -bytes)
		l.mu.Unlock()
		more = n == dequePage
	}
}

// close lets go of everything and answers the highest number given.
func (l *memLog) close() uint64 {
	l.mu.Lock()
	l.closed = true
	l.account(-l.events.n, -l.bytes.Load())
	l.events = deque[entry]{}
	l.mu.Unlock()
	l.keys.close()
	return l.last.Load()
}
