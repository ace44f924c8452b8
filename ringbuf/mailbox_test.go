package ringbuf

import (
	"runtime"
	"testing"
	"time"
)

func newMailbox[T any](t testing.TB, size int) *Mailbox[T] {
	t.Helper()
	m, err := NewMailbox[T](size)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNewMailbox_RefusesImpossibleSize(t *testing.T) {
	if m, err := NewMailbox[int](3); err == nil || m != nil {
		t.Errorf("got %v, error %v", m, err)
	}
}

func TestMailbox_FullAndEmptyEdges(t *testing.T) {
	m := newMailbox[int](t, 2)
	for lap := range 5 { // past the wrap-around
		if _, ok := m.Pop(); ok || !m.Empty() || m.Len() != 0 {
			t.Fatalf("lap %d: not empty", lap)
		}
		if !m.TryPush(2*lap) || !m.TryPush(2*lap+1) || m.TryPush(-1) {
			t.Fatalf("lap %d: does not hold two values", lap)
		}
		if m.Empty() || m.Len() != m.Size() {
			t.Fatalf("lap %d: length %d when full", lap, m.Len())
		}
		for i := range 2 {
			if v, ok := m.Pop(); !ok || v != 2*lap+i {
				t.Fatalf("lap %d: took %d, %v", lap, v, ok)
			}
		}
	}
}

func TestMailbox_PopIntoNothingTakesNothing(t *testing.T) {
	m := newMailbox[int](t, 2)
	m.TryPush(7)
	if n := m.PopInto(nil); n != 0 || m.Len() != 1 {
		t.Errorf("took %d, left %d", n, m.Len())
	}
}

func TestMailbox_UnfinishedPushIsTakenButNotReady(t *testing.T) {
	m := newMailbox[int](t, 4)
	m.ring.claimed.Add(1) // a producer stopped between its claim and its mark
	m.TryPush(2)
	if _, ok := m.Pop(); ok || !m.Empty() || m.Len() != 2 {
		t.Errorf("popped %v, empty %v, length %d", ok, m.Empty(), m.Len())
	}
}

func TestMailbox_TakenValuesAreNotKeptAlive(t *testing.T) {
	m := newMailbox[*[64]byte](t, 4)
	const values = 4
	gone := make(chan struct{}, values)
	push := func() {
		for range values {
			p := new([64]byte)
			runtime.AddCleanup(p, func(struct{}) { gone <- struct{}{} }, struct{}{})
			m.TryPush(p)
		}
	}
	push()
	m.Pop()
	m.PopInto(make([]*[64]byte, 3))
	watchdog := time.After(20 * time.Second)
	for n := range values {
		runtime.GC()
		select {
		case <-gone:
		case <-watchdog:
			t.Fatalf("only %d of %d values were let go", n, values)
		}
	}
	runtime.KeepAlive(m)
}
