package simio

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"throng/poller"
)

// connect gives a connection of k, watched by p (if any) under token 1.
func connect(t *testing.T, k *Kernel, p *Poller) (int, *Peer) {
	t.Helper()
	fd, peer, err := k.Connect()
	if err != nil {
		t.Fatal(err)
	}
	if p != nil {
		if err := watch(p, fd, 1); err != nil {
			t.Fatal(err)
		}
	}
	return fd, peer
}

// wait gives the flags of the one event there is, 0 if there is none.
func wait(t *testing.T, p *Poller, timeoutMs int) poller.Flags {
	t.Helper()
	var ev [4]poller.Event
	n, err := p.Wait(ev[:], timeoutMs)
	if err != nil || n > 1 {
		t.Fatalf("Wait gave %d, %v", n, err)
	}
	return ev[0].Flags
}

func write(t *testing.T, k *Kernel, fd int, b string, want int, wantErr error) {
	t.Helper()
	if n, err := k.Write(fd, []byte(b)); n != want || err != wantErr {
		t.Fatalf("Write of %d bytes gave %d, %v; want %d, %v", len(b), n, err, want, wantErr)
	}
}

func TestSocket_Is64BytesWithoutPointers(t *testing.T) {
	s := reflect.TypeFor[socket]()
	if s.Size() != 64 {
		t.Errorf("a socket has %d bytes", s.Size())
	}
	for i := range s.NumField() {
		if k := s.Field(i).Type.Kind(); k < reflect.Int || k > reflect.Uint64 {
			t.Errorf("%s is a %v", s.Field(i).Name, k)
		}
	}
}

func TestConnect_LowestFreeNumberFirst(t *testing.T) {
	k := New(1, Options{FDsMax: 200})
	open := func() int {
		fd, _ := connect(t, k, nil)
		return fd
	}
	for want := 3; want < 203; want++ {
		if fd := open(); fd != want {
			t.Fatalf("descriptor %d, want %d", fd, want)
		}
	}
	for range 2 {
		if _, _, err := k.Connect(); err != ErrFiles {
			t.Fatalf("one too many gave %v", err)
		}
	}
	for _, fd := range []int{150, 7, 64, 63} {
		if err := k.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{7, 63, 64, 150} {
		if fd := open(); fd != want {
			t.Fatalf("descriptor %d, want %d", fd, want)
		}
	}
	if k.Open() != 200 {
		t.Errorf("%d open", k.Open())
	}
}

func TestConnect_FilesByChance(t *testing.T) {
	k := New(1, Options{Files: 0.5})
	refused := 0
	for range 100 {
		if _, _, err := k.Connect(); err == ErrFiles {
			refused++
		}
	}
	if refused == 0 || refused+k.Open() != 100 {
		t.Errorf("%d refused, %d open", refused, k.Open())
	}
}

func TestClock_WaitAndAdvance(t *testing.T) {
	k := New(1, Options{Cost: Costs{Wait: 10, Write: 100, WriteKiB: 1024, Other: 7}})
	p := k.NewPoller()
	if f := wait(t, p, 3); f != 0 || k.Now() != 3e6+10 {
		t.Errorf("at %d ns with flags %04b after a wait of 3 ms", k.Now(), f)
	}
	if f := wait(t, p, -1); f != 0 || k.Now() != 3e6+20 {
		t.Errorf("at %d ns with flags %04b: nothing is scheduled", k.Now(), f)
	}
	start := k.Now()
	fd, peer := connect(t, k, p)
	write(t, k, fd, strings.Repeat("x", 2048), 2048, nil)
	if got := k.Now() - start; got != 7+7+100+2048 {
		t.Errorf("Add, Mod and Write took %d ns", got)
	}
	wait(t, p, 0)
	var ran []int64
	start = k.Now()
	k.After(2*time.Millisecond, func() { ran = append(ran, k.Now()-start); peer.Send([]byte("x")) })
	k.After(time.Millisecond, func() { ran = append(ran, k.Now()-start) })
	if f := wait(t, p, -1); f&poller.Readable == 0 || k.Now() != start+2e6 && k.Now() != start+2e6+10 {
		t.Errorf("flags %04b at %d ns after the start", f, k.Now()-start)
	}
	k.After(5, func() { ran = append(ran, k.Now()-start) })
	at := k.Now() - start + 5
	k.Advance(time.Second)
	if want := []int64{1e6, 2e6, at}; fmt.Sprint(ran) != fmt.Sprint(want) || k.Now()-start != at-5+1e9 {
		t.Errorf("ran at %v, want %v; now %d", ran, want, k.Now()-start)
	}
}

func TestClock_DelayedEdgeComesOnce(t *testing.T) {
	k := New(5, Options{Delay: 1, DelayMax: time.Millisecond})
	p := k.NewPoller()
	_, peer := connect(t, k, p)
	if f := wait(t, p, 0); f != 0 {
		t.Fatalf("flags %04b before the delay is over", f)
	}
	peer.Send([]byte("merged"))
	if f := wait(t, p, 10); f != poller.Readable|poller.Writable || k.Now() > 1e6 {
		t.Errorf("flags %04b at %d ns", f, k.Now())
	}
	if f := wait(t, p, 10); f != 0 {
		t.Errorf("flags %04b again", f)
	}
}

// report collects what Check says.
type report struct{ lines []string }

func (r *report) Helper() {}
func (r *report) Errorf(format string, a ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, a...))
}

