package seglog

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Log is one directory of records. Append has one caller at a time; all else may be
// called by any goroutine, during an Append too.
type Log struct {
	dir string
	o   Options

	last   atomic.Uint64 // number of the newest record; written under mu
	first  atomic.Uint64 // number of the oldest one held, or last+1; written under mu
	bytes  atomic.Int64  // of all segments; written under mu
	failed atomic.Bool   // a flush of the tail failed: the next Append begins a new one
	fresh  atomic.Bool   // something was appended since the last tick

	appending sync.Mutex // held by Append, Close, and whoever removes files or lets the log rest; guards:
	epoch     uint64     // of segments that are begun from now on
	seq       uint64     // of the newest file ever
	framer    *framer    // nil: at rest
	lossy     bool       // some segment is suspect: no mark of a proper end is left
	closed    bool
	active    bool // the Flusher ticks

	syncing sync.Mutex // held while the tail is flushed, opened or closed; guards:
	tail    *segment   // what is appended to, written under appending too; nil: begin one first
	file    vfs.File   // the tail's; nil: at rest
	synced  uint64     // records of the tail up to this one are on the disk
	idle    int        // ticks without an Append; the Flusher's alone

	mu     sync.RWMutex // guards the table, and the ends of segments:
	segs   []*segment   // what counts, oldest first, without holes; the tail is the last of it
	doomed []string     // truncated files that could not be removed; written under appending too
}

// A Span is the first record of an epoch.
type Span struct{ Epoch, First uint64 }

// A Segment describes one file: Last is First-1 while it holds no record.
type Segment struct {
	Epoch, First, Last uint64
	Bytes              int64
}

// Last is the number of the newest record, 0 if there never was one.
func (l *Log) Last() uint64 { return l.last.Load() }

// First is the number of the oldest record held; Last()+1 when none is.
func (l *Log) First() uint64 { return l.first.Load() }

// Bytes is the size of all files that count.
func (l *Log) Bytes() int64 { return l.bytes.Load() }

// Epoch is the one of the next record. It is on the disk once there is a record of it; before
// that, a start that finds the disk refusing may give it to another.
func (l *Log) Epoch() uint64 { return l.epoch }

// Epochs lists the epochs of the records held, oldest first. The First of the oldest is the
// oldest number held; records of the others begin with theirs.
func (l *Log) Epochs() []Span {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var spans []Span
	for _, s := range l.segs {
		if s.last < s.first {
			continue
		}
		if n := len(spans); n == 0 || spans[n-1].Epoch != s.epoch {
			spans = append(spans, Span{s.epoch, s.first})
		}
	}
	return spans
}

// holes counts the records that are missing between others.
func (l *Log) holes() (n uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range max(len(l.segs), 1) - 1 {
		n += l.segs[i+1].first - 1 - l.segs[i].last
	}
	return n
}

// Segments lists the files that count, oldest first.
func (l *Log) Segments() []Segment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]Segment, len(l.segs))
	for i, s := range l.segs {
		out[i] = Segment{s.epoch, s.first, s.last, s.end}
	}
	return out
}

// publish makes what changed in the table known. mu is held.
func (l *Log) publish() {
	var bytes int64
	for _, s := range l.segs {
		bytes += s.end
	}
	l.bytes.Store(bytes)
	if n := len(l.segs); n > 0 {
		l.last.Store(l.segs[n-1].last)
		l.first.Store(l.segs[0].first)
	} else {
		l.first.Store(l.last.Load() + 1)
	}
}

// TruncateBefore forgets whole segments whose records all have numbers below n. The newest
// one is kept always. A file that can't be removed is tried again by the next call, and
// comes back with the next start if that never works; so it does after a power cut that
// comes soon. The error is that of the removal: the records are forgotten nevertheless. After
// Close it is ErrClosed, and nothing is removed: the files may be those of another Log by then.
// It waits for an Append that is under way, if there is something to remove.
func (l *Log) TruncateBefore(n uint64) error {
	l.mu.RLock()
	idle := l.below(n) == 0 && len(l.doomed) == 0
	l.mu.RUnlock()
	if idle {
		return nil
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.mu.Lock()
	k := l.below(n)
	for _, s := range l.segs[:k] {
		l.doomed = append(l.doomed, s.path)
	}
	l.segs = slices.Delete(l.segs, 0, k)
	if k > 0 {
		l.publish()
	}
	doomed := slices.Clone(l.doomed)
	l.mu.Unlock()

	var first error
	doomed = slices.DeleteFunc(doomed, func(path string) bool {
		err := remove(l.o.FS, path)
		if first == nil {
			first = err
		}
		return err == nil
	})
	l.mu.Lock()
	l.doomed = doomed
	l.mu.Unlock()
	return first
}

// below counts the segments that hold nothing from record n on, but for the newest. mu is
// held.
func (l *Log) below(n uint64) (k int) {
	for k < len(l.segs)-1 && l.segs[k].last < n {
		k++
	}
	return k
}
