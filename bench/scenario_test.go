package bench

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// small are options that make any scenario a matter of seconds.
func small(server []string) Options {
	return Options{
		Server: server, Streams: 50, StreamsLow: 20, Connections: 200, Events: 30, Pairs: 2,
		Interval: 2 * time.Millisecond, Duration: 200 * time.Millisecond,
		memoryMore: 24 << 20, // under the race detector, and in half a second, a heap moves by that
		window:     20 * time.Millisecond, Settle: settleRule{Change: 0.5, Window: 50 * time.Millisecond, Limit: time.Second},
	}
}

// runs runs a scenario, wants it right, and returns its report.
func runs(t *testing.T, s Scenario, o Options) Report {
	t.Helper()
	var log bytes.Buffer
	o.Log = &log
	r, err := s.Run(context.Background(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if !r.OK() {
		t.Fatalf("%+v\n%q", r.Checks, r.Notes)
	}
	return r
}

// checked is what a report says about a check.
func checked(t *testing.T, r Report, name string) string {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c.Got
		}
	}
	t.Fatalf("no check %q in %+v", name, r.Checks)
	return ""
}

func TestDensity_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, density, small(built.peer))
	if got := checked(t, r, "streams still open"); got != "50" {
		t.Errorf("%s streams", got)
	}
}

func TestFanout_SmallAtEveryPace(t *testing.T) {
	t.Parallel()
	for _, pacing := range []string{pacingLockstep, pacingBurst, pacingInterval} {
		o := small(built.peer)
		o.Pacing, o.Floor = pacing, built.floor
		r := runs(t, fanout, o)
		if got := checked(t, r, "events delivered by the server"); got != "1500" {
			t.Errorf("%s: %s events", pacing, got)
		}
		if built.floor == nil {
			continue
		}
		if got := checked(t, r, "events delivered by the floor"); got != "1500" {
			t.Errorf("%s: %s events of the floor", pacing, got)
		}
		if len(r.Comparisons) != 4 || len(r.Comparisons[0].Pairs) != 2 {
			t.Errorf("%s: %+v", pacing, r.Comparisons)
		}
	}
}

func TestFanout_UnknownPace(t *testing.T) {
	t.Parallel()
	o := small(built.peer)
	o.Pacing = "gallop"
	if _, err := fanout.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "gallop") {
		t.Error(err)
	}
}

func TestDevice_Small(t *testing.T) {
	t.Parallel()
	o := small(built.peer)
	o.Peers = []PeerSpec{{"net/http", built.peer, Wire{}}, {"foreign", foreignServer("honest"), foreignWire}}
	r := runs(t, device, o)
	if len(r.Comparisons) != 2*len(deviceVariants)*len(o.Peers) || len(r.Comparisons[0].Pairs) != 2 {
		t.Errorf("%+v", r.Comparisons)
	}
}

func TestFair_Small(t *testing.T) {
	t.Parallel()
	runs(t, fair, small(built.peer))
}

func TestStall_Small(t *testing.T) {
	t.Parallel()
	o := small(built.peer)
	o.Stalled, o.PayloadBytes = 2, 4096
	r := runs(t, stall, o)
	if got := checked(t, r, "events delivered to the others, 2 stalled"); got != "1500" {
		t.Errorf("%s events", got)
	}
}

// The stalled reader must be cut off by a server that has a bound.
func TestStall_LongEnoughToBeClosed(t *testing.T) {
	t.Parallel()
	o := small(built.peer)
	o.Streams, o.PayloadBytes, o.Events, o.Pairs, o.Interval = 2, 32<<10, 400, 1, time.Microsecond
	r := runs(t, stall, o)
	if !strings.HasPrefix(r.Notes[0], "stalled: 1 closed, 0 gaps") {
		t.Errorf("%q", r.Notes)
	}
}

func TestHandover_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, handover, small(built.peer))
	if got := checked(t, r, "connections"); got != "200" {
		t.Errorf("%s connections", got)
	}
}

func TestStorm_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, storm, small(peerWithHistory()))
	if got := checked(t, r, "events delivered, each once to each stream"); got == "0" {
		t.Error("nothing was delivered")
	}
}

// A server that forgets what it sent must not pass.
func TestStorm_ServerWithoutHistory(t *testing.T) {
	t.Parallel()
	r, err := storm.Run(context.Background(), small(built.peer))
	if err == nil && r.OK() {
		t.Errorf("%+v", r.Checks)
	}
}

func TestFanout_LiarIsFound(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"drop", "twice", "foreign", "torn"} {
		o := small(liar(how))
		o.Streams, o.Pacing = 1, pacingBurst
		if r, err := fanout.Run(context.Background(), o); err == nil && r.OK() {
			t.Errorf("%s: %+v", how, r.Checks)
		}
	}
	o := small(liar("never"))
	o.Streams, o.Pacing, o.Pairs = 1, pacingBurst, 1
	runs(t, fanout, o) // the liar is honest otherwise
}

func TestRun_ServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{nil, {"/nonexistent/server"}, {"false"}} {
		if _, err := storm.Run(context.Background(), small(argv)); err == nil {
			t.Errorf("%q: no error", argv)
		}
	}
}
