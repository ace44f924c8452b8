package seglog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestFlusher_ManyAtOnce: a round over many logs flushes flushesMax of them at once, never
// more, and each of them once. The disk lets nobody go until so many are there.
func TestFlusher_ManyAtOnce(t *testing.T) {
	const logs = 3 * flushesMax
	var inside, most, flushes atomic.Int32
	var holding atomic.Bool
	full := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind != errorfs.OpFileSyncData || !holding.Load() {
			return nil
		}
		n := inside.Add(1)
		defer inside.Add(-1)
		for top := most.Load(); n > top && !most.CompareAndSwap(top, n); top = most.Load() {
		}
		if n == flushesMax && flushes.Load() == 0 {
			close(full)
		}
		select {
		case <-full:
		case <-ctx.Done():
			return errors.New("too few flushes at once")
		}
		flushes.Add(1)
		return nil
	}))
	flusher := NewFlusher(time.Hour) // the rounds are ours
	defer flusher.Close()
	var all []*Log
	for i := range logs {
		l, _ := open(t, fmt.Sprint("/logs/", i), Options{FS: fs, Flusher: flusher, Report: func(err error) { t.Error(err) }})
		add(t, l, "one")
		all = append(all, l)
	}
	holding.Store(true)
	round(all)
	if most.Load() != flushesMax || flushes.Load() != logs {
		t.Errorf("%d flushes, up to %d at once; want %d and %d", flushes.Load(), most.Load(), logs, flushesMax)
	}
	for _, l := range all {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	round(nil)
}

// TestLog_TruncateAfterClose: the files of a closed log may be another one's.
func TestLog_TruncateAfterClose(t *testing.T) {
	fs := vfs.NewMem()
	o := Options{FS: fs, Fsync: Always}
	old, _ := open(t, "/log", o)
	for range 3 {
		add(t, old, "one", "two")
		if err := old.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ := open(t, "/log", o)
	if err := old.TruncateBefore(5); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
	if got := readAll(t, l, 1); len(got) != 6 {
		t.Errorf("%q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
