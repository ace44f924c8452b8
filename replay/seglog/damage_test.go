package seglog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// segmentOf gives the bytes of a segment with the given batches, and where the last begins.
func segmentOf(t testing.TB, batches ...[][]byte) (file []byte, name string, last int) {
	t.Helper()
	fs := vfs.NewMem()
	l, _ := open(t, "/l", Options{FS: fs, Fsync: Never, Now: (&clock{1000}).now})
	for _, b := range batches {
		last = int(l.tail.end)
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	path := l.tail.path
	file, err := fs.UnsafeGetFileDataBuffer(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(file), filepath.Base(path), last
}

// dirWith is a directory as a crash leaves it, with one segment.
func dirWith(t testing.TB, name string, file []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/l", 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create("/l/"+name, category)
	if err == nil {
		_, err = f.Write(slices.Clone(file)) // a vfs.File may change what it is given
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestOpen_TornAtEveryByteOfTheLastBatch(t *testing.T) {
	file, name, last := segmentOf(t, texts(1, 3), texts(4, 20))
	for n := last; n < len(file); n++ {
		for _, tail := range [][]byte{nil, make([]byte, len(file)-n), bytes.Repeat([]byte{0xff}, 40)} {
			fs := dirWith(t, name, append(slices.Clone(file[:n]), tail...))
			l, r := open(t, "/l", Options{FS: fs, Fsync: Always})
			if r.Clean || r.Last != 3 || r.DroppedBytes != int64(n-last+len(tail)) {
				t.Fatalf("cut at %d, %d bytes behind: %v", n-last, len(tail), r)
			}
			add(t, l, "next")
			if got := readAll(t, l, 1); !slices.Equal(got, []string{"r1", "r2", "r3", "next"}) {
				t.Fatalf("cut at %d: %q", n-last, got)
			}
		}
	}
}

func TestOpen_TornHeaderIsThrownAway(t *testing.T) {
	file, name, last := segmentOf(t, texts(1, 3))
	for n := range last {
		l, r := open(t, "/l", Options{FS: dirWith(t, name, file[:n]), Fsync: Always, Now: (&clock{1}).now})
		if r.Records != 0 || l.Epoch() != 1001 {
			t.Fatalf("header of %d bytes: %v", n, r)
		}
		add(t, l, "next")
		if got := readAll(t, l, 1); len(got) != 1 {
			t.Fatalf("header of %d bytes: %q", n, got)
		}
	}
}

// A header that went bad costs nothing while a newer one names the segment, whether the log
// was closed or not, and also when several went bad.
func TestOpen_DamagedHeadersAreMadeUpFor(t *testing.T) {
	for _, damaged := range [][]int{{0}, {1}, {2}, {1, 2}, {0, 1, 2, 3}} {
		for _, closed := range []bool{true, false} {
			fs := vfs.NewMem()
			o := Options{FS: fs, Fsync: Always, SegmentBytes: 4 << 10, Now: (&clock{1}).now}
			l, _ := open(t, "/l", o)
			for i := range 400 {
				add(t, l, fmt.Sprintf("record %d, which is not short at all", i+1))
			}
			if closed {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			want := len(l.segs)
			for _, i := range damaged {
				file, err := fs.UnsafeGetFileDataBuffer(l.segs[i].path)
				if err != nil {
					t.Fatal(err)
				}
				file[chunkHead+3] ^= 1
			}
			l, r := open(t, "/l", o)
			if r.Records != 400 || r.First != 1 || r.LostRecords != 0 || len(l.Segments()) < want {
				t.Errorf("headers %v, closed %t: %v", damaged, closed, r)
			}
			if got := readAll(t, l, 1); len(got) != 400 {
				t.Errorf("headers %v, closed %t: %d records read", damaged, closed, len(got))
			}
		}
	}
}

func TestReader_DamageInASealedSegmentIsTold(t *testing.T) {
	fs := vfs.NewMem()
	o := Options{FS: fs, Fsync: Always, SegmentBytes: 4 << 10}
	l, _ := open(t, "/l", o)
	for i := range 400 {
		add(t, l, fmt.Sprintf("record %d, which is not short at all", i+1))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ = open(t, "/l", o)
	segs := l.Segments()
	file, err := fs.UnsafeGetFileDataBuffer(l.segs[1].path)
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)/2] ^= 4
	r, err := l.Reader(1)
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for err == nil {
		var n uint64
		if n, _, err = r.Next(); err == nil {
			last = n
		}
	}
	var c *CorruptError
	if !errors.As(err, &c) || !errors.Is(err, ErrCorrupt) || c.Number != last+1 || c.Resume != segs[2].First {
		t.Fatalf("after %d: %v", last, err)
	}
	if _, _, again := r.Next(); !errors.Is(again, ErrCorrupt) {
		t.Errorf("then: %v", again)
	}
	if got := readAll(t, l, c.Resume); len(got) != 400-int(c.Resume)+1 {
		t.Errorf("%d records from %d", len(got), c.Resume)
	}
}

// FuzzSegment: whatever a segment's file holds, opening and reading it ends, and all that is
// taken from it is what the library reads too.
func FuzzSegment(f *testing.F) {
	big := [][]byte{bytes.Repeat([]byte("x"), 33000), []byte("y")}
	file, _, _ := segmentOf(f, texts(1, 3), big, texts(6, 20))
	f.Add(file)
	f.Add(file[:len(file)-7])
	f.Add([]byte(nil))
	small, name, _ := segmentOf(f, texts(1, 3), texts(4, 2))
	f.Add(small)
	f.Fuzz(func(t *testing.T, file []byte) {
		l, r, err := Open("/l", Options{FS: dirWith(t, name, file), Fsync: Never})
		if err != nil {
			t.Fatal(err)
		}
		if r.Records > uint64(len(file)) {
			t.Fatalf("%v out of %d bytes", r, len(file))
		}
		held := l.held()
		if held == nil {
			return
		}
		// The library is given the part that we take for whole: where it finds damage, it
		// looks for flipped bits for half a second.
		lib := record.NewReader(bytes.NewReader(file[:held.end]), 0)
		if _, err := lib.Next(); err != nil { // the header
			t.Fatal(err)
		}
		var want []string
		for uint64(len(want)) < r.Records {
			rec, err := lib.Next()
			if err != nil {
				t.Fatalf("the library ends after %d of %d: %v", len(want), r.Records, err)
			}
			payload, err := io.ReadAll(rec)
			if err != nil {
				t.Fatal(err)
			}
			_, count, body, _ := parseFrame(payload)
			for range count {
				var b []byte
				b, body, _ = parseRecord(body)
				want = append(want, string(b))
			}
		}
		if got := readAll(t, l, l.First()); !slices.Equal(got, want) {
			t.Fatalf("%d records, the library reads %d", len(got), len(want))
		}
	})
}

func TestFramer_WritesWhatTheLibraryReads(t *testing.T) {
	var want [][]byte
	var batches [][][]byte
	for i := range 200 {
		var batch [][]byte
		for j := range i%4 + 1 {
			batch = append(batch, bytes.Repeat([]byte{byte(i), byte(j)}, i*i*(j+1)/4))
		}
		batches, want = append(batches, batch), append(want, batch...)
	}
	file, _, _ := segmentOf(t, batches...)
	lib := record.NewReader(bytes.NewReader(file), 0)
	if _, err := lib.Next(); err != nil { // the header
		t.Fatal(err)
	}
	n := 0
	for {
		rec, err := lib.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		payload, err := io.ReadAll(rec)
		if err != nil {
			t.Fatal(err)
		}
		_, count, body, err := parseFrame(payload)
		if err != nil {
			t.Fatal(err)
		}
		for range count {
			var b []byte
			if b, body, err = parseRecord(body); err != nil || !bytes.Equal(b, want[n]) {
				t.Fatalf("record %d: %d bytes, %v", n, len(b), err)
			}
			n++
		}
	}
	if n != len(want) {
		t.Errorf("%d records, want %d", n, len(want))
	}
}

func TestLog_ReadersWhileAppendingAndTruncating(t *testing.T) {
	f := NewFlusher(0)
	defer f.Close()
	l, _ := open(t, t.TempDir(), Options{Fsync: Interval, SegmentBytes: 8 << 10, Flusher: f})
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				readAway(t, l)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 2000 {
		if err := l.Append(texts(i*5+1, 5)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			if err := l.TruncateBefore(l.Last() - 200); err != nil {
				t.Fatal(err)
			}
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// readAway reads what is there until the end, or until it is truncated.
func readAway(t *testing.T, l *Log) {
	r, err := l.Reader(max(l.First(), 1))
	if errors.Is(err, ErrGone) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	for {
		n, b, err := r.Next()
		if err == io.EOF || errors.Is(err, ErrGone) {
			return
		}
		if err != nil || string(b) != fmt.Sprintf("r%d", n) {
			t.Errorf("%d is %q, %v", n, b, err)
			return
		}
	}
}

func TestLog_ManyIdleLogsCostLittle(t *testing.T) {
	const logs = 1000
	f := NewFlusher(time.Hour) // the test ticks
	defer f.Close()
	fs := vfs.NewMem()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := make([]*Log, logs)
	for i := range all {
		all[i], _ = open(t, fmt.Sprintf("/l/%d", i), Options{FS: fs, Fsync: Interval, Flusher: f})
		add(t, all[i], "x")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	active := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	for _, l := range all {
		for range restTicks + 1 {
			l.tick()
		}
	}
	for range 3 { // pools let go after the second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&after)
	idle := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d bytes each when active, %d when idle", active/logs, idle/logs)
	if active > 64<<20 || idle > 4<<20 {
		t.Errorf("%d logs take %d bytes when active, %d when idle", logs, active, idle)
	}
	runtime.KeepAlive(all)
}
