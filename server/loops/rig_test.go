package loops

import (
	"context"
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"throng/internal/obs"
	"throng/internal/simio"
	"throng/poller"
	"throng/replay"
	"throng/ringbuf"
	"throng/sse"
)

// rig is a Group on a kernel that is not there, driven by hand: nothing happens but what
// the test asks for.
type rig struct {
	tb      testing.TB
	k       *simio.Kernel
	g       *Group
	store   *replay.Memory
	spaces  map[string]*Namespace
	backlog []Entry // in the log, waiting for room in the ring
	held    bool    // what waits stays where it is, as the tail of a store that nodes share is late
	colds   map[string]*cold
	wrap    func(replay.Log) *cold
}

// setup is what a rig is made of.
type setup struct {
	seed   uint64
	kernel simio.Options
	retain int                    // events of one namespace
	wrap   func(replay.Log) *cold // makes the logs; nil: they are in memory
	Options
}

// calm is a setup in which nothing goes wrong: one loop, small tables.
func calm() setup {
	return setup{retain: 1000, Options: Options{
		Loops: 1, Random: func() uint32 { return 0 }, Wait: ringbuf.Block,
		RowsMax: 256, RingEvents: 64, MailboxMax: 256, PinnedMax: 64, TurnWritesMax: 256,
		ClientBytesMax: 1 << 10, LingerBytesMax: 1 << 10,
		Heartbeat: 10 * time.Second, StallTimeout: 30 * time.Second, LingerTimeout: 2 * time.Second, RetryMs: 3000,
		ScansMax: 4, PagersMax: 4,
	}}
}

func newRig(tb testing.TB, s setup) *rig {
	tb.Helper()
	k := simio.New(s.seed, s.kernel)
	o := s.Options
	o.NewPoller = func() (poller.Poller, error) { return k.NewPoller(), nil }
	o.Net, o.Clock = k, k.Now
	o.Log = slog.New(slog.DiscardHandler)
	o.Lags, o.Broadcasts, o.Turns = obs.NewHistogram(), obs.NewHistogram(), obs.NewHistogram()
	g, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	mo := replay.MemoryDefaults()
	mo.Epoch, mo.EventsMax, mo.AgeMax = 1, s.retain, 0
	mo.BytesMax, mo.TotalBytesMax = 1<<40, 1<<40
	mo.Now = func() time.Time { return time.Unix(0, k.Now()) }
	return &rig{tb: tb, k: k, g: g, store: replay.NewMemory(mo), spaces: make(map[string]*Namespace),
		colds: make(map[string]*cold), wrap: s.wrap}
}

// space gives a namespace, made when it is first asked for.
func (r *rig) space(name string) *Namespace {
	r.tb.Helper()
	if ns := r.spaces[name]; ns != nil {
		return ns
	}
	log, err := r.store.Open(name)
	if err != nil {
		r.tb.Fatal(err)
	}
	if r.wrap != nil {
		r.colds[name] = r.wrap(log)
		log = r.colds[name]
	}
	ns := r.g.NewNamespace(uint32(len(r.spaces)), name, log)
	r.spaces[name] = ns
	return ns
}

// append puts an event into its namespace's log.
func (r *rig) append(ns *Namespace, topics []string, data string) *sse.Event {
	r.tb.Helper()
	batch := []replay.Record{{Event: &sse.Event{Topics: topics, Data: []byte(data)}}}
	if err := ns.Log.Append(context.Background(), batch); err != nil {
		r.tb.Fatal(err)
	}
	return batch[0].Event
}

// publish appends an event and puts it into the ring, behind those that wait for room.
func (r *rig) publish(ns *Namespace, topics []string, data string) *sse.Event {
	r.tb.Helper()
	e := r.append(ns, topics, data)
	r.backlog = append(r.backlog, Entry{Event: e, NS: ns, At: r.k.Now()})
	r.flush()
	return e
}