func TestCheck_ReportsMistakes(t *testing.T) {
	b := []byte("x")
	cases := []struct {
		want string
		do   func(k *Kernel, p *Poller, fd int, c *Peer)
	}{
		{"Close of descriptor 3, which is not open", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Close(fd); k.Close(fd) }},
		{"Write of descriptor 3, which is not open", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Close(fd); k.Write(fd, b) }},
		{"Read of descriptor 99, which is not open", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Read(99, b) }},
		{"Add of descriptor -1, which is not open", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Add(-1, 1) }},
		{"second Add of descriptor 3", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Add(fd, 1); p.Add(fd, 2) }},
		{"Remove of descriptor 3, which this poller does not watch", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Remove(fd) }},
		{"ShutdownWrite of descriptor 0, which is not open", func(k *Kernel, p *Poller, fd int, c *Peer) { k.ShutdownWrite(0) }},
		{"Write of nothing", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Write(fd, nil) }},
		{"Writev of 65 slices", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Writev(fd, make([][]byte, 65)) }},
		{"Read of descriptor 3 into nothing", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Read(fd, nil) }},
		{"Wait for no event", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Wait(nil, 0) }},
		{"second Close of a poller", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Close(); p.Close() }},
		{"Wait on a closed poller", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Close(); p.Wait(make([]poller.Event, 1), 0) }},
		{"Add of descriptor 3 to a closed poller", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Close(); p.Add(fd, 1) }},
		{"Remove of descriptor 3 from a closed poller", func(k *Kernel, p *Poller, fd int, c *Peer) { p.Add(fd, 1); p.Close(); p.Remove(fd) }},
		{"Count on a Peer that has received bytes", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Write(fd, b); c.Count(1, 0) }},
		{"Advance(-1ns)", func(k *Kernel, p *Poller, fd int, c *Peer) { k.Advance(-1) }},
		{"Send after CloseWrite", func(k *Kernel, p *Poller, fd int, c *Peer) { c.CloseWrite(); c.Send(b) }},
		{"Resume on a closed Peer", func(k *Kernel, p *Poller, fd int, c *Peer) { c.Close(); c.Resume() }},
		{"1 descriptors left open, the first is 3", func(k *Kernel, p *Poller, fd int, c *Peer) {}},
		{"poller 1 of 1 left open", func(k *Kernel, p *Poller, fd int, c *Peer) {}},
	}
	for _, c := range cases {
		k := New(0xabc, Options{})
		p := k.NewPoller()
		fd, peer := connect(t, k, nil)
		c.do(k, p, fd, peer)
		var r report
		k.Check(&r)
		if all := strings.Join(r.lines, "\n"); !strings.Contains(all, c.want) || !strings.Contains(all, "seed 0xabc") {
			t.Errorf("want %q, got:\n%s", c.want, all)
		}
	}
}

func TestCheck_ManyMistakesAreCounted(t *testing.T) {
	k := New(1, Options{})
	for range 100 {
		k.Close(77)
	}
	var r report
	k.Check(&r)
	if len(r.lines) != mistakesMax+1 || !strings.Contains(r.lines[mistakesMax], "68 more") {
		t.Errorf("%d lines, the last: %s", len(r.lines), r.lines[len(r.lines)-1])
	}
}
