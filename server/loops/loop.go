package loops

import (
	"sync/atomic"

	"throng/poller"
	"throng/ringbuf"
	"throng/sse"
	"throng/topics"
)

// Loop is one event loop. Whoever holds its baton (baton.go) touches it: its goroutine,
// except while that sleeps. The atomic fields are anybody's.
type Loop struct {
	o       *Options
	id      int
	group   *Group
	poll    poller.Poller
	net     poller.Net
	reader  *ringbuf.Reader[Entry]
	mailbox *ringbuf.Mailbox[message]
	table   *table
	index   *topics.Index
	wheel   wheel
	ready   fifo[poller.Token]
	ns      []*nsState // by Namespace.Index
	active  []*nsState // with a fan-out under way or waiting
	turnOf  int        // whose turn it is in active

	deferred fifo[message]  // streams that came before their place was known
	nears    []*nsState     // with a stretch of their log at hand
	aheads   []*nsState     // with rows that are ahead of this loop
	asking   fifo[*nsState] // that want a scan, in order
	scans    []*nsState     // with a scan under way
	scanTurn int            // whose turn it is in scans
	resting  []*nsState     // with a scan whose store is away
	spare    scan           // the memory of one that is over, for the next one
	paged    atomic.Bool    // a page that was asked for has been read

	next      uint64        // next sequence of the ring to take
	taken     atomic.Uint64 // next, for others to read
	released  uint64        // entries below may be gone
	now       int64         // the turn's time, ns
	start     int64         // tick 0, ns
	tick      uint32        // the turn's time, in units of the wheel
	heartbeat uint32        // ticks
	stall     uint32        // ticks
	linger    uint32        // ticks
	drain     drain

	pace       pace
	timeless   bool // the loop's goroutine sleeps without an end, as nothing had a deadline
	progressed bool // entries were done with in this turn

	events  [256]poller.Event
	page    [pageEvents]*sse.Event
	batch   batch
	out     outbox
	before  [outboxSends]sse.ID // of the rows in the outbox: up to where each has everything without it
	looked  int                 // events held against one row's topics, not yet taken off a budget
	scratch []byte
	encode  []byte

	baton     baton
	stopping  atomic.Bool
	drainOver atomic.Int64 // period of a drain that was ordered, ns
	counts    Counts

	witnesses fifo[witness]           // in the order of their ticks
	trials    map[poller.Token]uint64 // what clients of streams on trial had acknowledged when that was first asked
}

// pageEvents is how many events of the log are looked at between two writes to one row.
const pageEvents = 64

// scratchBytes is the loop's one buffer for what clients send on streams.
const scratchBytes = 16 << 10

func newLoop(g *Group, id int) (*Loop, error) {
	o := &g.o
	t, err := newTable(o.RowsMax, o.PinnedMax)
	if err != nil {
		return nil, err
	}
	index, err := topics.New(topics.LimitsFor(o.RowsMax))
	if err != nil {
		t.close()
		return nil, err
	}
	mailbox, err := ringbuf.NewMailbox[message](o.MailboxMax)
	if err != nil {
		t.close()
		_ = index.Close()
		return nil, err
	}
	poll, err := o.NewPoller()
	if err != nil {
		t.close()
		_ = index.Close()
		return nil, err
	}
	l := &Loop{o: o, id: id, group: g, poll: poll, net: o.Net, reader: g.ring.Reader(id),
		mailbox: mailbox, table: t, index: index, scratch: make([]byte, scratchBytes),
		heartbeat: ticks(o.Heartbeat), stall: ticks(o.StallTimeout), linger: ticks(o.LingerTimeout),
		start: o.Clock()}
	l.wheel.rows = t.rows
	l.now = l.start
	l.counts.stuckTurn.Store(-1) // none has been seen
	return l, nil
}

func (l *Loop) release() {
	_ = l.poll.Close()
	l.table.close()
	_ = l.index.Close()
}

// run is the loop's goroutine.
func (l *Loop) run() {
	busy := false
	for !l.stopping.Load() {
		busy = l.Turn(l.patience(busy))
	}
	l.closeAll(ReasonStop)
}

// Turn waits for at most timeoutMs and then does one turn's work; true: there is more.
// A test that drives a loop by hand calls it; otherwise only run does.
func (l *Loop) Turn(timeoutMs int) bool {
	n, err := l.poll.Wait(l.events[:], timeoutMs)
	l.baton.take()
	if err != nil {
		l.o.Log.Error("a loop's poller failed", "loop", l.id, "error", err)
	}
	return l.turn(l.events[:n], l.o.TurnWritesMax)
}

