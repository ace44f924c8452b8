package replay

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"throng/sse"
)

// TestDeque_AgainstSlice grows and shrinks a deque in waves and compares it with a slice.
func TestDeque_AgainstSlice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var d deque[int]
	var want []int
	for i := range 100_000 {
		growing := i/3000%2 == 0
		if len(want) == 0 || growing == (rnd.IntN(3) > 0) {
			d.push(i)
			want = append(want, i)
		} else {
			if got := d.pop(); got != want[0] {
				t.Fatalf("step %d: popped %d, want %d", i, got, want[0])
			}
			want = want[1:]
		}
		if d.n != len(want) {
			t.Fatalf("step %d: holds %d, want %d", i, d.n, len(want))
		}
		if len(want) > 0 {
			if at := rnd.IntN(len(want)); *d.at(at) != want[at] {
				t.Fatalf("step %d: at(%d) is %d, want %d", i, at, *d.at(at), want[at])
			}
		}
		if pages := len(d.pages); pages > (len(want)+2*dequePage-2)/dequePage {
			t.Fatalf("step %d: %d pages for %d items", i, pages, len(want))
		}
	}
}

// TestDeque_EmptyOwnsNothing is what keeps an idle namespace small.
func TestDeque_EmptyOwnsNothing(t *testing.T) {
	var d deque[int]
	for i := range 10 * dequePage {
		d.push(i)
	}
	for d.n > 0 {
		d.pop()
	}
	if d.pages != nil || d.head != 0 {
		t.Errorf("empty deque keeps %d pages, head %d", len(d.pages), d.head)
	}
}

// TestDeque_PoppedIsCollectable lets go of an item whose page is still in use.
func TestDeque_PoppedIsCollectable(t *testing.T) {
	var d deque[*sse.Event]
	collected := make(chan struct{})
	e := &sse.Event{Data: make([]byte, 1<<20)}
	runtime.AddCleanup(e, func(c chan struct{}) { close(c) }, collected)
	d.push(e)
	d.push(&sse.Event{})
	e = nil
	d.pop()
	for range 100 {
		runtime.GC()
		select {
		case <-collected:
			runtime.KeepAlive(&d)
			return
		default:
			runtime.Gosched()
		}
	}
	t.Error("a popped event is still reachable")
}
