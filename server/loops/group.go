package loops

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"throng/replay"
	"throng/ringbuf"
	"throng/sse"
)

// Group is the loops of a server and the ring that feeds them.
type Group struct {
	o     Options
	ring  *ringbuf.Broadcast[Entry]
	space *ringbuf.Gate // signalled when a loop has let go of entries
	pager *pager
	loops []*Loop
	wait  sync.WaitGroup

	stopped  atomic.Bool
	visitors atomic.Int64 // callers inside that may touch a loop: Stop waits for them
}

// New makes the loops; none runs before Start.
func New(o Options) (*Group, error) {
	o.ScansMax, o.PagersMax = max(o.ScansMax, 1), max(o.PagersMax, 1)
	ring, err := ringbuf.NewBroadcast[Entry](o.RingEvents, o.Loops)
	if err != nil {
		return nil, fmt.Errorf("broadcast ring: %w", err)
	}
	g := &Group{o: o, ring: ring, space: ringbuf.NewGate(o.Wait)}
	g.pager = newPager(o.Clock, g.pageRead)
	for i := range o.Loops {
		l, err := newLoop(g, i)
		if err != nil {
			g.release()
			return nil, fmt.Errorf("loop %d: %w", i, err)
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

// Start runs every loop on a goroutine of its own, and the pagers on theirs.
func (g *Group) Start() {
	g.pager.start(g.o.PagersMax)
	for _, l := range g.loops {
		g.wait.Go(l.run)
	}
}

// Stop closes every row, ends the goroutines and gives the tables back. Nothing may be
// handed over or published any more.
func (g *Group) Stop() {
	g.stopped.Store(true)
	g.space.Signal()
	g.pager.stop()
	for g.visitors.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	for _, l := range g.loops {
		l.stopping.Store(true)
		l.wake()
	}
	g.wait.Wait()
	g.release()
}

func (g *Group) release() {
	for _, l := range g.loops {
		l.release()
	}
}

// NewNamespace describes a namespace to the loops, before anything of it enters the ring.
func (g *Group) NewNamespace(index uint32, name string, log replay.Log) *Namespace {
	return &Namespace{Index: index, Name: name, Log: log, Origin: log.Last(), loops: make([]nsShare, len(g.loops))}
}

// Attach hands a stream over to the loop with the fewest rows, which owns fd from now
// on. When that loop's mailbox is full it waits for room: the connection still counts
// as one in the request phase, and those are limited. It leaves Attach.Books when it is a
// row, before the loop can see it: who has read of its stream is never counted twice.
func (g *Group) Attach(fd int, a *Attach) { g.post(message{fd: fd, attach: a, books: a.Books}) }

// Refuse hands a refused request over: the answer is sent, then a FIN, and what the
// client still sends is thrown away for a while, so that no reset destroys the answer
// (RFC 9112, section 9.6). books is to it what Attach.Books is to a stream.
func (g *Group) Refuse(fd int, answer []byte, books *atomic.Int64) {
	g.post(message{fd: fd, answer: answer, books: books})
}

// TryAttach is Attach for a caller that must not wait and hands several over; false: the
// descriptor is still the caller's. Nudge, called after the last, sees to it that the
// loops deal with them.
func (g *Group) TryAttach(fd int, a *Attach) bool {
	return g.tryPost(message{fd: fd, attach: a, books: a.Books})
}

// TryRefuse is to Refuse what TryAttach is to Attach.
func (g *Group) TryRefuse(fd int, answer []byte, books *atomic.Int64) bool {
	return g.tryPost(message{fd: fd, answer: answer, books: books})
}

// Nudge sees to it that what was handed over is dealt with.
func (g *Group) Nudge() {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		return
	}
	for _, l := range g.loops {
		if l.mailbox.Len() > 0 {
			l.nudge()
		}
	}
}

func (g *Group) post(m message) {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		m.leave(1)
		_ = g.o.Net.Close(m.fd)
		return
	}
	l := g.emptiest()
	for !l.take(m) {
		l.wake()
		time.Sleep(time.Millisecond)
	}
	l.nudge()
}

func (g *Group) tryPost(m message) bool {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		m.leave(1)
		_ = g.o.Net.Close(m.fd)
		return true
	}
	return g.emptiest().take(m)
}

