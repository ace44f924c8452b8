package bench

import (
	"testing"
	"time"
)

func smallSlow(server []string) Options {
	o := small(server)
	o.Streams, o.Stalled, o.Pairs = 10, 6, 1
	return o
}

func TestSlow_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, slow, smallSlow(built.peer))
	if got := checked(t, r, "events delivered to the others, with slow clients"); got != "300" {
		t.Errorf("%s events", got)
	}
	for _, name := range []string{"stalled readers: complete", "trickling readers: complete", "dribbled requests"} {
		if v, _, _ := r.Value(name); v != 2 {
			t.Errorf("%s: %v, want 2", name, v)
		}
	}
}

// Readers that are too slow are cut off by a server that has a bound, and counted.
func TestSlow_LongEnoughToBeClosed(t *testing.T) {
	t.Parallel()
	o := smallSlow(built.peer)
	o.Streams, o.PayloadBytes, o.Events, o.Interval = 2, 32<<10, 400, time.Millisecond
	r := runsBut(t, slow, o, "VmRSS") // its queues are events of 32 KiB
	for _, name := range []string{"stalled readers: closed", "trickling readers: closed"} {
		if v, _, _ := r.Value(name); v != 2 {
			t.Errorf("%s: %v, want 2", name, v)
		}
	}
}

// Events that a slow reader loses without being told.
func TestSlow_SilentLossIsFound(t *testing.T) {
	t.Parallel()
	runs(t, slow, smallSlow(fibberServer("never")))
	o := smallSlow(fibberServer("lossy"))
	o.Streams, o.PayloadBytes, o.Events, o.Interval = 2, 32<<10, 250, time.Millisecond
	found(t, slow, o)
}
