package ringbuf

import (
	"sync/atomic"
	"testing"
	"time"
)

func requireNoAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	f() // the first round may grow what is kept
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestBroadcast_AllocatesNothing(t *testing.T) {
	b := newBroadcast[*int](t, 4, 2)
	v := new(int)
	requireNoAllocs(t, "publish, read, release", func() {
		seq, _ := b.TryPublish(v)
		for i := range 2 {
			r := b.Reader(i)
			if r.Available() != seq+1 || *r.At(seq) != v {
				t.Error("lost a value")
			}
			r.Release(seq + 1)
		}
	})
}

func TestMailbox_AllocatesNothing(t *testing.T) {
	m := newMailbox[[3]uint64](t, 4)
	dst := make([][3]uint64, 4)
	requireNoAllocs(t, "push, pop", func() {
		m.TryPush([3]uint64{1})
		m.TryPush([3]uint64{2})
		if v, ok := m.Pop(); !ok || v[0] != 1 {
			t.Error("lost a value")
		}
		if m.PopInto(dst) != 1 || dst[0][0] != 2 {
			t.Error("lost a value")
		}
	})
}

func TestGate_AllocatesNothing(t *testing.T) {
	for _, s := range strategies {
		g := NewGate(s)
		requireNoAllocs(t, s.String()+": wait to a deadline", func() {
			if g.WaitUntil(func() bool { return false }, time.Now()) {
				t.Error("ready without reason")
			}
		})
		requireNoAllocs(t, s.String()+": wait at the second look", func() {
			looks := 0
			g.Wait(func() bool { looks++; return looks > 1 })
			g.Signal()
		})
	}
}

func TestGate_ParkedRoundTripAllocatesNothing(t *testing.T) {
	g := NewGate(Block)
	var asked, answered atomic.Uint64
	const quit = 1 << 62
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(1); ; n++ {
			g.Wait(func() bool { return asked.Load() >= n })
			if asked.Load() >= quit {
				return
			}
			answered.Store(n)
			g.Signal()
		}
	}()
	requireNoAllocs(t, "ping and pong", func() {
		n := asked.Add(1)
		g.Signal()
		g.Wait(func() bool { return answered.Load() >= n })
	})
	asked.Store(quit)
	g.Signal()
	<-done
}
