package replay

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"throng/sse"
)

// appendBytes appends an event with so many bytes of data.
func appendBytes(t *testing.T, l Log, n int) {
	t.Helper()
	batch := newBatch(1)
	batch[0].Event.Data = make([]byte, n)
	if err := l.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

// appendKey appends an event with a key, and answers what became of it.
func appendKey(t *testing.T, l Log, key string) Record {
	t.Helper()
	batch := newBatch(1)
	batch[0].Key = key
	if err := l.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return batch[0]
}

// TestDisk_TotalBytesOfMany: namespaces that are not open and have one file each give it up,
// too, their IDs rise nevertheless, and when there is nothing more to give up nobody looks.
func TestDisk_TotalBytesOfMany(t *testing.T) {
	const many, most = 60, 40 << 10
	var operations atomic.Int64 // a flush may go on beside us
	o := quietDisk(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(errorfs.Op) error {
		operations.Add(1)
		return nil
	})))
	o.TotalBytesMax, o.NamespacesMax, o.AgeMax = most, 4, 0
	s := mustDisk(t, "d", o)
	last := make(map[string]sse.ID)
	for i := range many {
		ns := fmt.Sprint("n", i)
		l := mustOpen(t, s, ns)
		appendBytes(t, l, 4000)
		last[ns] = l.Last()
		if err := s.Evict(ns); err != nil {
			t.Fatal(err)
		}
		if bytes := s.Stats().Bytes; bytes > most+5000+int64(i)*spaceBytesMin {
			t.Fatalf("%d namespaces take %d bytes, the limit is %d", i+1, bytes, most)
		}
	}
	s.opts.TotalBytesMax = 0 // from now on all is too much
	s.Sweep(time.Now())
	if bytes := s.Stats().Bytes; bytes > many*spaceBytesMin {
		t.Errorf("%d bytes are left", bytes)
	}
	before := operations.Load()
	s.Sweep(time.Now())
	if n := operations.Load() - before; n > 0 {
		t.Errorf("%d operations of the disk, and nothing can go", n)
	}
	for ns, before := range last {
		l := mustOpen(t, s, ns)
		if l.First() != before || l.Last() != before {
			t.Errorf("%s holds (%v, %v], and the last ID was %v", ns, l.First(), l.Last(), before)
		}
		if err := s.Evict(ns); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDisk_TrimIsBounded: of many files that have to go, one Append removes a few.
func TestDisk_TrimIsBounded(t *testing.T) {
	removed := 0
	o := quietDisk(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove {
			removed++
		}
		return nil
	})))
	o.SegmentBytes = 4096
	s := mustDisk(t, "d", o)
	l := mustOpen(t, s, "a")
	for range 50 {
		appendBytes(t, l, 5000)
	}
	s.opts.TotalBytesMax = 10_000
	s.trimAt.Store(10_000)
	removed = 0
	appendBytes(t, l, 1)
	if removed == 0 || removed > trimAppendMax {
		t.Errorf("%d files removed by one Append", removed)
	}
	s.Sweep(time.Now())
	if bytes := s.Stats().Bytes; bytes > 10_000 {
		t.Errorf("%d bytes are left after a Sweep", bytes)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDisk_ClosedLogRemovesNothing: whoever has taken a log for a sweep or a trim, and comes
// to it when it was evicted and opened again, leaves the files and the sums to the new one.
func TestDisk_ClosedLogRemovesNothing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	o := quietDisk(vfs.NewMem())
	o.SegmentBytes, o.RecentEventsMax, o.AgeMax, o.Now = 4096, 0, time.Hour, func() time.Time { return now }
	s := mustDisk(t, "d", o)
	stale := mustOpen(t, s, "a").(*diskLog)
	for range 20 {
		now = now.Add(time.Minute)
		appendBytes(t, stale, 3000)
	}
	if err := s.Evict("a"); err != nil {
		t.Fatal(err)
	}
	fresh := mustOpen(t, s, "a").(*diskLog)
	appendBytes(t, fresh, 10_000)
	first, events, bytes := fresh.First(), s.Stats().Events, s.Stats().Bytes
	stale.dropOldest()
	stale.sweep(now.Add(50 * time.Minute)) // for it some are too old already
	if got := mustRead(t, fresh, first, fresh.Last()); len(got) != 21 {
		t.Errorf("%d events of 21 are read", len(got))
	}
	if st := s.Stats(); st.Events != events || st.Bytes != bytes || fresh.space.bytes.Load() != fresh.log.Bytes() {
		t.Errorf("%d events, %d bytes counted; want %d, %d", st.Events, st.Bytes, events, bytes)
	}
	if err := stale.log.TruncateBefore(10); err == nil || !errors.Is(s.refused(err), ErrClosed) {
		t.Errorf("TruncateBefore after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDisk_KeysOutliveTheirEvents: a key is known after a restart though its event is not
// held any more; when its window is over the file goes, and before that for want of room.
func TestDisk_KeysOutliveTheirEvents(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	o := quietDisk(vfs.NewMem())
	o.SegmentBytes, o.EventsMax, o.KeyWindow, o.Now = 4096, 10, time.Minute, func() time.Time { return now }
	restart := func(s *Disk) (*Disk, Log) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustDisk(t, "d", o)
		return s, mustOpen(t, s, "a")
	}
	s := mustDisk(t, "d", o)
	l := mustOpen(t, s, "a")
	id := appendKey(t, l, "k").Event.ID
	for range 40 {
		appendBytes(t, l, 1000)
	}
	s, l = restart(s)
	if r := appendKey(t, l, "k"); !r.Duplicate || r.Event.ID != id {
		t.Errorf("the key stands for %v now, and stood for %v", r.Event.ID, id)
	}
	if l.Last().Minor-l.First().Minor != 10 || s.Stats().Events != 10 {
		t.Errorf("(%v, %v] is held, %d events counted; want 10", l.First(), l.Last(), s.Stats().Events)
	}
	now = now.Add(2 * time.Minute)
	for range 2 { // keys, then files
		s.Sweep(now)
	}
	if bytes := s.Stats().Bytes; bytes > 20_000 {
		t.Errorf("%d bytes are held when no key is known any more", bytes)
	}

	appendKey(t, l, "k2")
	s.opts.BytesMax, o.BytesMax = 8000, 8000
	for range 40 {
		appendBytes(t, l, 1000)
	}
	if bytes := s.Stats().Bytes; bytes > 8000+2*4096 {
		t.Errorf("%d bytes are held for a key, and the limit is 8000", bytes)
	}
	s, l = restart(s)
	if r := appendKey(t, l, "k2"); r.Duplicate {
		t.Error("a key is known whose file went for want of room")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
