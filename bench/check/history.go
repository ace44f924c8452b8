package check

import (
	"fmt"
	"slices"
	"strings"

	"throng/sse"
)

// Promise is what a store is held to.
type Promise struct {
	// Survives says that the log outlives the end of a node: a lineage that comes back is
	// owed what was acknowledged before. Otherwise it is owed a gap.
	Survives bool
	// MayLose says that acknowledged events may be lost, if a gap tells of it: a failover to
	// a replica that was behind, or a disk that nobody flushed.
	MayLose bool
	// Doubts says that a gap may be told though nothing was lost: when the server can't know.
	Doubts bool
}

// ack is what became of an event: 24 bytes.
type ack struct {
	id          sse.ID // zero: it was not acknowledged
	sent, acked uint32 // first try and answer, ms since the run began
}

// What else is known of an event.
const (
	flagFirst   uint8 = 1 << iota // the first of its request
	flagRetried                   // sent more than once
	flagSpooled                   // accepted without an ID
)

// record is what a publisher notes. Event number n is at index n-1.
type record struct {
	acks  []ack
	flags []uint8
	again []answer    // further answers for events that were acknowledged
	wrong []Violation // answers that break the promise by themselves
}

// answer is an ID that was given to an event.
type answer struct {
	number uint32
	id     sse.ID
}

func (r *record) of(number uint32) *ack { return &r.acks[number-1] }

// entry is a line of a lineage's log: 24 bytes.
type entry struct {
	id        sse.ID
	number    uint32 // of the event; of a gap its index in gaps
	publisher uint16
	gap       bool
}

func (e entry) ref() ref { return ref{e.publisher, e.number} }

// gap is what a throng.gap said, beside its own ID.
type gap struct{ requested, earliest sse.ID }

// connection is one of a lineage's connections.
type connection struct {
	entries int // in the log when it began
	at      uint32
	node    int
	after   sse.ID // the ID that it resumed from; zero: none
	first   sse.ID // of the first block; zero: none came
	end     string // why it ended
}

// lineage is what one subscriber saw over all its connections.
type lineage struct {
	number   int
	ns       int
	patterns []string
	topics   topicSet
	json     bool
	slow     bool
	earliest bool // it asked for all that is held
	audit    bool // it came last, to read what the log holds in the end

	attached   bool
	start      sse.ID // point of attachment
	startAt    uint32 // ms
	position   sse.ID // what it would resume from
	ended      bool   // on purpose: it is owed nothing beyond its last ID
	log        []entry
	gaps       []gap
	conns      []connection
	violations []Violation // seen at once
}

// reached is the ID of the last event or gap, or the point of attachment.
func (l *lineage) reached() sse.ID {
	if n := len(l.log); n > 0 {
		return l.log[n-1].id
	}
	return l.start
}

// String names the lineage in messages.
func (l *lineage) String() string {
	format := "text"
	if l.json {
		format = "json"
	}
	return fmt.Sprintf("lineage %d (%s, %s, %s)", l.number, nsName(l.ns), strings.Join(l.patterns, " "), format)
}

// connectionOf describes the connection that brought the log's entry at an index.
func (l *lineage) connectionOf(index int) string {
	i := len(l.conns) - 1
	for i > 0 && l.conns[i].entries > index {
		i--
	}
	if i < 0 {
		return "no connection"
	}
	c := l.conns[i]
	text := fmt.Sprintf("connection %d, to node %d at %s", i+1, c.node, seconds(c.at))
	if !c.after.IsZero() {
		text += ", resumed after " + c.after.String()
	}
	return text
}

// seconds writes milliseconds since the run began.
func seconds(ms uint32) string { return fmt.Sprintf("%d.%03d s", ms/1000, ms%1000) }

// round is when a round began and what happened in it.
type round struct {
	at     uint32
	faults []string
}

// history is all that a run noted.
type history struct {
	load
	promise  Promise
	rounds   []round
	records  []*record // by publisher
	lineages []*lineage
}

// roundAt names the round of a moment, and its faults.
func (h *history) roundAt(ms uint32) string {
	i, _ := slices.BinarySearchFunc(h.rounds, ms+1, func(r round, at uint32) int { return int(r.at) - int(at) })
	if i == 0 {
		return "before round 1"
	}
	faults := strings.Join(h.rounds[i-1].faults, ", ")
	if faults == "" {
		faults = "no fault"
	}
	return fmt.Sprintf("round %d: %s", i, faults)
}

// told describes what became of an event at its publisher.
func (h *history) told(r ref) string {
	if int(r.publisher) >= len(h.records) || int(r.number) > len(h.records[r.publisher].acks) || r.number == 0 {
		return fmt.Sprintf("%v, which nobody published", r)
	}
	a := h.records[r.publisher].of(r.number)
	if a.id.IsZero() {
		return fmt.Sprintf("%v, sent at %s and not acknowledged (%s)", r, seconds(a.sent), h.roundAt(a.sent))
	}
	return fmt.Sprintf("%v, sent at %s, acknowledged as %v at %s (%s)", r, seconds(a.sent), a.id, seconds(a.acked), h.roundAt(a.acked))
}
