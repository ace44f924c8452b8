package sock

import (
	"os"
	"testing"
)

// A round can be repeated for as long as one likes: nothing of it remains.
func TestLap_LeavesNothing(t *testing.T) {
	l, err := NewLap()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := l.Round(); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil || len(open) > 100 {
		t.Errorf("%d descriptors are open after 1000 rounds (%v)", len(open), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Round(); err == nil {
		t.Error("a round without a listener succeeds")
	}
}

// A goroutine that stays on a processor has no other.
func TestStay_OnOneProcessor(t *testing.T) {
	all, err := Processors()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		last := all[len(all)-1]
		if err := Stay(last); err != nil {
			t.Error(err)
			return
		}
		if now, err := Processors(); err != nil || len(now) != 1 || now[0] != last {
			t.Errorf("%v, %v, not only %d", now, err, last)
		}
		if err := Stay(1 << 14); err == nil {
			t.Error("a thread stays on a processor that is not there")
		}
	}()
	<-done
}
