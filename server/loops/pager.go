package loops

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"throng/sse"
)

const (
	// pageTimeout bounds one read of a store, which then counts as away.
	pageTimeout = 10 * time.Second
	// pagesKept is how many pages, of a window each, are kept for the other loops while any
	// loop has a scan under way.
	pagesKept = 8
)

// pager reads for the loops what a log does not have in memory: a few goroutines, so that
// no loop ever waits for a store. Loops that want the same get the same page. Any goroutine
// may call its methods.
type pager struct {
	context context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup
	clock   func() int64
	tell    func(l *Loop)
	scans   atomic.Int64 // under way in all loops

	reads  atomic.Uint64 // events read
	pages  atomic.Uint64 // reads that were waited for
	waited atomic.Int64  // how long they took, ns

	mu     sync.Mutex // guards the rest
	news   sync.Cond  // the queue has something, or it is over
	over   bool
	queue  []*page // asked for
	flying []*page // in the queue, or being read; a loop may join
	kept   []*page // read, oldest first
}

// page is one read of a log. The first fields never change; events and err are set before
// done and belong to everybody then.
type page struct {
	ns    *Namespace
	after sse.ID
	upTo  sse.ID
	size  int // events at most; 0: only whether after can be resumed from

	loops []*Loop // that are told; guarded by the pager's mu
	users int     // askers that still want it; guarded by the pager's mu

	events []*sse.Event
	err    error
	done   atomic.Bool
}

func newPager(clock func() int64, tell func(*Loop)) *pager {
	p := &pager{clock: clock, tell: tell}
	p.context, p.cancel = context.WithCancel(context.Background())
	p.news.L = &p.mu
	return p
}

// start begins with n goroutines.
func (p *pager) start(n int) {
	for range n {
		p.workers.Go(func() {
			for p.serve(true) {
			}
		})
	}
}

// stop ends them, and the reads under way.
func (p *pager) stop() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.cancel()
	p.news.Broadcast()
	p.workers.Wait()
}

// ask gives the page behind an ID: one that is kept, one that is read already if the asker
// does not insist on its own, or one that will be. It may be done at once.
func (p *pager) ask(l *Loop, ns *Namespace, after, upTo sse.ID, size int, alone bool) *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	if size > 0 {
		for _, k := range p.kept {
			if k.ns == ns && !after.Less(k.after) && after.Less(k.events[len(k.events)-1].ID) {
				return k
			}
		}
	}
	for _, f := range p.flying {
		if f.ns == ns && (f.size > 0) == (size > 0) && (f.after == after || size > 0 && !alone && f.after.Less(after)) {
			f.users++
			f.loops = append(f.loops, l)
			return f
		}
	}
	f := &page{ns: ns, after: after, upTo: upTo, size: size, loops: []*Loop{l}, users: 1}
	p.queue = append(p.queue, f)
	p.flying = append(p.flying, f)
	p.news.Signal()
	return f
}

// forgo says that an asker does not want its page any more.
func (p *pager) forgo(f *page) {
	p.mu.Lock()
	f.users--
	p.mu.Unlock()
}

// forget sees to it that nothing read so far of a namespace is given to those that ask from
// now on.
func (p *pager) forget(ns *Namespace) {
	p.mu.Lock()
	p.kept = without(p.kept, func(k *page) bool { return k.ns == ns })
	p.flying = without(p.flying, func(f *page) bool { return f.ns == ns })
	p.mu.Unlock()
}

func without(pages []*page, drop func(*page) bool) []*page {
	left := pages[:0]
	for _, p := range pages {
		if !drop(p) {
			left = append(left, p)
		}
	}
	clear(pages[len(left):])
	return left
}

// serve reads the next page; false: there is none and the caller does not wait, or it is over.
func (p *pager) serve(wait bool) bool {
	f := p.next(wait)
	if f == nil {
		return false
	}
	begun := p.clock()
	ctx, cancel := context.WithTimeout(p.context, pageTimeout)
	events, err := f.read(ctx)
	cancel()
	p.reads.Add(uint64(len(events)))
	p.pages.Add(1)
	p.waited.Add(p.clock() - begun)
	for _, l := range p.finish(f, events, err) {
		p.tell(l)
	}
	return true
}

func (f *page) read(ctx context.Context) ([]*sse.Event, error) {
	if f.size == 0 {
		_, err := f.ns.Log.After(ctx, f.after, f.after, nil)
		return nil, err
	}
	events := make([]*sse.Event, f.size)
	n, err := f.ns.Log.After(ctx, f.after, f.upTo, events)
	return events[:n], err
}

// next takes a page out of the queue that somebody still wants.
func (p *pager) next(wait bool) *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for len(p.queue) > 0 && !p.over {
			f := p.queue[0]
			p.queue[0] = nil
			p.queue = p.queue[1:]
			if f.users > 0 {
				return f
			}
			p.flying = without(p.flying, func(o *page) bool { return o == f })
		}
		if p.over || !wait {
			return nil
		}
		p.news.Wait()
	}
}

// finish makes a page known, keeps it if it has events, and says who waits for it.
func (p *pager) finish(f *page, events []*sse.Event, err error) []*Loop {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.events, f.err = events, err
	flies := len(p.flying)
	p.flying = without(p.flying, func(o *page) bool { return o == f })
	if len(p.flying) < flies && err == nil && len(events) > 0 && p.scans.Load() > 0 {
		if len(p.kept) == pagesKept {
			p.kept[0] = nil
			p.kept = p.kept[1:]
		}
		p.kept = append(p.kept, f)
	}
	f.done.Store(true)
	loops := f.loops
	f.loops = nil
	return loops
}

// scanEnded lets go of the pages that are kept, after the last scan of all.
func (p *pager) scanEnded() {
	if p.scans.Add(-1) > 0 {
		return
	}
	p.mu.Lock()
	p.kept = nil
	p.mu.Unlock()
}

// Paging says what a Group has read of logs that were not in memory.
type Paging struct {
	Events uint64        // read
	Pages  uint64        // reads that were waited for
	Waited time.Duration // how long all of these took
}

// Paging counts. Any goroutine may call it.
func (g *Group) Paging() Paging {
	p := g.pager
	return Paging{Events: p.reads.Load(), Pages: p.pages.Load(), Waited: time.Duration(p.waited.Load())}
}

// pageRead tells a loop that a page which it asked for has been read.
func (g *Group) pageRead(l *Loop) {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		return
	}
	l.paged.Store(true)
	l.nudge()
}

// backOff is how long to wait before a read is tried again, ns: twice as long as the time
// before, by a quarter more or less, so that nodes do not come back together.
func (l *Loop) backOff(before int64) int64 {
	const first, most = int64(100 * time.Millisecond), int64(5 * time.Second)
	base := min(max(2*before, first), most)
	return base*3/4 + base/2*int64(l.o.Random()%1024)/1024
}
