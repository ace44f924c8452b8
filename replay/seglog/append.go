package seglog

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// category names our writes in the library's statistics.
const category vfs.DiskWriteCategory = "throng-log"

// Append adds the records as one batch: they get the numbers from Last()+1 on, or none of
// them is acknowledged. When it returns nil they have been handed to the operating system,
// and with Always they are on the disk. The slices stay the caller's.
//
// On an error nothing was added, and the next Append tries again, in a new segment; if the
// process ends before one could be begun, records of the refused batch may turn up after
// the next start. Errors: ErrClosed, ErrTooLarge, those of the file system (see Reason).
func (l *Log) Append(records [][]byte) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.closed {
		return ErrClosed
	}
	for _, r := range records {
		if len(r) > RecordBytesMax {
			return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(r), RecordBytesMax)
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := l.ready(); err != nil {
		return fmt.Errorf("seglog: %s: %w", l.dir, err)
	}
	if err := l.write(records); err != nil {
		l.abandon()
		return fmt.Errorf("seglog: %s: %w", l.dir, err)
	}
	return nil
}

// Rotate ends the newest segment, if it has records, and begins another, so that all that
// was appended may be truncated. Errors: ErrClosed, those of the file system.
func (l *Log) Rotate() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.tail != nil && l.tail.last < l.tail.first && !l.failed.Load() {
		return nil
	}
	l.abandon()
	if err := l.begin(); err != nil {
		return fmt.Errorf("seglog: %s: %w", l.dir, err)
	}
	return nil
}

// ready sees to it that there is a tail, with a file, and with room. appending is held.
func (l *Log) ready() error {
	if l.tail != nil && (l.failed.Load() || l.tail.end >= l.o.SegmentBytes) {
		l.abandon()
	}
	if l.tail == nil {
		return l.begin()
	}
	if l.file == nil {
		f, err := l.o.FS.OpenReadWrite(l.tail.path, category)
		if err != nil {
			return err
		}
		l.setTail(l.tail, f)
	}
	if l.framer == nil {
		l.framer = newFramer(l.tail.end)
	}
	return nil
}

// write adds records to the tail. appending is held.
func (l *Log) write(records [][]byte) error {
	t := l.tail
	b := l.framer.batch(t.first, t.last+1, records)
	if _, err := l.file.WriteAt(b, t.end); err != nil {
		return err
	}
	last := t.last + uint64(len(records))
	if l.o.Fsync == Always {
		l.syncing.Lock()
		err := l.file.SyncData()
		if err == nil {
			l.synced = last
		}
		l.syncing.Unlock()
		if err != nil {
			return err
		}
	}
	l.mu.Lock()
	if n := len(t.marks); n == 0 || t.end-t.marks[n-1].off >= markBytes {
		t.marks = append(t.marks, mark{t.end, t.last + 1})
	}
	t.last, t.end = last, t.end+int64(len(b))
	l.bytes.Add(int64(len(b)))
	l.last.Store(last)
	l.mu.Unlock()
	if l.o.Flusher != nil {
		l.o.Flusher.add(l)
	}
	return nil
}

// begin makes a new segment behind the last record. It counts only once its header and its
// name are on the disk. appending is held.
func (l *Log) begin() error {
	prev := l.held()
	l.seq++
	s := &segment{header: header{seq: l.seq, epoch: l.epoch, first: l.last.Load() + 1}}
	if prev != nil {
		s.prev = prev.seq
		if prev.unsynced || prev.suspect || prev.last+1 < s.first {
			s.flags = flagAfterUnsynced
		}
	}
	s.path = l.o.FS.PathJoin(l.dir, s.name())
	s.last, s.end, s.unsynced = s.first-1, headerEnd, l.o.Fsync == Never
	f, err := l.create(s)
	if err != nil {
		return err
	}
	l.setTail(s, f)
	l.framer = newFramer(headerEnd)
	l.failed.Store(false)

	l.mu.Lock()
	var empty *segment
	if n := len(l.segs); n > 0 && l.segs[n-1].last < l.segs[n-1].first {
		empty = l.segs[n-1]
		l.segs = l.segs[:n-1]
	}
	l.segs = append(l.segs, s)
	l.publish()
	l.mu.Unlock()
	if empty != nil {
		_ = remove(l.o.FS, empty.path) // nobody refers to it any more; the next start removes it too
	}
	return nil
}

// held is the newest segment, unless that has no record: then the one before it.
func (l *Log) held() *segment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := len(l.segs)
	if n > 0 && l.segs[n-1].last < l.segs[n-1].first {
		n--
	}
	if n == 0 {
		return nil
	}
	return l.segs[n-1]
}

// create writes the file of a new segment up to the end of its header.
func (l *Log) create(s *segment) (vfs.File, error) {
	f, err := l.o.FS.OpenReadWrite(s.path, category)
	if err != nil {
		return nil, err
	}
	framer := newFramer(0)
	defer framer.release()
	framer.out.b = framer.out.b[:0]
	framer.payload(s.encode())
	framer.flush()
	_, err = f.WriteAt(framer.out.b, 0)
	if err == nil { // with Never too: else a power cut could take the epoch back
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(l.o.FS, l.dir)
	}
	if err != nil {
		_ = f.Close()
		_ = remove(l.o.FS, s.path) // if it stays: without records it does no harm
		return nil, err
	}
	return f, nil
}

// abandon ends the tail as it is: what is behind its last acknowledged record does not
// count. All of it is forced to the disk before the next one is begun, so that a power cut
// takes from the end only; if the disk refuses, the next header says so. appending is held.
func (l *Log) abandon() {
	if l.tail == nil {
		return
	}
	if l.o.Fsync == Interval && !l.failed.Load() {
		l.report(l.flush())
	}
	l.syncing.Lock()
	if l.o.Fsync != Never && l.synced < l.tail.last {
		l.tail.suspect, l.lossy = true, true
	}
	l.syncing.Unlock()
	l.rest()
	l.setTail(nil, nil)
}

// report tells of a failure that no caller waits for.
func (l *Log) report(err error) {
	if err != nil && l.o.Report != nil {
		l.o.Report(err)
	}
}

// rest lets go of what an idle log does not need. appending is held.
func (l *Log) rest() {
	if l.framer != nil {
		l.framer.release()
		l.framer = nil
	}
	l.setTail(l.tail, nil)
}

// setTail replaces the tail and its file. appending is held.
func (l *Log) setTail(s *segment, f vfs.File) {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.file != nil {
		_ = l.file.Close()
	}
	if s != nil && s != l.tail {
		l.synced = s.first - 1
	}
	l.tail, l.file = s, f
}

// flush forces the tail to the disk, if something was appended since the last time. Appends
// go on meanwhile.
func (l *Log) flush() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.tail == nil || l.file == nil || l.failed.Load() {
		return nil
	}
	l.mu.RLock()
	last := l.tail.last
	l.mu.RUnlock()
	if last == l.synced {
		return nil
	}
	if err := l.file.SyncData(); err != nil {
		// The kernel forgets that the pages were dirty: another fsync would succeed and say
		// nothing. So this file is done with.
		l.failed.Store(true)
		return &SyncError{Path: l.tail.path, From: l.synced + 1, To: last, Err: err}
	}
	l.synced = last
	return nil
}
