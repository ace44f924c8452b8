package seglog

import (
	"errors"
	"io"
	"io/fs"
	"slices"
)

// A Reader reads records in their order, beginning anywhere. One goroutine uses it; any
// number of Readers may be open, while the Log is appended to and truncated. It holds one
// file and 256 KiB.
type Reader struct {
	l    *Log
	sc   scanner
	seg  *segment // nil: find it first
	last uint64   // last record of seg that may be read now

	next   uint64 // number of the record that Next gives
	framed uint64 // number of the first record of the frame at off
	off    int64
	search bool   // off is a guess: the border of a block
	body   []byte // records of the current frame from next on
	left   uint64 // how many
	err    error  // the end, for good
}

// Reader begins at number from, which may be one more than Last. Errors: ErrGone, ErrAhead.
func (l *Log) Reader(from uint64) (*Reader, error) {
	l.mu.RLock()
	first, last := l.first.Load(), l.last.Load()
	l.mu.RUnlock()
	switch {
	case from < first:
		return nil, ErrGone
	case from > last+1:
		return nil, ErrAhead
	}
	return &Reader{l: l, next: from}, nil
}

// Next gives the next record; it is valid until the following call. io.EOF says that there
// is none yet: it may be called again when something was appended. Other errors: ErrGone
// when the record was truncated meanwhile; a *CorruptError; those of the file system, after
// which it may be called again.
func (r *Reader) Next() (number uint64, record []byte, err error) {
	for r.left == 0 {
		if err := r.frame(); err != nil {
			return 0, nil, err
		}
	}
	record, r.body, err = parseRecord(r.body)
	if err != nil {
		return 0, nil, r.corrupt()
	}
	r.left--
	r.next++
	return r.next - 1, record, nil
}

// Close lets go of the file.
func (r *Reader) Close() error {
	r.err, r.left = ErrClosed, 0
	return r.sc.close()
}

// frame reads the next frame, and passes over what comes before next.
func (r *Reader) frame() error {
	if r.err != nil {
		return r.err
	}
	if r.seg == nil || r.next > r.last {
		if err := r.locate(); err != nil {
			return err
		}
	}
	payload, end, err := r.sc.payload(r.off, r.search)
	if errors.Is(err, errInvalid) {
		return r.corrupt()
	} else if err != nil {
		return err
	}
	delta, count, body, err := parseFrame(payload)
	number := r.seg.first + delta
	if err != nil || delta > numberMax || number > r.next || !r.search && number != r.framed || number+count-1 > r.last {
		return r.corrupt()
	}
	r.off, r.search, r.framed = end, false, number+count
	for ; number < r.next && count > 0; number++ {
		if _, body, err = parseRecord(body); err != nil {
			return r.corrupt()
		}
		count--
	}
	r.body, r.left = body, count
	return nil
}

// locate finds the segment that holds next, and how far it may be read.
func (r *Reader) locate() error {
	r.l.mu.RLock()
	s, newer := r.l.holder(r.next)
	if s == nil || r.next > s.last {
		r.l.mu.RUnlock()
		switch {
		case newer == nil:
			return io.EOF
		case s == nil:
			r.err = ErrGone
		default:
			r.err = &CorruptError{Path: s.path, Offset: s.end, Number: r.next, Resume: newer.first}
		}
		return r.err
	}
	last, limit := s.last, s.end
	place, placed := mark{headerEnd, s.first}, r.next == s.first
	if s != r.seg && !placed {
		if m, ok := s.nearest(r.next); ok {
			place, placed = m, true
		}
	}
	r.l.mu.RUnlock()
	if s != r.seg {
		if err := r.enter(s, limit, place, placed); err != nil {
			return err
		}
	}
	r.seg, r.last, r.sc.limit = s, last, limit
	return nil
}

// holder is the segment that has a number, if it is whole, and the one behind it. mu is held.
func (l *Log) holder(number uint64) (s, newer *segment) {
	for _, s = range slices.Backward(l.segs) {
		if s.first <= number {
			return s, newer
		}
		newer = s
	}
	return nil, newer
}

// enter opens a segment at a place from which next is not far; if none is known, it looks
// for one.
func (r *Reader) enter(s *segment, limit int64, place mark, placed bool) error {
	_ = r.sc.close()
	r.seg = nil
	f, err := r.l.o.FS.Open(s.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && r.next < r.l.First() {
			r.err = ErrGone
			return r.err
		}
		return err
	}
	r.sc.open(f, limit)
	r.off, r.search, r.framed = place.off, false, place.first
	if placed {
		return nil
	}
	if block := r.nearest(s, (limit-1)/blockBytes); block > 0 {
		r.off, r.search = block*blockBytes, true
	}
	return nil
}

// nearest is the last block up to high in which a frame begins that is not beyond next.
// Blocks without a beginning, or that can't be read, count as beyond it: then more is
// passed over.
func (r *Reader) nearest(s *segment, high int64) (low int64) {
	for low < high {
		mid := (low + high + 1) / 2
		r.sc.want = seekBytes
		kind, data, _, err := r.sc.beginning(mid * blockBytes)
		delta, _, _, ferr := parseFrame(data)
		if kind <= chunkFirst && err == nil && ferr == nil && delta < numberMax && s.first+delta <= r.next {
			low = mid
		} else {
			high = mid - 1
		}
	}
	r.sc.want = readBytesMin
	return low
}

// corrupt ends the reading, and says where.
func (r *Reader) corrupt() error {
	r.left = 0
	r.err = &CorruptError{Path: r.seg.path, Offset: r.off, Number: r.next, Resume: r.last + 1}
	return r.err
}
