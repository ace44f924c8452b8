package seglog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Recovery says what Open found, and what it had to drop.
type Recovery struct {
	Clean    bool   // the log was closed, or is new
	Epoch    uint64 // of the records from now on
	First    uint64 // oldest record held
	Last     uint64 // newest record held
	Records  uint64 // records held
	Segments int    // files held

	DroppedBytes int64  // bytes that can't be read any more, or that nothing leads to
	DroppedIn    string // one of the files they were in
	LostRecords  uint64 // records missing between others: the disk had refused to keep them, or with Never did not
}

// String is one line for a log.
func (r Recovery) String() string {
	s := fmt.Sprintf("clean=%t epoch=%d records=%d first=%d last=%d segments=%d", r.Clean, r.Epoch, r.Records, r.First, r.Last, r.Segments)
	if r.DroppedBytes > 0 {
		s += fmt.Sprintf(" dropped_bytes=%d dropped_in=%s", r.DroppedBytes, r.DroppedIn)
	}
	if r.LostRecords > 0 {
		s += fmt.Sprintf(" lost_records=%d", r.LostRecords)
	}
	return s
}

func (r *Recovery) drop(path string, bytes int64) {
	if bytes > 0 {
		r.DroppedBytes += bytes
		r.DroppedIn = path
	}
}

// found is a directory as it was found.
type found struct {
	segs  []*segment // with a header that can be read, by seq; end is the size of the file
	junk  []*segment // the others
	seq   uint64     // the highest that any name has, and so on
	epoch uint64
	first uint64
}

// Open opens the log in dir, and makes it if it is not there. It reads the header of each
// segment, and unless the log was closed properly all of the newest one (with Never: of all
// that were not on the disk for sure). Nobody else may have it open; see Lock.
func Open(dir string, o Options) (*Log, Recovery, error) {
	if err := o.check(); err != nil {
		return nil, Recovery{}, err
	}
	l := &Log{dir: dir, o: o}
	r, err := l.recover()
	if err != nil {
		return nil, r, fmt.Errorf("seglog: %s: %w", dir, err)
	}
	return l, r, nil
}

func (l *Log) recover() (Recovery, error) {
	var r Recovery
	if err := l.o.FS.MkdirAll(l.dir, dirMode); err != nil {
		return r, err
	}
	names, err := l.o.FS.List(l.dir)
	if err != nil {
		return r, err
	}
	f, err := l.find(names)
	if err != nil {
		return r, err
	}
	m, clean := readMarker(l.o.FS, l.dir)
	if clean && !m.fits(f) {
		clean = false
	}
	tail, err := l.chain(f, &m, clean, &r)
	if err != nil {
		return r, err
	}
	now := uint64(max(1, l.o.Now().UnixMilli()))
	l.seq = f.seq
	l.epoch = max(f.epoch+1, now)
	if clean {
		l.epoch = m.epoch
	}
	if len(l.segs) == 0 {
		l.last.Store(max(f.first, 1) - 1)
		if clean {
			l.last.Store(m.last)
		}
	}
	l.publish()
	if slices.Contains(names, markerName) {
		if err := takeMarker(l.o.FS, l.dir); err != nil {
			return r, err
		}
	}
	if f.seq == 0 {
		if err := syncAbove(l.o.FS, l.dir); err != nil {
			return r, err
		}
	}
	if !clean || tail {
		l.renew()
	}
	for _, s := range f.junk {
		_ = remove(l.o.FS, s.path) // if it stays, the next start finds it again
	}
	r.Clean, r.Epoch, r.First, r.Last, r.Segments = clean || f.seq == 0, l.epoch, l.First(), l.Last(), len(l.segs)
	r.Records = r.Last + 1 - r.First - r.LostRecords
	return r, nil
}

// renew begins the first segment of a new epoch, so that the epoch is on the disk before
// anybody hears of it; or one that hides what is behind the end of the newest. A disk that refuses will be asked again by the first Append.
func (l *Log) renew() {
	for _, s := range l.segs {
		if !s.unsynced || l.o.Fsync == Never {
			continue
		}
		if err := l.syncFile(s.path); err != nil {
			s.suspect, l.lossy = true, true
			l.report(&SyncError{Path: s.path, From: s.first, To: s.last, Err: err})
		}
		s.unsynced = false
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	_ = l.begin()
}

// syncFile forces a file that is not open to the disk.
func (l *Log) syncFile(path string) error {
	f, err := l.o.FS.OpenReadWrite(path, category)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// fits says whether a marker belongs to what was found.
func (m *marker) fits(f *found) bool {
	if m.seq == 0 {
		return len(f.segs) == 0 || f.segs[len(f.segs)-1].first == m.last+1
	}
	for _, s := range slices.Backward(f.segs) {
		if s.seq == m.seq {
			return s.end >= m.end && s.first <= m.last
		}
		if s.first != m.last+1 {
			return false // there is something newer
		}
	}
	return false
}

// find reads the headers of all segments.
func (l *Log) find(names []string) (*found, error) {
	f := &found{}
	var sc scanner
	defer sc.close()
	for _, name := range names {
		named, ok := parseName(name)
		if !ok {
			continue // not ours
		}
		f.seq, f.epoch, f.first = max(f.seq, named.seq), max(f.epoch, named.epoch), max(f.first, named.first)
		s := &segment{header: named, path: l.o.FS.PathJoin(l.dir, name)}
		ok, err := l.readHeader(&sc, s)
		if err != nil {
			return nil, err
		}
		if ok {
			f.segs = append(f.segs, s)
		} else {
			f.junk = append(f.junk, s)
		}
	}
	f.sort()
	for f.adopt() {
		f.sort()
	}
	return f, nil
}

func (f *found) sort() {
	slices.SortFunc(f.segs, func(a, b *segment) int { return cmp.Compare(a.seq, b.seq) })
}

// adopt takes one segment back whose header went bad on the disk: a header that can be read
// names it, so it was begun, and that is no torn beginning of a crash. Its records need no
// header, and its name says their numbers. What it does not say is taken with care: the one
// before is the next older that may have records, and may be torn.
func (f *found) adopt() bool {
	for _, newer := range f.segs {
		i := slices.IndexFunc(f.junk, func(s *segment) bool {
			return s.seq == newer.prev && s.first <= newer.first && s.end >= headerEnd
		})
		if i < 0 {
			continue
		}
		s := f.junk[i]
		f.junk = slices.Delete(f.junk, i, i+1)
		for _, older := range slices.Concat(f.segs, f.junk) {
			if older.seq < s.seq && older.first < s.first {
				s.prev = max(s.prev, older.seq)
			}
		}
		s.flags = flagAfterUnsynced
		f.segs = append(f.segs, s)
		return true
	}
	return false
}

// readHeader fills in what the name does not say. It answers false for a header that can't
// be read, which is what a crash while it was written leaves.
func (l *Log) readHeader(sc *scanner, s *segment) (ok bool, err error) {
	size, err := l.openScanner(sc, s.path)
	if err != nil {
		return false, err
	}
	s.end = size
	payload, _, err := sc.payload(0, false)
	if err != nil && !errors.Is(err, errInvalid) {
		return false, err
	}
	h, ok := parseHeader(payload)
	if !ok || h.seq != s.seq || h.epoch != s.epoch || h.first != s.first {
		return false, nil
	}
	s.header = h
	return true, nil
}

// openScanner lets sc read all of a file.
func (l *Log) openScanner(sc *scanner, path string) (size int64, err error) {
	_ = sc.close()
	f, err := l.o.FS.Open(path)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	sc.open(f, info.Size())
	return info.Size(), nil
}
