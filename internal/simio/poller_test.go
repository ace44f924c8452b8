package simio

import (
	"fmt"
	"testing"
	"time"

	"throng/poller"
)

func TestWait_ReorderIsSeeded(t *testing.T) {
	order := func(seed uint64, reorder float64) string {
		k := New(seed, Options{Reorder: reorder})
		p := k.NewPoller()
		for i := range 8 {
			fd, _, _ := k.Connect()
			if err := watch(p, fd, poller.Token(i)); err != nil {
				t.Fatal(err)
			}
		}
		var ev [8]poller.Event
		n, err := p.Wait(ev[:], 0)
		if n != 8 || err != nil {
			t.Fatalf("Wait gave %d, %v", n, err)
		}
		return fmt.Sprint(ev)
	}
	if order(1, 0) != order(2, 0) {
		t.Error("a calm kernel's order depends on its seed")
	}
	first, again := order(1, 0.5), order(1, 0.5)
	if first != again || first == order(2, 0.5) {
		t.Error("the order is not the seed's")
	}
}

// An edge of an Add that was undone must not come back as a second event of the next.
func TestRemove_OldEdgeDoesNotDouble(t *testing.T) {
	for _, o := range []Options{{}, {Delay: 1, DelayMax: time.Millisecond}} {
		k := New(3, o)
		p := k.NewPoller()
		fd, _ := connect(t, k, p)
		for range 3 {
			if err := p.Remove(fd); err != nil {
				t.Fatal(err)
			}
			if err := watch(p, fd, 1); err != nil {
				t.Fatal(err)
			}
		}
		events := 0
		for range 10 {
			if wait(t, p, 1) != 0 {
				events++
			}
		}
		if events != 1 {
			t.Errorf("delay %v: %d events for one Add that stands", o.Delay, events)
		}
	}
}

// Linux: asking a full socket for its state orders a Writable edge, though no write
// was refused.
func TestWait_FullSocketOrdersWritableEdge(t *testing.T) {
	k := New(1, Options{SendBufferBytes: 4})
	p := k.NewPoller()
	fd, peer := connect(t, k, p)
	wait(t, p, 0)
	peer.Stall()
	write(t, k, fd, "full", 4, nil)
	peer.Send([]byte("x"))
	if f := wait(t, p, 0); f != poller.Readable {
		t.Errorf("flags %04b of a full socket", f)
	}
	peer.Resume()
	if f := wait(t, p, 0); f&poller.Writable == 0 {
		t.Errorf("flags %04b after the client has read all", f)
	}
}

func TestRead_ShortCountBringsAnEdgeForTheRest(t *testing.T) {
	k := New(1, Options{Partial: 1})
	p := k.NewPoller()
	fd, peer := connect(t, k, p)
	peer.Send([]byte("ab"))
	wait(t, p, 0)
	if n, err := k.Read(fd, make([]byte, 9)); n != 1 || err != nil {
		t.Fatalf("Read gave %d, %v", n, err)
	}
	if f := wait(t, p, 0); f&poller.Readable == 0 {
		t.Errorf("flags %04b with a byte left", f)
	}
}

func TestPoller_CloseLetsDescriptorsGo(t *testing.T) {
	k := New(1, Options{})
	p, q := k.NewPoller(), k.NewPoller()
	fd, peer := connect(t, k, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wake(); err != ErrBadFD {
		t.Errorf("Wake of a closed poller gave %v", err)
	}
	if err := watch(q, fd, 2); err != nil {
		t.Fatal(err)
	}
	peer.Send([]byte("x"))
	if f := wait(t, q, 0); f&poller.Readable == 0 {
		t.Errorf("flags %04b", f)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
	k.Check(t) // the late Wake is nobody's mistake
}

func TestCalls_AreCounted(t *testing.T) {
	k := New(1, Options{SendBufferBytes: 4})
	p := k.NewPoller()
	fd, peer := connect(t, k, p)
	peer.Stall()
	peer.Send([]byte("abc"))
	write(t, k, fd, "12345", 4, nil)
	write(t, k, fd, "5", 0, poller.ErrAgain)
	var buf [8]byte
	if n, err := k.Read(fd, buf[:]); n != 3 || err != nil {
		t.Fatalf("Read gave %d, %v", n, err)
	}
	wait(t, p, 0)
	want := Calls{Read: 1, Write: 2, Add: 1, Mod: 1, Wait: 1, Again: 1, BytesIn: 3, BytesOut: 4}
	if got := k.Calls(); got != want {
		t.Errorf("calls %+v, want %+v", got, want)
	}
}

// A queue that is never empty must not grow with what has passed through it.
func TestBuffers_PassingBytesTakeNoRoom(t *testing.T) {
	b := newBuffers()
	var at uint32
	b.push(&at, []byte{0})
	for i := range 100_000 {
		b.push(&at, []byte{byte(i + 1)})
		if got := b.view(at)[0]; got != byte(i) {
			t.Fatalf("byte %d is %d", i, got)
		}
		b.skip(&at, 1)
	}
	if c := cap(b.q[at].b); c > 64 {
		t.Errorf("two bytes take %d", c)
	}
	b.drop(&at)
	if at != 0 || len(b.free) != 1 {
		t.Errorf("buffer %d, %d free", at, len(b.free))
	}
}
