package seglog

import (
	"errors"
	"slices"
)

// chain finds the segments that count: the newest, the one that its header names, and so
// on. It scans those that may be torn. What nothing leads to becomes junk. It answers
// whether something that does not count is behind the end of the newest.
func (l *Log) chain(f *found, m *marker, clean bool, r *Recovery) (tail bool, err error) {
	var sc scanner
	defer sc.close()
	for _, s := range f.junk {
		r.drop(s.path, s.end)
	}
	var newer *segment // the one that was taken last
	for _, s := range slices.Backward(f.segs) {
		if newer != nil && s.seq != newer.prev {
			f.junk = append(f.junk, s)
			if s.seq < newer.prev {
				r.drop(s.path, s.end) // the one between them is not there
			}
			continue
		}
		size := s.end
		if err := l.settle(&sc, s, newer, m, clean, r); err != nil {
			return false, err
		}
		tail = tail || s.end < size && (newer == nil || s.seq == m.seq)
		l.segs = append(l.segs, s)
		newer = s
	}
	slices.Reverse(l.segs)
	for len(l.segs) > 1 && l.segs[0].last < l.segs[0].first { // torn, with nothing before it
		f.junk = append(f.junk, l.segs[0])
		l.segs = l.segs[1:]
	}
	r.LostRecords = l.holes()
	return tail, nil
}

// settle finds out where the records of s end.
func (l *Log) settle(sc *scanner, s, newer *segment, m *marker, clean bool, r *Recovery) error {
	switch {
	case clean && s.seq == m.seq:
		s.last, s.end = m.last, m.end
		return nil
	case newer == nil && clean: // begun, and never appended to
		s.last, s.end = s.first-1, headerEnd
		return nil
	case newer != nil && (clean || newer.flags&flagAfterUnsynced == 0):
		s.last = max(newer.first, s.first) - 1
		return nil
	}
	limit := uint64(numberMax)
	if newer != nil {
		limit = newer.first - 1
	}
	size, err := l.openScanner(sc, s.path)
	if err != nil {
		return err
	}
	s.unsynced = !clean
	if s.last, s.end, err = scan(sc, &s.header, limit); err != nil {
		return err
	}
	if newer == nil || s.last < limit {
		r.drop(s.path, size-s.end)
	}
	return nil
}

// scan reads frames for as long as they are whole and follow each other, and no record
// above limit. It answers the last record and where it ends.
func scan(sc *scanner, h *header, limit uint64) (last uint64, end int64, err error) {
	last, end = h.first-1, headerEnd
	for err == nil && last < limit {
		var payload []byte
		var next int64
		payload, next, err = sc.payload(end, false)
		if err != nil {
			break
		}
		count, ok := wholeFrame(payload, last+1-h.first)
		if !ok || last+count > limit {
			break
		}
		last, end = last+count, next
	}
	if errors.Is(err, errInvalid) {
		err = nil
	}
	return last, end, err
}

// wholeFrame checks a frame down to the last record.
func wholeFrame(payload []byte, want uint64) (count uint64, ok bool) {
	delta, count, body, err := parseFrame(payload)
	if err != nil || delta != want {
		return 0, false
	}
	for range count {
		if _, body, err = parseRecord(body); err != nil {
			return 0, false
		}
	}
	return count, len(body) == 0
}
