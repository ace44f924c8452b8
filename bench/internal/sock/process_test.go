package sock

import (
	"errors"
	"testing"
	"time"
)

func TestPair_BothEnds(t *testing.T) {
	fd, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	if _, err := Read(fd, make([]byte, 1)); err != ErrAgain {
		t.Errorf("nothing was sent yet: %v", err)
	}
	if _, err := child.Write([]byte("up")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := Read(fd, b); string(b[:n]) != "up" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	if _, err := Write(fd, []byte("down")); err != nil {
		t.Fatal(err)
	}
	if n, err := child.Read(b); string(b[:n]) != "down" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	if err := errors.Join(child.Close(), Adopt(fd)); err != nil {
		t.Error(err)
	}
	if err := Adopt(1 << 20); err == nil {
		t.Error("a descriptor that is not there is adopted")
	}
}

func TestMonotonic_IsTheClockOfTime(t *testing.T) {
	start := time.Now()
	before, err := Monotonic()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	after, err := Monotonic()
	if outside := int64(time.Since(start)); err != nil || after-before < int64(time.Millisecond) || after-before > outside {
		t.Errorf("%d ns passed, at most %d did; %v", after-before, outside, err)
	}
}

func TestFilesMax_IsKnown(t *testing.T) {
	if n, err := FilesMax(); n < 3 || err != nil {
		t.Errorf("%d files, %v", n, err)
	}
}
