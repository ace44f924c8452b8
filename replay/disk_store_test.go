package replay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"throng/replay/seglog"
	"throng/sse"
)

// TestDisk_SecondProcessIsRefused: a directory has one store. The second process is this
// test binary, started again.
func TestDisk_SecondProcessIsRefused(t *testing.T) {
	if dir := os.Getenv("THRONG_TEST_LOCKED_DIR"); dir != "" {
		s, err := NewDisk(dir, quietDisk(vfs.Default))
		if err == nil {
			t.Error("opened")
			_ = s.Close()
		}
		fmt.Println("answer:", err)
		return
	}
	dir := t.TempDir()
	s := mustDisk(t, dir, quietDisk(vfs.Default))
	if _, err := NewDisk(dir, quietDisk(vfs.Default)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("in this process: %v", err)
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDisk_SecondProcessIsRefused$")
	again.Env = append(os.Environ(), "THRONG_TEST_LOCKED_DIR="+dir)
	if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "in use by another process") {
		t.Errorf("in another process: %v\n%s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustDisk(t, dir, quietDisk(vfs.Default)).Close(); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// TestDisk_OneNamespaceWaitsAlone: while the disk is stuck for one namespace, others are
// opened, appended to, read and evicted.
func TestDisk_OneNamespaceWaitsAlone(t *testing.T) {
	stuck, entered := make(chan struct{}), make(chan struct{}, 100)
	o := quietDisk(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "/stuck") {
			entered <- struct{}{}
			<-stuck
		}
		return nil
	})))
	s := mustDisk(t, "d", o)
	answers := make(chan error, 1)
	go func() {
		l, err := s.Open("stuck")
		if err == nil {
			err = l.Append(t.Context(), newBatch(1))
		}
		answers <- err
	}()
	<-entered
	for _, ns := range []string{"b", "c"} {
		l := mustOpen(t, s, ns)
		mustAppend(t, l, 10)
		if got := mustRead(t, l, l.First(), l.Last()); len(got) != 10 {
			t.Errorf("%d events read", len(got))
		}
		s.Sweep(time.Now())
		s.Stats()
		if err := s.Evict(ns); err != nil {
			t.Error(err)
		}
	}
	close(stuck)
	go func() { // never more than the channel takes, but for this test's life
		for range entered {
		}
	}()
	if err := <-answers; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	close(entered)
}

