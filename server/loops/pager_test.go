package loops

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/replay"
	"throng/ringbuf"
	"throng/sse"
)

func at(minor uint64) sse.ID { return sse.ID{Major: 1, Minor: minor} }

// pages makes a pager of a log of 1,000 events that is not in memory.
func pages(t *testing.T) (*rig, *pager, *Namespace, *cold) {
	s := calm()
	s.Loops = 2
	s.wrap = func(log replay.Log) *cold { return &cold{Log: log} }
	r := newRig(t, s)
	ns := r.space("a")
	for range 1000 {
		r.append(ns, []string{"t"}, "x")
	}
	return r, r.g.pager, ns, r.colds["a"]
}

func TestPager_LoopsShareAPage(t *testing.T) {
	r, p, ns, c := pages(t)
	p.scans.Add(1)
	l := r.g.Loops()
	first := p.ask(l[0], ns, at(100), at(1000), 256, false)
	if p.ask(l[1], ns, at(100), at(900), 256, false) != first || p.ask(l[1], ns, at(101), at(1000), 256, false) != first {
		t.Error("what is asked for already is asked for again")
	}
	other := p.ask(l[1], ns, at(101), at(1000), 256, true)
	if other == first {
		t.Error("who wants a page of its own is given another's")
	}
	p.forgo(other)
	if !p.serve(false) || p.serve(false) || c.reads != 1 {
		t.Errorf("%d reads, want 1: the second page is nobody's", c.reads)
	}
	if !first.done.Load() || len(first.events) != 256 || !l[0].paged.Load() || !l[1].paged.Load() {
		t.Errorf("done %v, %d events", first.done.Load(), len(first.events))
	}
	for minor, want := range map[uint64]bool{100: true, 355: true, 356: false, 99: false} {
		if got := p.ask(l[1], ns, at(minor), at(1000), 256, false) == first; got != want {
			t.Errorf("behind %d the page is given: %v", minor, got)
		}
	}
	p.forget(ns)
	if p.ask(l[1], ns, at(200), at(1000), 256, true) == first {
		t.Error("a page is given that was to be forgotten")
	}
	p.scanEnded()
	if len(p.kept) != 0 {
		t.Errorf("%d pages are kept for nobody", len(p.kept))
	}
	r.stop()
}

func TestPager_KeepsFewPages(t *testing.T) {
	r, p, ns, _ := pages(t)
	p.scans.Add(1)
	for i := range uint64(3 * pagesKept) {
		p.ask(r.g.Loops()[0], ns, at(10*i), at(1000), 10, true)
		p.serve(false)
	}
	if len(p.kept) != pagesKept {
		t.Errorf("%d pages are kept, want %d", len(p.kept), pagesKept)
	}
	r.stop()
}

// stuck is a log whose After waits until its context ends.
type stuck struct {
	replay.Log
	waits chan struct{}
}

func (s *stuck) Peek(_, _ sse.ID, _ []*sse.Event) (int, error) { return 0, replay.ErrNotResident }

func (s *stuck) After(ctx context.Context, _, _ sse.ID, _ []*sse.Event) (int, error) {
	s.waits <- struct{}{}
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestGroup_StopEndsReads(t *testing.T) {
	p := newParty(t, ringbuf.Block, 2, 0)
	log := &stuck{p.ns.Log, make(chan struct{}, 1)}
	p.ns = p.g.NewNamespace(1, "stuck", log)
	p.ns.Origin.Major++ // beyond what the log has: there is something to read
	conn := p.attach(FromEarliest, sse.ID{})
	<-log.waits
	stopped := make(chan struct{})
	go func() { p.g.Stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second):
		t.Fatal("Stop waits for a read of the store")
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Error(err)
	}
	conn.Close()
}

// slow is a log that is not in memory, takes its time, and fails now and then.
type slow struct {
	replay.Log
	calls atomic.Int64
}

func (s *slow) Peek(after, upTo sse.ID, dst []*sse.Event) (int, error) {
	if len(dst) == 0 && s.calls.Load()%3 == 0 {
		return s.Log.Peek(after, upTo, dst)
	}
	return 0, replay.ErrNotResident
}

func (s *slow) After(ctx context.Context, after, upTo sse.ID, dst []*sse.Event) (int, error) {
	n := s.calls.Add(1)
	if n%40 == 0 {
		return 0, &replay.UnavailableError{Reason: "io", Err: errors.New("for a test")}
	}
	if len(dst) > 20 {
		dst = dst[:20]
	}
	return s.Log.After(ctx, after, upTo, dst)
}

// TestGroup_ReadsOnOtherGoroutines is where loops and pagers meet.
func TestGroup_ReadsOnOtherGoroutines(t *testing.T) {
	const readers, events = 16, 200
	p := newParty(t, ringbuf.Block, 2, events)
	p.ns = p.g.NewNamespace(1, "slow", &slow{Log: p.ns.Log})
	var all sync.WaitGroup
	for i := range readers {
		first := p.attach(FromEarliest, sse.ID{})
		all.Go(func() { p.read(i, first) })
	}
	all.Go(func() {
		for range events {
			p.emit()
		}
	})
	all.Wait()
	late := p.attach(FromEarliest, sse.ID{})
	p.read(readers, late)
	if p.g.Paging().Pages == 0 {
		t.Error("nothing was read by a pager")
	}
	p.g.Stop()
}
