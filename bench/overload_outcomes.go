package bench

import (
	"fmt"
	"maps"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// outcomes count what became of the work that was offered in one phase of one load. Work
// belongs to the phase in which it was offered, however late it ends.
type outcomes struct {
	offered    int64
	attempts   int64 // that went out, returns included
	served     int64
	refused    int64 // by the server, with an answer
	unheard    int64 // not connected in time: the server's kernel did not answer
	heldBack   int64 // not sent: its client had been told to come back later
	unsent     int64 // not sent: its client was still busy, or had no descriptor left
	unanswered int64 // given up by its client
	lost       int64 // closed or reset without an answer
	foul       int64 // answered with what is no answer
	cut        int64 // streams that the server closed while they were held
	givenUp    int64 // refusals after which a browser never comes back
	told       map[string]int64

	accepted *hdrhistogram.Histogram // due to answer, of the attempt that was accepted, ns
	whole    *hdrhistogram.Histogram // the same from the client's first attempt on
	delivery *hdrhistogram.Histogram // publish due to delivery
}

func newOutcomes() *outcomes {
	return &outcomes{told: make(map[string]int64), accepted: newHistogram(), whole: newHistogram(), delivery: newHistogram()}
}

// String is the counts, for a log.
func (t *outcomes) String() string {
	return fmt.Sprintf("%d served, %d refused %v, %d unheard, %d unanswered, %d lost of %d", t.served, t.refused, t.told, t.unheard, t.unanswered, t.lost, t.attempts)
}

// count adds an outcome.
func (t *outcomes) count(what outcome, told string) {
	switch what {
	case served:
		t.served++
	case refused:
		t.refused++
		t.told[told]++
	case unheard:
		t.unheard++
	case unanswered:
		t.unanswered++
	case lost:
		t.lost++
	case foul:
		t.foul++
	}
}

// answers are the refusals by what was told, in order.
func (t *outcomes) answers() []string { return slices.Sorted(maps.Keys(t.told)) }
