package check

import "fmt"

// Kind is which part of the promise is broken.
type Kind string

// The kinds of violations, as they are reported.
const (
	Lost           Kind = "lost"              // acknowledged, or given to others, and not given; no gap covers it
	LostThoughTold Kind = "lost, though told" // a gap covers it, where the store keeps what it has
	GapForNothing  Kind = "gap for nothing"   // a gap where nothing can be missing
	BadGap         Kind = "bad gap"           // a gap that contradicts itself
	Twice          Kind = "twice"             // one event twice on one lineage, or in the log
	Order          Kind = "order"             // an ID that does not rise on a lineage
	PublisherOrder Kind = "publisher's order" // an ID that does not rise for a publisher that waits
	Reused         Kind = "ID reused"         // one ID for two events
	Renamed        Kind = "ID changed"        // another ID for a key that had one
	Foreign        Kind = "foreign"           // an event of a topic that the lineage has not asked for
	Content        Kind = "content"           // not what was published
	Stuck          Kind = "stuck"             // a lineage that never got to the end
)

// Kinds lists all kinds in the order of reports.
func Kinds() []Kind {
	return []Kind{Lost, LostThoughTold, GapForNothing, BadGap, Twice, Order, PublisherOrder, Reused, Renamed, Foreign, Content, Stuck}
}

// Violation is one place where the promise is broken.
type Violation struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"` // where: lineage, neighbours, what was acknowledged when
}

// violationsMax bounds how many violations of a kind are told of; all are counted.
const violationsMax = 10

// findings are what a judgement comes to.
type findings struct {
	violations []Violation
	counts     map[Kind]int
	gaps       int // told
	doubts     int // of these: though nothing was lost, where the server may not know
	toldLost   int // events that lineages were told to have lost
	lostEvents int // acknowledged events that the store lost, where it may
	surplus    int // events that were not acknowledged and are in the log all the same
}

// takeOver adds violations that clients saw at once.
func (f *findings) takeOver(all []Violation) {
	for _, v := range all {
		f.add(v.Kind, "%s", v.Text)
	}
}

func (f *findings) add(kind Kind, format string, args ...any) {
	f.counts[kind]++
	if f.counts[kind] <= violationsMax {
		f.violations = append(f.violations, Violation{kind, fmt.Sprintf(format, args...)})
	}
}