// flush moves what waits into the ring; true: nothing waits any more.
func (r *rig) flush() bool {
	for len(r.backlog) > 0 && !r.held {
		if c := r.colds[r.backlog[0].NS.Name]; c != nil && c.tail != nil {
			*c.tail = r.backlog[0].Event.ID
		}
		if !r.g.TryPublish(r.backlog[0]) {
			return false
		}
		r.g.NudgeFor(r.backlog[0].NS)
		r.backlog = r.backlog[1:]
	}
	return len(r.backlog) == 0
}

// turn gives every loop one turn, and the pager one; true: one of them has more to do.
func (r *rig) turn(timeoutMs int) (more bool) {
	more = r.g.pager.serve(false)
	for _, l := range r.g.Loops() {
		more = l.Turn(timeoutMs) || more
	}
	return more
}

// turnsMax bounds how long a rig is given to come to rest.
const turnsMax = 100_000

// settle turns until nobody has anything to do and no call is made any more.
func (r *rig) settle() {
	r.tb.Helper()
	for range turnsMax {
		before := r.calls()
		more := r.turn(0)
		if r.flush() && !more && r.calls() == before {
			return
		}
	}
	r.tb.Fatalf("seed %d: the loops do not come to rest in %d turns", r.k.Seed(), turnsMax)
}

// calls is how often the kernel was called, other than to wait.
func (r *rig) calls() uint64 {
	c := r.k.Calls()
	return c.Read + c.Write + c.Writev + c.ShutdownWrite + c.Close + c.Add
}

// pass lets time go by, with turns in between.
func (r *rig) pass(d time.Duration) {
	r.tb.Helper()
	for d > 0 {
		step := min(d, tickLength)
		r.k.Advance(step)
		r.settle()
		d -= step
	}
}

// connect makes a connection.
func (r *rig) connect() (int, *simio.Peer) {
	r.tb.Helper()
	fd, peer, err := r.k.Connect()
	if err != nil {
		r.tb.Fatal(err)
	}
	return fd, peer
}

// stop closes all rows, checks that nothing is left of them, and stops the group.
func (r *rig) stop() {
	r.tb.Helper()
	for _, l := range r.g.Loops() {
		l.closeAll(ReasonStop)
		r.empty(l)
	}
	for name, ns := range r.spaces {
		if n := ns.Streams(); n != 0 {
			r.tb.Errorf("namespace %s: %d streams left", name, n)
		}
	}
	r.g.Stop()
	r.k.Check(r.tb)
}

// empty checks that a loop without rows has nothing else either.
func (r *rig) empty(l *Loop) {
	r.tb.Helper()
	check := func(what string, n int) {
		r.tb.Helper()
		if n != 0 {
			r.tb.Errorf("seed %d, loop %d: %d %s left", r.k.Seed(), l.id, n, what)
		}
	}
	f := l.Figures()
	check("rows counted", f.Rows)
	check("streams counted", f.Streams)
	check("laggards counted", f.Lagging)
	check("rows that wait counted", f.Waiting)
	check("streams deferred", l.deferred.len())
	check("rows", l.table.count)
	check("sides", int(l.table.sidesUsed)-1-freeSides(l.table))
	check("pins", l.table.pinned())
	free := 0
	for slot := l.table.free; slot != 0; slot = l.table.rows[slot].wheelNext {
		free++
	}
	check("rows not in the free list", int(l.table.used)-1-free)
	for _, slot := range l.wheel.slots {
		check("lists in the wheel", int(slot))
	}
	if len(l.active) == 0 {
		s := l.index.Stats()
		check("memberships", s.Members)
		check("filters", s.Topics)
		check("nodes of patterns", s.PatternNodes)
		check("walks", s.Walked)
	}
}

func freeSides(t *table) (n int) {
	for at := t.sidesFree; at != 0; at = t.sides[at].next {
		n++
	}
	return n
}

func TestRow_FitsACacheLine(t *testing.T) {
	if n := unsafe.Sizeof(row{}); n > 64 {
		t.Errorf("a row has %d bytes; 64 are good", n)
	}
}
