package check

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Result is what a run came to.
type Result struct {
	Rounds     int
	Violations []Violation  // the first of each kind
	Counts     map[Kind]int // all violations
	Faults     []Counted    // by name

	Acknowledged   int64 // events
	Unacknowledged int64 // events whose publisher never got an answer with an ID
	Surplus        int   // of these: in the log all the same
	Spooled        int64 // accepted to be sent later
	Again          int64 // answers to events that had been acknowledged already
	Failed         int64 // requests and lines that were refused or broke
	Received       int64 // events, over all lineages
	Lineages       int
	Connections    int64 // streams opened
	Refused        int64 // streams refused
	Gaps           int64 // told
	Doubts         int   // gaps that told of nothing lost, where the server may not know
	ToldLost       int   // events that lineages were told to have lost
	LostEvents     int   // acknowledged events that the store lost, where it may

	history *history
}

// Counted is how often something happened.
type Counted struct {
	Name  string
	Times int
}

// history is all that was noted so far. Publishers must stand still.
func (r *run) history() *history {
	h := &history{load: r.load, promise: r.promise, rounds: r.rounds}
	for _, p := range append(slices.Clone(r.publishers), r.barriers...) {
		h.records = append(h.records, p.record)
	}
	for _, s := range r.subscribers {
		h.lineages = append(h.lineages, s.snapshot())
	}
	return h
}

// result is what the run came to. All clients have ended.
func (r *run) result() *Result {
	c, f := &r.counts, r.latest
	out := &Result{
		Rounds: len(r.rounds), Violations: f.violations, Counts: f.counts,
		Acknowledged: c.acknowledged.Load(), Unacknowledged: c.unacknowledged.Load(), Surplus: f.surplus,
		Spooled: c.spooled.Load(), Again: c.again.Load(), Failed: c.failed.Load(), Received: c.received.Load(),
		Lineages: len(r.subscribers), Connections: c.connections.Load(), Refused: c.refused.Load(),
		Gaps: c.gaps.Load(), Doubts: f.doubts, ToldLost: f.toldLost, LostEvents: f.lostEvents,
		history: r.history(),
	}
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		out.Faults = append(out.Faults, Counted{name, r.faults[name]})
	}
	return out
}

// Keep writes all that was noted into a directory, which it makes: rounds.tsv,
// violations.txt, published.tsv, and of each lineage a log. Each line of a log is a
// connection, an event or a gap.
func (r *Result) Keep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	h := r.history
	errs := []error{
		keep(dir, "rounds.tsv", func(w io.Writer) {
			for i, round := range h.rounds {
				fmt.Fprintf(w, "%d\t%s\t%q\n", i+1, seconds(round.at), round.faults)
			}
		}),
		keep(dir, "violations.txt", func(w io.Writer) {
			for _, v := range r.Violations {
				fmt.Fprintf(w, "%s: %s\n", v.Kind, v.Text)
			}
		}),
		keep(dir, "published.tsv", func(w io.Writer) {
			for p, record := range h.records {
				for i, a := range record.acks {
					e := ref{uint16(p), uint32(i + 1)}
					fmt.Fprintf(w, "%s\t%v\t%v\t%s\t%s\t%q\n", nsName(h.namespace(p)), e, a.id, seconds(a.sent), seconds(a.acked), h.topics(e).names())
				}
			}
		}),
	}
	for _, l := range h.lineages {
		errs = append(errs, keep(dir, fmt.Sprintf("lineage-%d.tsv", l.number), l.write))
	}
	return errors.Join(errs...)
}

// write writes the log of a lineage.
func (l *lineage) write(w io.Writer) {
	fmt.Fprintf(w, "# %v, attached at %v\n", l, l.start)
	conns := l.conns
	for i := 0; i <= len(l.log); i++ {
		for len(conns) > 0 && conns[0].entries == i {
			c := conns[0]
			fmt.Fprintf(w, "connection\t%s\tnode %d\tafter %v\tfirst %v\t%s\n", seconds(c.at), c.node, c.after, c.first, c.end)
			conns = conns[1:]
		}
		if i == len(l.log) {
			return
		}
		if e := l.log[i]; e.gap {
			fmt.Fprintf(w, "gap\t%v\trequested %v\tearliest %v\n", e.id, l.gaps[e.number].requested, l.gaps[e.number].earliest)
		} else {
			fmt.Fprintf(w, "event\t%v\t%v\n", e.id, e.ref())
		}
	}
}

// keep writes one file.
func keep(dir, name string, write func(io.Writer)) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	w := bufio.NewWriter(f)
	write(w)
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}