// turn deals with the events and then with whatever else has work, up to a budget of
// writes; true: there is more.
func (l *Loop) turn(events []poller.Event, budget int) bool {
	l.now = l.o.Clock()
	l.tick = uint32((l.now - l.start) / int64(tickLength))
	if l.paged.Load() {
		l.paged.Store(false)
	}
	if len(l.nears) > 0 {
		l.forgetNears()
	}
	for i := range events {
		l.event(events[i])
	}
	l.dispatch()
	used, more := l.work(budget)
	end := l.now
	if used > 0 || len(events) > 0 {
		end = l.o.Clock()
		l.o.Turns.ObserveNs(end-l.now, 1)
		l.pace.turned(end-l.now, used)
	}
	l.letGo(end)
	return more
}

// work shares the turn's budget of writes between everything that has some, a quantum
// each, round and round: fan-outs of different namespaces, hand-overs, laggards, scans of
// different namespaces, heartbeats, the drain. It says what of the budget was used.
func (l *Loop) work(given int) (used int, more bool) {
	budget := given
	for budget > 0 {
		before := budget
		budget -= l.handOvers(quantum)
		many := min(max(budget, quantum), outboxSends)
		budget -= l.fanOuts(many, max(budget/2, quantum))
		budget -= l.serveReady(quantum)
		if len(l.aheads) > 0 {
			budget -= l.serveAheads()
		}
		if len(l.scans) > 0 || l.asking.len() > 0 || len(l.resting) > 0 {
			budget -= l.scanSome(many, max(budget/2, quantum))
		}
		if l.witnesses.len() > 0 {
			budget -= l.hear(quantum)
		}
		budget -= l.expire(many)
		budget -= l.drainSome(quantum)
		if budget == before {
			return given - budget, false
		}
	}
	return given - budget, true
}

// quantum is how many writes one kind of work gets before the next one has its turn;
// those that go through the outbox get what that holds.
const quantum = 16

// letGo releases what is not kept for laggards, and tells committers that wait for room.
// Half of the ring is kept behind the oldest fan-out, as long as a quarter of it stays
// free for publishers: a fan-out itself needs nothing of the ring.
func (l *Loop) letGo(now int64) {
	oldest, at, late := l.next, int64(0), int64(0)
	for _, st := range l.active {
		if seq, then := st.oldest(); seq < oldest {
			oldest, at = seq, then
		}
		late = max(late, st.late(now, &l.pace))
	}
	l.counts.pinned.Store(int64(l.table.pinned()))
	l.counts.behind(l.now, oldest, at, late)
	size := uint64(l.o.RingEvents)
	keep := max(oldest, size/2) - size/2
	keep = max(keep, max(l.next, size*3/4)-size*3/4)
	if keep > l.released {
		l.released = keep
		l.reader.Release(keep)
		l.progressed = true
	}
	if l.progressed {
		l.progressed = false
		l.group.space.Signal()
	}
}

// patience is how long the next Wait may take, by the wait strategy. Before a wait
// that blocks, the loop says that it is asleep and looks once more at what others may
// have left meanwhile: they publish first and look whether it is asleep then.
func (l *Loop) patience(busy bool) int {
	if busy {
		return 0
	}
	switch l.o.Wait {
	case ringbuf.Spin:
		return 0
	case ringbuf.Yield:
		yield()
		return 0
	case ringbuf.Sleep:
		return 1
	}
	wait := -1
	l.timeless = l.table.count == 0 && len(l.nears) == 0
	if !l.timeless {
		untilTick := int64(tickLength) - (l.o.Clock()-l.start)%int64(tickLength)
		wait = int(untilTick/1e6) + 1
	}
	l.baton.leave()
	if l.news() {
		return 0
	}
	return wait
}

// news says whether others have left something since the last turn. It may be asked
// without the baton: then its answer may be old, but never misses what was left before.
func (l *Loop) news() bool {
	return l.mailbox.Len() > 0 || l.group.ring.Published() > l.taken.Load() || l.paged.Load() || l.stopping.Load() || l.drainOver.Load() != 0
}

func (l *Loop) wake() {
	if err := l.poll.Wake(); err != nil {
		l.o.Log.Error("waking a loop failed", "loop", l.id, "error", err)
	}
}
