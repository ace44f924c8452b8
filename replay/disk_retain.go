package replay

import (
	"errors"
	"time"

	"throng/replay/seglog"
)

// ageMarks is into how many parts AgeMax is divided: events age in such parts, since the
// time of each would be 8 bytes of memory.
const ageMarks = 64

// An ageMark says that every event up to a number is at least as old as ms, and those of
// this mark at most as old as since. Unix milliseconds.
type ageMark struct {
	number    uint64
	since, ms int64
}

// mark notes the time of the newest event. A clock that was set back does not make events
// older than those before them. state is held.
func (l *diskLog) mark(number uint64, ms int64) {
	ageMax := l.store.opts.AgeMax.Milliseconds()
	if ageMax == 0 {
		return
	}
	ms = max(ms, l.newestMs)
	l.newestMs = ms
	if n := l.marks.n; n > 0 {
		if m := l.marks.at(n - 1); ms-m.since <= ageMax/ageMarks {
			m.number, m.ms = number, ms
			l.expiry.Store(l.marks.at(0).ms + ageMax)
			return
		}
	}
	l.marks.push(ageMark{number: number, since: ms, ms: ms})
	l.expiry.Store(l.marks.at(0).ms + ageMax)
}

// expire moves first behind what is too old. It does no I/O.
func (l *diskLog) expire() {
	if l.store.opts.AgeMax > 0 {
		l.expireAt(l.store.opts.Now())
	}
}

// expireAt is expire at some time.
func (l *diskLog) expireAt(now time.Time) {
	ageMax, ms := l.store.opts.AgeMax.Milliseconds(), now.UnixMilli()
	if ageMax == 0 || ms <= l.expiry.Load() {
		return
	}
	l.state.Lock()
	defer l.state.Unlock()
	for l.marks.n > 0 && ms-l.marks.at(0).ms > ageMax {
		l.raise(l.marks.pop().number)
	}
	l.expiry.Store(noExpiry)
	if l.marks.n > 0 {
		l.expiry.Store(l.marks.at(0).ms + ageMax)
	}
}

// raise moves first up to a number. state is held.
func (l *diskLog) raise(to uint64) {
	if from := l.first.Load(); to > from {
		l.first.Store(to)
		if !l.gone {
			l.store.events.Add(-int64(to - from))
		}
	}
}

// limitEvents moves first behind what is too much. state is held.
func (l *diskLog) limitEvents(last uint64) {
	if eventsMax := uint64(l.store.opts.EventsMax); last > eventsMax {
		l.raise(last - eventsMax)
	}
}

// enforce removes what is over the limits of one namespace: first moves, and files go that
// hold nothing else.
func (l *diskLog) enforce(now time.Time) {
	l.expireAt(now)
	l.limitBytes()
	l.truncate()
	l.weigh()
}

// limitBytes gives up the oldest files while the others hold BytesMax.
func (l *diskLog) limitBytes() {
	bytes, bytesMax := l.log.Bytes(), l.store.opts.BytesMax
	l.state.Lock()
	if bytes <= bytesMax || bytes < l.bytesOver {
		l.state.Unlock()
		return
	}
	segs := l.log.Segments()
	i := 0
	for ; i < len(segs)-1 && bytes-segs[i].Bytes >= bytesMax; i++ {
		bytes -= segs[i].Bytes
	}
	l.bytesOver = bytesMax + segs[i].Bytes
	first := segs[i].First - 1
	if i > 0 {
		l.raise(first)
	}
	l.state.Unlock()
	if i > 0 {
		l.removeBefore(l.needed(first)) // with their keys: this limit comes first
	}
}

// truncate removes files that hold nothing behind first, and no key that is known: a start
// finds the keys in the files.
func (l *diskLog) truncate() {
	l.removeBefore(min(l.needed(l.first.Load()), l.keys.oldest()))
}

// needed is the oldest number whose file can't go when first is the position before all that
// is held. The file that tells the epoch of first stays, if the next one is of a later epoch:
// so that who was there knows it again after a restart.
func (l *diskLog) needed(first uint64) uint64 {
	if l.id(first).Major != l.id(first+1).Major {
		return first
	}
	return first + 1
}

// removeBefore removes files whose events all have numbers below n, unless the log is closed:
// then another may have them. A failure is told once; every later call tries again.
func (l *diskLog) removeBefore(n uint64) {
	err := l.log.TruncateBefore(n)
	if errors.Is(err, seglog.ErrClosed) {
		return
	}
	if failed := err != nil; l.unremoved.Swap(failed) != failed && failed {
		l.store.opts.Log.Warn("a file that is not needed can't be removed", "namespace", l.space.name, "error", err)
	}
	l.follow()
}

// follow moves first up to where the files begin. They may begin later than what was to be
// kept, if a disk had lost events between others.
func (l *diskLog) follow() {
	l.state.Lock()
	defer l.state.Unlock()
	l.raise(l.log.First() - 1)
}

// dropOldest gives up the oldest file of an open log, if it is not the newest too.
func (l *diskLog) dropOldest() {
	if segs := l.log.Segments(); len(segs) > 1 {
		l.state.Lock()
		l.raise(segs[1].First - 1)
		l.state.Unlock()
		l.removeBefore(segs[1].First)
		l.weigh()
	}
}

// sweep is what a log does about once a second.
func (l *diskLog) sweep(now time.Time) {
	l.enforce(now)
	l.recent.forget(l.id(l.first.Load()))
	l.keys.sweep(l.store.since(now))
	l.readers.sweep()
}
