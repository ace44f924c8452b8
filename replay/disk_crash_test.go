package replay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
	"throng/sse"
)

// TestDisk_IntervalLosesASuffix: what a power cut takes with seglog.Interval came after the
// last flush, and is missing from the end only.
func TestDisk_IntervalLosesASuffix(t *testing.T) {
	n := seedOf(t, "TestDisk_IntervalLosesASuffix")
	for round := range uint64(25) {
		rnd := rand.New(rand.NewPCG(n, round))
		disk := vfs.NewCrashableMem()
		o := quietDisk(disk)
		o.FsyncInterval = time.Minute // we flush ourselves
		o.SegmentBytes = int64(4096 + rnd.IntN(10_000))
		s := mustDisk(t, "d", o)
		l := mustOpen(t, s, "a")
		var all []*sse.Event
		flushed := 0
		for range rnd.IntN(30) {
			for _, r := range mustAppend(t, l, 1+rnd.IntN(100)) {
				all = append(all, r.Event)
			}
			if rnd.IntN(5) == 0 {
				if err := l.(*diskLog).log.Sync(); err != nil {
					t.Fatal(err)
				}
				flushed = len(all)
			}
		}
		o.FS = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustDisk(t, "d", o)
		l = mustOpen(t, s, "a")
		held := mustRead(t, l, l.First(), l.Last())
		if len(held) < flushed || l.First().Minor != 0 {
			t.Fatalf("round %d: %d events held after %v, %d were flushed", round, len(held), l.First(), flushed)
		}
		for i, e := range held {
			if e.ID != all[i].ID || string(e.Data) != string(all[i].Data) {
				t.Fatalf("round %d: event %d is %v %q, want %v %q", round, i, e.ID, e.Data, all[i].ID, all[i].Data)
			}
		}
		if len(held) < len(all) { // who saw the lost ones is told, and goes on behind what is held
			earliest := l.Last()
			if len(held) > 0 {
				earliest = held[0].ID
			}
			wantGone(t, l, all[len(held)].ID, earliest, l.Last())
		}
		if id := mustAppend(t, l, 1)[0].Event.ID; len(all) > 0 && !all[len(all)-1].ID.Less(id) {
			t.Fatalf("round %d: %v was given after %v", round, id, all[len(all)-1].ID)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDisk_IntervalFlushes: nobody has to append or sweep for a flush to come.
func TestDisk_IntervalFlushes(t *testing.T) {
	disk := vfs.NewCrashableMem()
	o := quietDisk(disk)
	o.FsyncInterval = time.Millisecond
	s := mustDisk(t, "d", o)
	defer s.Close()
	mustAppend(t, mustOpen(t, s, "a"), 10)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		o.FS = disk.CrashClone(vfs.CrashCloneCfg{})
		after := mustDisk(t, "d", o)
		last := mustOpen(t, after, "a").Last().Minor
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
		if last == 10 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events of 10 are on the disk after 10 s", last)
		}
	}
}

// TestDisk_EpochSurvivesAnEmptyRun: a start that appends nothing does not give its epoch to
// the next one after a crash, and IDs that were lost are not given again.
func TestDisk_EpochSurvivesAnEmptyRun(t *testing.T) {
	for _, policy := range []seglog.Policy{seglog.Always, seglog.Interval, seglog.Never} {
		disk := vfs.NewCrashableMem()
		o := quietDisk(disk)
		o.Fsync, o.FsyncInterval = policy, time.Minute
		o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) } // a clock that stands still
		var highest sse.ID
		for run := range 12 {
			s := mustDisk(t, "d", o)
			l := mustOpen(t, s, "a")
			if run%3 == 0 {
				id := mustAppend(t, l, 5)[0].Event.ID
				if !highest.Less(id) {
					t.Errorf("%v, run %d: %v was given after %v", policy, run, id, highest)
				}
				highest = l.Last()
			}
			if run%4 != 1 {
				disk = disk.CrashClone(vfs.CrashCloneCfg{})
				o.FS = disk
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDisk_ReadersDuringAppend lets readers follow an appender through files and memory,
// while files are removed behind it, and namespaces come and go. Each must see rising IDs
// without a hole, other than those it was told about.
func TestDisk_ReadersDuringAppend(t *testing.T) {
	o := quietDisk(vfs.Default)
	o.EventsMax, o.SegmentBytes, o.RecentEventsMax, o.AgeMax = 3000, 8192, 200, time.Hour
	o.FsyncInterval = 5 * time.Millisecond
	s := mustDisk(t, t.TempDir(), o)
	l := mustOpen(t, s, "a")
	const total = 20_000
	start := l.Last()
	end := sse.ID{Major: start.Major, Minor: total}
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() { follow(t, l, start, end) })
	}
	readers.Go(func() {
		for i := range 60 {
			ns := fmt.Sprint("other", i%3)
			mustAppend(t, mustOpen(t, s, ns), 50)
			s.Sweep(time.Now())
			s.Stats()
			if err := s.Evict(ns); err != nil {
				t.Error(err)
			}
		}
	})
	for l.Last() != end {
		mustAppend(t, l, 40)
	}
	readers.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Namespaces != 0 || st.Events != 0 || st.Keys != 0 {
		t.Errorf("after Close: %+v", st)
	}
	if n := s.pool.bytes.Load(); n != 0 || s.waiting.Load() != 0 {
		t.Errorf("%d bytes in memory, %d readers left", n, s.waiting.Load())
	}
}

// TestDisk_EvictDuringUse evicts under an appender and a reader: refusals are fine, anything
// else is not, and nothing is lost.
func TestDisk_EvictDuringUse(t *testing.T) {
	o := quietDisk(vfs.NewMem())
	o.RecentEventsMax = 10
	s := mustDisk(t, "d", o)
	var users sync.WaitGroup
	done := make(chan struct{})
	users.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			l := mustOpen(t, s, "a")
			n, err := l.After(t.Context(), l.First(), l.Last(), make([]*sse.Event, 10))
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("After: %d, %v", n, err)
			}
		}
	})
	users.Go(func() {
		for range 300 {
			if err := s.Evict("a"); err != nil {
				t.Error(err)
			}
		}
	})
	var given []sse.ID
	for range 1000 {
		batch := newBatch(3)
		switch err := mustOpen(t, s, "a").Append(t.Context(), batch); {
		case errors.Is(err, ErrClosed):
		case err != nil:
			t.Errorf("Append: %v", err)
		default:
			given = append(given, batch[0].Event.ID, batch[1].Event.ID, batch[2].Event.ID)
		}
	}
	close(done)
	users.Wait()
	l := mustOpen(t, s, "a")
	held := mustRead(t, l, l.First(), l.Last())
	if len(held) != len(given) {
		t.Fatalf("%d events held, %d were given", len(held), len(given))
	}
	for i, e := range held {
		if e.ID != given[i] {
			t.Fatalf("event %d is %v, want %v", i, e.ID, given[i])
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
