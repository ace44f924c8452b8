package bench

import (
	"bytes"
	"testing"
)

func smallBatch(server []string) Options {
	o := small(server)
	o.Events, o.Lines, o.Connections, o.Streams = 200, 20, 2, 3
	return o
}

func TestBatch_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, batch, smallBatch(built.peer))
	if got := checked(t, r, "events delivered, in batches"); got != "600" {
		t.Errorf("%s events in batches", got)
	}
	if got := checked(t, r, "events delivered, as single publishes"); got != "60" {
		t.Errorf("%s single events", got)
	}
	if len(r.Comparisons) != len(batchVariants) || len(r.Comparisons[0].Pairs) != 2 {
		t.Errorf("%+v", r.Comparisons)
	}
}

func TestBatch_FibbersAreFound(t *testing.T) {
	t.Parallel()
	runs(t, batch, smallBatch(fibberServer("never")))
	for _, how := range []string{"short", "order", "error", "lost"} {
		found(t, batch, smallBatch(fibberServer(how)))
	}
}

func TestPutDecimal_GivesTheSamePayload(t *testing.T) {
	t.Parallel()
	var b batcher
	b.body = appendPayload(nil, payload{token: 7}, 60)
	want := appendPayload(nil, payload{7, 1234567890, 42}, 60)
	putDecimal(b.body[seqAt:seqAt+seqDigits], 1234567890)
	putDecimal(b.body[dueAt:dueAt+dueDigits], 42)
	if !bytes.Equal(b.body, want) {
		t.Errorf("%q, want %q", b.body, want)
	}
}
