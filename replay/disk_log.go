package replay

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"throng/replay/seglog"
	"throng/sse"
)

// diskLog is the Log of one namespace on disk. One goroutine at a time may call Append,
// any goroutine everything else. Events are numbered without holes, across epochs too, and
// the number is the Minor of the ID: so a position is a number, and its epoch follows.
type diskLog struct {
	store   *Disk
	space   *space
	log     *seglog.Log
	recent  *recent
	readers diskReaders
	spans   []seglog.Span // epochs and their first numbers, oldest first, at least one; never changed

	last  atomic.Uint64 // newest number; written under state
	first atomic.Uint64 // number before the earliest event held; written under state

	expiry    atomic.Int64 // when the oldest mark will be too old, unix milliseconds; written under state
	unremoved atomic.Bool  // a file could not be removed

	io   sync.Mutex // held by Append and close; guards:
	shut bool

	keys keys

	state     sync.Mutex     // guards the rest, and what Stats adds up
	marks     deque[ageMark] // when events will be too old, oldest first
	newestMs  int64          // the latest time of an event, unix milliseconds
	bytesOver int64          // from which size on a file can go, by BytesMax
	gone      bool           // closed: counts for nothing more
}

// noExpiry is when nothing will be too old.
const noExpiry = math.MaxInt64

// epoch is the one of the next event.
func (l *diskLog) epoch() uint64 { return l.spans[len(l.spans)-1].Epoch }

// id is the ID of an event held, or of the position before the first.
func (l *diskLog) id(n uint64) sse.ID {
	i := len(l.spans) - 1
	for i > 0 && n < l.spans[i].First {
		i--
	}
	return sse.ID{Major: l.spans[i].Epoch, Minor: n}
}

// Last implements Log.
func (l *diskLog) Last() sse.ID { return l.id(l.last.Load()) }

// First implements Log.
func (l *diskLog) First() sse.ID {
	l.expire()
	return l.id(l.first.Load())
}

// Peek implements Log: the newest events are in memory.
func (l *diskLog) Peek(after, upTo sse.ID, dst []*sse.Event) (int, error) {
	from, to, err := l.window(after, upTo)
	if err != nil || from >= to || len(dst) == 0 {
		return 0, err
	}
	if n, ok := l.recent.after(l.id(from), l.id(to), dst); ok {
		return n, nil
	}
	return 0, ErrNotResident
}

// After implements Log. What is not in memory is read from the files; a damaged place in
// them is a gap, and Resume is behind it.
func (l *diskLog) After(ctx context.Context, after, upTo sse.ID, dst []*sse.Event) (int, error) {
	from, to, err := l.window(after, upTo)
	if err != nil || from >= to || len(dst) == 0 {
		return 0, err
	}
	if n, ok := l.recent.after(l.id(from), l.id(to), dst); ok {
		return n, nil
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return l.read(from, to, dst)
}

// window turns a range of IDs into a range of numbers, (from, to], or says what is gone.
// It does no I/O.
func (l *diskLog) window(after, upTo sse.ID) (from, to uint64, err error) {
	l.expire()
	first := l.first.Load() // before last: it never passes it
	last := l.last.Load()
	if after.Minor < first || !l.given(after, last) {
		return 0, 0, l.goneError(after, first, last)
	}
	return after.Minor, l.upTo(upTo, last), nil
}

// upTo is the number of the newest event whose ID is not above the one given, 0 if none is.
// The ID need not be one that was given.
func (l *diskLog) upTo(id sse.ID, last uint64) uint64 {
	for i := len(l.spans) - 1; i >= 0; i-- {
		switch span := l.spans[i]; {
		case span.Epoch == id.Major:
			return min(max(id.Minor, span.First-1), l.endOf(i, last))
		case span.Epoch < id.Major:
			return l.endOf(i, last)
		}
	}
	return 0
}

// given says whether an ID was given to an event up to last, or is the position before the
// first event of its epoch.
func (l *diskLog) given(id sse.ID, last uint64) bool {
	for i := len(l.spans) - 1; i >= 0; i-- {
		if span := l.spans[i]; span.Epoch == id.Major {
			return id.Minor <= l.endOf(i, last) && id.Minor+1 >= span.First
		}
	}
	// Before the first event ever, every epoch was at the same place.
	return id.Minor == 0 && id.Major > 0 && id.Major < l.epoch()
}

// endOf is the last number of the epoch at index i.
func (l *diskLog) endOf(i int, last uint64) uint64 {
	if i+1 < len(l.spans) {
		return l.spans[i+1].First - 1
	}
	return last
}

// goneError explains what is held instead. Nothing is left out that the client can lack: it
// had, in their order, all events before the one it names. So an ID beyond the end of its
// epoch, the event of which was lost in a crash, goes on at that end; one of an epoch
// that left nothing, where the next one begins; one from an epoch before all that is known, or
// after, at the very beginning.
func (l *diskLog) goneError(after sse.ID, first, last uint64) *GoneError {
	resume := first
	for i, span := range l.spans {
		if span.Epoch == after.Major && after.Minor > l.endOf(i, last) {
			resume = max(first, l.endOf(i, last))
		}
		if i > 0 && l.spans[i-1].Epoch < after.Major && after.Major < span.Epoch {
			resume = max(first, span.First-1)
		}
	}
	return &GoneError{Earliest: l.id(min(first+1, last)), Resume: l.id(resume)}
}

// close lets go of everything but the files.
func (l *diskLog) close() error {
	l.io.Lock()
	l.shut = true
	l.io.Unlock()
	l.truncate()
	l.readers.close()
	l.recent.close()
	l.keys.close()
	err := l.log.Close()
	l.weigh()
	l.state.Lock()
	l.gone = true
	l.store.events.Add(-int64(l.last.Load() - l.first.Load()))
	l.state.Unlock()
	return err
}

// weigh notes what the files take. Those of a closed log are for others to weigh.
func (l *diskLog) weigh() {
	l.state.Lock()
	defer l.state.Unlock()
	if l.gone {
		return
	}
	bytes := l.log.Bytes()
	l.store.bytes.Add(bytes - l.space.bytes.Swap(bytes))
}
