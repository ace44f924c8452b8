package replay

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"throng/replay/seglog"
	"throng/sse"
)

const (
	readersLogMax    = 4       // readers of one namespace that wait for their next page
	readerSweepsMax  = 10      // sweeps that a reader waits: then its client is slow, or gone
	pageReadBytesMax = 1 << 20 // events of one page: it ends with the first that passes it
)

// A diskReader reads pages one after the other. It belongs to whoever took it.
type diskReader struct {
	r      *seglog.Reader
	next   uint64 // number of the event that comes next
	decode recordDecoder
	data   []byte // of the events that are not sealed yet
	sweeps int
}

// diskReaders are the readers of one log that wait for the next page of who used them, so
// that reading on costs no search. Any goroutine may use them.
type diskReaders struct {
	total *atomic.Int64 // of the whole store

	mu     sync.Mutex
	idle   []*diskReader // the one that came back last is the last
	closed bool
}

// take gives the reader that goes on with number n, or a new one.
func (d *diskReaders) take(log *seglog.Log, n uint64) (*diskReader, error) {
	d.mu.Lock()
	for i, r := range d.idle {
		if r.next == n {
			d.remove(i)
			d.mu.Unlock()
			return r, nil
		}
	}
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	r, err := log.Reader(n)
	if err != nil {
		return nil, err
	}
	return &diskReader{r: r, next: n}, nil
}

// remove takes one off the list. mu is held.
func (d *diskReaders) remove(i int) {
	d.idle = slices.Delete(d.idle, i, i+1)
	d.total.Add(-1)
}

// give keeps a reader for the next page, and closes another if there are too many.
func (d *diskReaders) give(r *diskReader) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) == readersLogMax || len(d.idle) > 0 && d.total.Load() >= readersMax {
		d.idle[0].close()
		d.remove(0)
	}
	if d.closed || d.total.Load() >= readersMax {
		r.close()
		return
	}
	r.sweeps = 0
	d.idle = append(d.idle, r)
	d.total.Add(1)
}

// sweep closes readers that nobody came back for.
func (d *diskReaders) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.idle) - 1; i >= 0; i-- {
		if d.idle[i].sweeps++; d.idle[i].sweeps > readerSweepsMax {
			d.idle[i].close()
			d.remove(i)
		}
	}
}

// close closes them all; those that are in use are closed when they come back.
func (d *diskReaders) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for len(d.idle) > 0 {
		d.idle[0].close()
		d.remove(0)
	}
}

// close lets go of the file.
func (r *diskReader) close() { _ = r.r.Close() } // it was only read

// read fills dst with the events (from, to], which window has found to be held.
func (l *diskLog) read(from, to uint64, dst []*sse.Event) (n int, err error) {
	r, err := l.readers.take(l.log, from+1)
	if err != nil {
		return 0, l.unreadable(from, err)
	}
	n, err = r.page(l, to, dst)
	if err != nil {
		r.close()
		if n == 0 {
			return 0, l.unreadable(from, err)
		}
		return n, nil // whoever reads on from there is told
	}
	l.readers.give(r)
	return n, nil
}

// unreadable makes the answer for a reader who could not be given what follows from.
func (l *diskLog) unreadable(from uint64, err error) error {
	var damage *seglog.CorruptError
	resume := from + 1 // one event that is no event
	switch {
	case errors.Is(err, ErrClosed):
		return ErrClosed
	case errors.Is(err, seglog.ErrGone):
		l.follow()
		return l.goneError(l.id(from), l.first.Load(), l.last.Load())
	case errors.As(err, &damage):
		resume = max(resume, damage.Resume-1)
	case !errors.Is(err, errRecord):
		return &UnavailableError{Reason: diskReason(err), Err: err}
	}
	l.store.opts.Log.Error("events can't be read, and are told as a gap", "namespace", l.space.name,
		"from", l.id(from+1).String(), "to", l.id(resume).String(), "error", err)
	last := l.last.Load()
	return &GoneError{Earliest: l.id(min(resume+1, last)), Resume: l.id(min(resume, last))}
}

// page reads events up to number to into dst, sealed.
func (r *diskReader) page(l *diskLog, to uint64, dst []*sse.Event) (n int, err error) {
	for bytes := 0; err == nil && n < len(dst) && r.next <= to && bytes < pageReadBytesMax; {
		slab := make([]sse.Event, min(uint64(len(dst)-n), to+1-r.next, dequePage))
		r.data = r.data[:0]
		got := 0
		for got < len(slab) && len(r.data) < pageReadBytesMax {
			e := &slab[got]
			if err = r.event(l, e); err != nil {
				break
			}
			dst[n+got] = e
			got++
		}
		sse.SealAll(dst[n : n+got])
		bytes += len(r.data)
		n += got
	}
	if cap(r.data) > pageReadBytesMax {
		r.data = nil
	}
	return n, err
}

// event reads the next event; its data is part of r.data, until it is sealed.
func (r *diskReader) event(l *diskLog, e *sse.Event) error {
	number, record, err := r.r.Next()
	if err != nil {
		return err
	}
	if number != r.next {
		return io.ErrUnexpectedEOF
	}
	v, err := parseRecord(record)
	if err != nil {
		return err
	}
	r.next++
	from := len(r.data)
	r.data = append(r.data, v.data...)
	v.data = r.data[from:]
	r.decode.decode(&v, e)
	e.ID = l.id(number)
	return nil
}
