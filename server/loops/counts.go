package loops

import (
	"sync/atomic"
)

// Counts are one loop's figures. The loop writes, anybody reads; nothing else is on
// their cache lines.
type Counts struct {
	_          [64]byte
	events     atomic.Uint64 // frames handed to sockets
	bytes      atomic.Uint64
	heartbeats atomic.Uint64
	replayed   atomic.Uint64
	gaps       atomic.Uint64
	lapped     atomic.Uint64
	rows       atomic.Int64  // added to by who hands over
	pushed     atomic.Uint64 // streams that came into the mailbox; added to by who hands over
	popped     atomic.Uint64 // streams that left it
	streams    atomic.Int64
	lagging    atomic.Int64
	pinned     atomic.Int64
	reads      atomic.Uint64 // events taken out of logs' memory for streams
	scans      atomic.Uint64 // begun
	waiting    atomic.Int64  // rows that wait for history
	turnAt     atomic.Int64  // begin of the last turn, ns
	oldest     atomic.Uint64 // first entry not dealt with
	oldestAt   atomic.Int64  // when it was published, ns; 0: there is none
	late       atomic.Int64  // by how much entries were late at the end of the last turn, ns
	crowded    atomic.Uint64 // streams that met a full table of rows
	closed     [reasonCount]atomic.Uint64
	_          [64]byte
	stuckTurn  atomic.Int64 // turnAt, when somebody last saw a turn under way that was given news; written by those who look
	stuckAt    atomic.Int64 // when that was seen first, ns
}

func (c *Counts) delivered(events, bytes int) {
	c.events.Add(uint64(events))
	c.bytes.Add(uint64(bytes))
}

// behind notes how far the loop is, at the end of a turn.
func (c *Counts) behind(now int64, oldest uint64, at, late int64) {
	c.turnAt.Store(now)
	if c.late.Load() != late {
		c.late.Store(late)
	}
	c.oldest.Store(oldest)
	c.oldestAt.Store(at)
}

// Figures are a loop's counts at one moment.
type Figures struct {
	Loop           int                 `json:"loop"`
	Rows           int                 `json:"rows"`
	Streams        int                 `json:"streams"`
	Lagging        int                 `json:"lagging"`
	Pinned         int                 `json:"pinned"`
	Events         uint64              `json:"events"`
	Bytes          uint64              `json:"bytes"`
	Heartbeats     uint64              `json:"heartbeats"`
	Replayed       uint64              `json:"replayed"`
	Gaps           uint64              `json:"gaps"`
	Lapped         uint64              `json:"lapped"`
	Reads          uint64              `json:"reads"`   // events taken out of logs' memory for streams; Group.Paging has the others
	Scans          uint64              `json:"scans"`   // walks through a log that were begun
	Waiting        int                 `json:"waiting"` // rows that wait for history
	Crowded        uint64              `json:"-"`       // streams that met a full table of rows, without the refused requests that did
	Closed         [reasonCount]uint64 `json:"-"`
	RingFill       float64             `json:"ring_fill_ratio"`  // 0 to 1 of the entries it may be behind
	RingLagSeconds float64             `json:"ring_lag_seconds"` // age of the oldest entry it has not dealt with
	BehindSeconds  float64             `json:"behind_seconds"`   // by how much entries are older than their fan-outs explain (lateness.go); what is not for a loop that sleeps does not count
}

// Rows is the number of rows in use and of descriptors in the mailbox, which will be rows.
// Any goroutine may call it.
func (l *Loop) Rows() int { return int(l.counts.rows.Load()) }

// ID is the loop's number.
func (l *Loop) ID() int { return l.id }

// Figures reads the counts. Any goroutine may call it.
func (l *Loop) Figures() Figures {
	c := &l.counts
	f := Figures{
		Loop: l.id, Rows: int(c.rows.Load()), Streams: int(c.streams.Load()), Lagging: int(c.lagging.Load()), Pinned: int(c.pinned.Load()),
		Events: c.events.Load(), Bytes: c.bytes.Load(), Heartbeats: c.heartbeats.Load(),
		Replayed: c.replayed.Load(), Gaps: c.gaps.Load(), Lapped: c.lapped.Load(),
		Reads: c.reads.Load(), Scans: c.scans.Load(), Waiting: int(c.waiting.Load()),
		Crowded: c.crowded.Load(),
	}
	for i := range f.Closed {
		f.Closed[i] = c.closed[i].Load()
	}
	now, behind := l.o.Clock(), l.group.ring.Published()-c.oldest.Load()
	if f.Streams > 0 && behind > 0 && int64(behind) > 0 {
		f.RingFill = min(1, float64(behind)/float64(l.o.RingEvents/2))
		since := c.turnAt.Load()
		if at := c.oldestAt.Load(); at != 0 {
			since = at
		}
		f.RingLagSeconds = float64(now-since) / 1e9
		f.BehindSeconds = float64(max(l.behind(now), 0)) / 1e9
	}
	return f
}

// behind is by how many ns entries are late. What has come since the last turn, which left
// nothing to do, may have come just now, however long that is ago: it has waited since
// somebody saw it first.
func (l *Loop) behind(now int64) int64 {
	c := &l.counts
	turn := c.turnAt.Load()
	switch {
	case c.oldestAt.Load() != 0:
		return now - turn + c.late.Load()
	case l.baton.asleep():
		return 0
	case c.stuckTurn.Load() != turn:
		c.stuckAt.Store(now)
		c.stuckTurn.Store(turn)
	}
	return now - c.stuckAt.Load()
}

// ParseLagPolicy reads catchup, skip or close.
func ParseLagPolicy(s string) (LagPolicy, bool) {
	for i, name := range [...]string{"catchup", "skip", "close"} {
		if s == name {
			return LagPolicy(i), true
		}
	}
	return 0, false
}
