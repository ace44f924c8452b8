package bench

import (
	"testing"
	"time"
)

func smallSoak(server []string) Options {
	o := small(server)
	o.Streams, o.Stalled, o.Topics, o.Rate = 60, 3, 3, 100
	o.Interval, o.Duration = 50*time.Millisecond, 600*time.Millisecond
	return o
}

// The times that the field asks for are left out: the machine of a test may be busy.
func TestSoak_Small(t *testing.T) {
	t.Parallel()
	for _, server := range [][]string{peerWithHistory(), fibberServer("never")} {
		r := runsBut(t, soak, smallSoak(server), "p99")
		for _, name := range []string{"streams broken and resumed", "visits (visitors)", "events delivered in all"} {
			if v, _, _ := r.Value(name); v == 0 {
				t.Errorf("%s: none", name)
			}
		}
	}
}

// Streams that the server closes, and events that do not come back after a break.
func TestSoak_FibbersAreFound(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"close", "forget", "late"} {
		found(t, soak, smallSoak(fibberServer(how)))
	}
}

func TestReport_Level(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		good, all int64
		ok        bool
	}{{9995, 10000, true}, {9994, 10000, false}, {0, 0, false}, {10001, 10000, false}} {
		var r Report
		if r.level("x", c.good, c.all, 99.95); r.OK() != c.ok {
			t.Errorf("%d of %d: %+v", c.good, c.all, r.Checks)
		}
	}
}