// emptiest is the loop with the fewest rows.
func (g *Group) emptiest() *Loop {
	best := g.loops[0]
	for _, l := range g.loops[1:] {
		if l.Rows() < best.Rows() {
			best = l
		}
	}
	return best
}

// TryPublish puts an event that the log has into the ring; false: the ring is full.
// Callers of one namespace do so one after the other, in the order of their IDs.
func (g *Group) TryPublish(e Entry) bool {
	if _, ok := g.ring.TryPublish(e); !ok {
		return false
	}
	e.NS.published.Add(1)
	return true
}

// Room is how many entries the ring has room for.
func (g *Group) Room() int {
	room := g.ring.Size()
	for i := range g.loops {
		room = min(room, g.ring.Size()-g.ring.Lag(i))
	}
	return room
}

// NudgeFor sees to it that the loops with streams of ns deal with what was published:
// those that sleep are given a short turn here (baton.go). The others find the entries
// when they next have a reason to look.
func (g *Group) NudgeFor(ns *Namespace) {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		return
	}
	for i, l := range g.loops {
		if ns.loops[i].streams.Load() > 0 {
			l.nudge()
		}
	}
}

// NudgeAll sees to it that every loop deals with what was published: those without a stream
// for it are not woken otherwise, and hold the room until they look.
func (g *Group) NudgeAll() {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		return
	}
	for _, l := range g.loops {
		l.nudge()
	}
}

// AwaitSpace waits until ready says so, looking again whenever a loop has let go of
// entries; false: the deadline (zero: none) came first, or Stop.
func (g *Group) AwaitSpace(ready func() bool, deadline time.Time) bool {
	g.visitors.Add(1)
	defer g.visitors.Add(-1)
	if g.stopped.Load() {
		return false
	}
	for _, l := range g.loops {
		l.nudge()
	}
	done := false
	g.space.WaitUntil(func() bool {
		done = ready()
		return done || g.stopped.Load()
	}, deadline)
	return done
}

// Drain closes all streams, evenly spread over the period.
func (g *Group) Drain(period time.Duration) {
	for _, l := range g.loops {
		l.drainOver.Store(int64(max(period, 1)))
		l.wake()
	}
}

// Rows is the number of open streams and lingering refusals.
func (g *Group) Rows() int {
	sum := 0
	for _, l := range g.loops {
		sum += l.Rows()
	}
	return sum
}

// Waiting is the number of streams that wait for history, or to have their position looked up.
func (g *Group) Waiting() int {
	sum := 0
	for _, l := range g.loops {
		sum += int(l.counts.waiting.Load())
	}
	return sum
}

// Loops gives the loops, for their statistics.
func (g *Group) Loops() []*Loop { return g.loops }

// message is what the mailbox takes: a stream, or a refused request.
type message struct {
	fd     int
	attach *Attach
	answer []byte
	books  *atomic.Int64
}

// leave takes it from, or brings it back to, its sender's books.
func (m *message) leave(n int64) {
	if m.books != nil {
		m.books.Add(-n)
	}
}

// Attach is a stream on its way to a loop. The loop only reads it.
type Attach struct {
	NS     *Namespace
	Topics []string
	Format sse.Format
	From   From
	ID     sse.ID // with FromID
	// Floor is a position that the loop must have taken from the ring first; zero: none.
	Floor sse.ID
	// Requested is what the client asked for, as it stood: told in a gap.
	Requested string
	Head      []byte        // the answer's head, complete
	Full      []byte        // the answer if there is no room in a table
	Books     *atomic.Int64 // its sender's count of connections, of which it is one until it is a row; nil: none
	Trial     uint16        // it is let in on trial: how it does is told with this number (Options.Judged); 0: it is not
}

// From says where a stream begins.
type From uint8

// The beginnings.
const (
	FromNow      From = iota // with what comes
	FromEarliest             // with the earliest event that is held
	FromID                   // after Attach.ID
	FromLost                 // with the earliest event that is held, behind a gap: the client's last ID is none of ours
)
