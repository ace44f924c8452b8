package seglog

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// clock gives times that a test sets.
type clock struct{ ms int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms) }

// open opens a log that a test expects to open.
func open(t testing.TB, dir string, o Options) (*Log, Recovery) {
	t.Helper()
	l, r, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}

// readAll gives the records from a number on, and checks that numbers have no holes.
func readAll(t testing.TB, l *Log, from uint64) []string {
	t.Helper()
	got, resume := readSome(t, l, from)
	if resume != 0 {
		t.Fatalf("after %d records from %d: a hole up to %d", len(got), from, resume)
	}
	return got
}

// readSome reads up to the end, or up to a hole, and says where that ends.
func readSome(t testing.TB, l *Log, from uint64) (got []string, resume uint64) {
	t.Helper()
	r, err := l.Reader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		n, b, err := r.Next()
		if err == io.EOF {
			return got, 0
		}
		if c, ok := errors.AsType[*CorruptError](err); ok {
			return got, c.Resume
		}
		if err != nil {
			t.Fatalf("after %d records from %d: %v", len(got), from, err)
		}
		if n != from+uint64(len(got)) {
			t.Fatalf("record %d where %d was due", n, from+uint64(len(got)))
		}
		got = append(got, string(b))
	}
}

// texts gives "r5", "r6"… as records.
func texts(first, n int) (records [][]byte) {
	for i := range n {
		records = append(records, fmt.Appendf(nil, "r%d", first+i))
	}
	return records
}

func add(t testing.TB, l *Log, records ...string) {
	t.Helper()
	var b [][]byte
	for _, r := range records {
		b = append(b, []byte(r))
	}
	if err := l.Append(b); err != nil {
		t.Fatal(err)
	}
}

func TestLog_LifeCycle(t *testing.T) {
	fs, c := vfs.NewMem(), &clock{1000}
	o := Options{FS: fs, Fsync: Always, Now: c.now}
	l, r := open(t, "/a/log", o)
	if !r.Clean || r.Records != 0 || l.Epoch() != 1000 || l.Last() != 0 || l.First() != 1 {
		t.Fatalf("new: %v, last %d first %d", r, l.Last(), l.First())
	}
	add(t, l, "one", "two")
	add(t, l, "", "four")
	if got := readAll(t, l, 1); !slices.Equal(got, []string{"one", "two", "", "four"}) {
		t.Fatalf("%q", got)
	}
	if got := readAll(t, l, 4); !slices.Equal(got, []string{"four"}) {
		t.Fatalf("%q", got)
	}
	if got := readAll(t, l, 5); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	if _, err := l.Reader(6); !errors.Is(err, ErrAhead) {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(texts(0, 1)); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}

	c.ms = 2000
	l, r = open(t, "/a/log", o)
	if !r.Clean || r.Records != 4 || l.Epoch() != 1000 {
		t.Fatalf("after a close: %v", r)
	}
	add(t, l, "five")

	c.ms = 3000 // no Close: as if killed
	l, r = open(t, "/a/log", o)
	if r.Clean || r.Records != 5 || r.DroppedBytes != 0 || l.Epoch() != 3000 {
		t.Fatalf("after a kill: %v", r)
	}
	add(t, l, "six")
	if got, want := l.Epochs(), []Span{{1000, 1}, {3000, 6}}; !slices.Equal(got, want) {
		t.Fatalf("epochs %v, want %v", got, want)
	}
	if got := readAll(t, l, 2); !slices.Equal(got, []string{"two", "", "four", "five", "six"}) {
		t.Fatalf("%q", got)
	}
	if err := l.TruncateBefore(6); err != nil {
		t.Fatal(err)
	}
	if l.First() != 6 || l.Last() != 6 {
		t.Fatalf("first %d, last %d", l.First(), l.Last())
	}
	if _, err := l.Reader(5); !errors.Is(err, ErrGone) {
		t.Fatal(err)
	}
}

func TestReader_GoesOnWhereItEnded(t *testing.T) {
	l, _ := open(t, "/l", Options{FS: vfs.NewMem(), Fsync: Never, SegmentBytes: 4 << 10})
	r, err := l.Reader(1)
	if err != nil {
		t.Fatal(err)
	}
	next := 1
	for round := range 200 {
		if _, _, err := r.Next(); err != io.EOF {
			t.Fatalf("round %d: %v, want the end", round, err)
		}
		if err := l.Append(texts(next, round)); err != nil {
			t.Fatal(err)
		}
		for range round {
			n, b, err := r.Next()
			if err != nil || n != uint64(next) || string(b) != fmt.Sprintf("r%d", next) {
				t.Fatalf("%d %q %v, want %d", n, b, err, next)
			}
			next++
		}
	}
	if n := len(l.Segments()); n < 10 {
		t.Errorf("%d segments: too few for this test", n)
	}
}

func TestReader_BeginsAnywhere(t *testing.T) {
	l, _ := open(t, "/l", Options{FS: vfs.NewMem(), Fsync: Never, SegmentBytes: 1 << 20})
	sizes := []int{0, 1, 7, 100, 127, 128, 5000, 32749, 32750, 32761, 40000, 70000, 200000}
	var want []string
	for i := range 300 {
		var batch [][]byte
		for j := range i%7 + 1 {
			b := fmt.Appendf(nil, "%d/%d ", i, j)
			b = append(b, make([]byte, sizes[(i+j*3)%len(sizes)])...)
			batch, want = append(batch, b), append(want, string(b))
		}
		if err := l.Append(batch); err != nil {
			t.Fatal(err)
		}
	}
	for from := 1; from <= len(want); from += 13 {
		r, err := l.Reader(uint64(from))
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(20, len(want)-from+1) {
			n, b, err := r.Next()
			if err != nil || n != uint64(from+i) || string(b) != want[from+i-1] {
				t.Fatalf("from %d: record %d of %d bytes, %v", from, n, len(b), err)
			}
		}
		r.Close()
	}
	if got := readAll(t, l, 1); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}