// TestDisk_BytesAreBounded: at least BytesMax is held, and at most one segment more; and the
// store's sum is that of the files.
func TestDisk_BytesAreBounded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seedOf(t, "TestDisk_BytesAreBounded"), 0))
	o := quietDisk(vfs.NewMem())
	o.BytesMax, o.SegmentBytes = 50_000, 8192
	s := mustDisk(t, "d", o)
	const batchBytes = 60 * 250 // a segment ends behind the batch that makes it too large
	for _, ns := range []string{"a", "b"} {
		l := mustOpen(t, s, ns)
		for i := range 100 {
			batch := newBatch(1 + rnd.IntN(60))
			for j := range batch {
				batch[j].Event.Data = make([]byte, rnd.IntN(200))
			}
			if err := l.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if bytes := l.(*diskLog).log.Bytes(); bytes > o.BytesMax+o.SegmentBytes+2*batchBytes || i > 50 && bytes < o.BytesMax {
				t.Fatalf("%d bytes held", bytes)
			}
		}
	}
	var files int64
	for _, ns := range []string{"a", "b"} {
		names, err := o.FS.List(s.path(ns))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			info, err := o.FS.Stat(o.FS.PathJoin(s.path(ns), name))
			if err != nil {
				t.Fatal(err)
			}
			files += info.Size()
		}
	}
	if got := s.Stats().Bytes; got != files {
		t.Errorf("%d bytes counted, %d in files", got, files)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustDisk(t, "d", o)
	if got := s.Stats().Bytes; got < files || got > files+1000 { // marks of a proper end beside them
		t.Errorf("%d bytes found at the start, %d in files", got, files)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDisk_AgesWhileEvicted: files of namespaces that nobody opens go when their time has
// come, all but the newest of each.
func TestDisk_AgesWhileEvicted(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	o := quietDisk(vfs.NewMem())
	o.SegmentBytes, o.AgeMax, o.Now = 4096, time.Hour, func() time.Time { return now }
	s := mustDisk(t, "d", o)
	ids := make(map[string]sse.ID)
	for _, ns := range []string{"a", "b", "c"} {
		l := mustOpen(t, s, ns)
		for range 20 {
			mustAppend(t, l, 100)
		}
		ids[ns] = l.Last()
		if err := s.Evict(ns); err != nil {
			t.Fatal(err)
		}
	}
	before := s.Stats().Bytes
	now = now.Add(2 * time.Hour)
	for range 3 {
		s.Sweep(now)
	}
	if after := s.Stats().Bytes; after > before/3 {
		t.Errorf("%d bytes of %d are held", after, before)
	}
	for ns, last := range ids {
		l := mustOpen(t, s, ns)
		if l.Last() != last || l.First() != last {
			t.Errorf("%s: first %v, last %v; want both %v", ns, l.First(), l.Last(), last)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDisk_ReadersAreReused: reading on opens no file again, waiting readers are bounded,
// and go when nobody comes back. What is in memory is read without any allocation.
func TestDisk_ReadersAreReused(t *testing.T) {
	opened := 0
	o := quietDisk(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpOpen {
			opened++
		}
		return nil
	})))
	o.Fsync, o.RecentEventsMax = seglog.Never, 100
	s := mustDisk(t, "d", o)
	l := mustOpen(t, s, "a").(*diskLog)
	mustAppend(t, l, 5000)
	opened = 0
	if got := readPages(t, l, l.First(), l.Last(), make([]*sse.Event, 16)); len(got) != 5000 || opened != 1 {
		t.Errorf("%d events read, %d files opened", len(got), opened)
	}
	page := make([]*sse.Event, 1)
	for i := range uint64(50) {
		if _, err := l.After(t.Context(), l.id(1000+10*i), l.Last(), page); err != nil {
			t.Fatal(err)
		}
		if n := s.waiting.Load(); n > readersLogMax {
			t.Fatalf("%d readers wait", n)
		}
	}
	for range readerSweepsMax + 1 {
		s.Sweep(time.Now())
	}
	if n := s.waiting.Load(); n != 0 {
		t.Errorf("%d readers wait for nobody", n)
	}
	page = make([]*sse.Event, 64)
	from, last := l.id(4950), l.Last()
	if n := testing.AllocsPerRun(100, func() {
		if n, err := l.Peek(from, last, page); n != 50 || err != nil {
			t.Fatal(n, err)
		}
		l.First()
		l.Last()
	}); n != 0 {
		t.Errorf("Peek allocates %v times", n)
	}
	if _, err := l.Peek(l.id(10), last, page); !errors.Is(err, ErrNotResident) {
		t.Errorf("Peek: %v, want ErrNotResident", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDisk_DirectoriesAreBounded: a namespace without events gives way to a new one, one
// with events does not, and IDs rise even where the directory was removed.
func TestDisk_DirectoriesAreBounded(t *testing.T) {
	o := quietDisk(vfs.NewMem())
	o.DirsMax = 3
	o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) } // a clock that stands still
	s := mustDisk(t, "d", o)
	mustAppend(t, mustOpen(t, s, "full"), 3)
	before := make(map[string]sse.ID)
	for i := range 50 {
		ns := fmt.Sprint("n", i%7)
		l := mustOpen(t, s, ns)
		if last, known := before[ns]; known && l.Last().Less(last) {
			t.Errorf("%s: the position is %v, and was %v", ns, l.Last(), last)
		}
		before[ns] = l.Last()
		if err := s.Evict(ns); err != nil {
			t.Fatal(err)
		}
		if names, err := o.FS.List(o.FS.PathJoin("d", spacesDir)); err != nil || len(names) > 3 {
			t.Fatalf("%d directories: %v", len(names), err)
		}
	}
	for _, ns := range []string{"n0", "n1"} {
		mustOpen(t, s, ns)
	}
	if _, err := s.Open("n2"); !errors.Is(err, ErrNamespaces) {
		t.Errorf("Open: %v, want ErrNamespaces", err)
	}
	if l := mustOpen(t, s, "full"); l.Last().Minor != 3 || l.First().Minor != 0 {
		t.Errorf("the one with events holds (%v, %v]", l.First(), l.Last())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
