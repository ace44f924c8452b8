package bench

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func smallOverload(server []string, load string) Options {
	o := small(server)
	o.Streams, o.Connections, o.Pairs, o.Load, o.ServerCPU = 4, 8, 1, load, noQuota
	o.Duration, o.Hold, o.Interval = 400*time.Millisecond, 10*time.Millisecond, 20*time.Millisecond
	return o
}

func TestOverload_SmallWithEveryLoad(t *testing.T) {
	t.Parallel()
	r := runs(t, overload, smallOverload(fibberServer("never"), loadAll)) // the peer closes readers that are behind
	for _, name := range []string{"peak of connections, server", "connections, server: overload, accepted", "publishes, server: overload, accepted",
		"both, server: publishes, overload, accepted", "both, server: connections, reference, offered"} {
		if v, _, known := r.Value(name); !known || v <= 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
	if len(r.Goals) == 0 || !strings.Contains(r.Print(), "normal again") {
		t.Errorf("%+v", r.Goals)
	}
	panels := 0
	for _, p := range r.charts() {
		if p.name == "overload-both" {
			panels = len(p.panels) + 1
		}
	}
	if panels != len(overloadPanels) {
		t.Errorf("a picture of %d panels", panels)
	}
}

func TestOverload_RefusalsAreCounted(t *testing.T) {
	t.Parallel()
	for _, stubborn := range []string{stubbornOff, stubbornOn} {
		o := smallOverload(fibberServer("refuse"), loadConnections)
		o.Stubborn = stubborn
		r := runs(t, overload, o)
		if v, _, _ := r.Value("connections, server: overload, refused with 503"); v <= 0 {
			t.Errorf("stubborn %s: %v refused", stubborn, v)
		}
		if v, _, _ := r.Value("connections, server: overload, held back after a refusal"); v != 0 && stubborn == stubbornOn {
			t.Errorf("stubborn clients hold back %v/s", v)
		}
	}
}

// Who is told to come back later does not come before: what it would have wanted is held
// back, unless it is stubborn.
func TestConnectionLoad_HoldsBackWhoWaits(t *testing.T) {
	t.Parallel()
	for _, stubborn := range []bool{false, true} {
		l := &connectionLoad{by: &callers{}, stubborn: stubborn, crowd: 10, away: 10, tally: newOutcomes()}
		l.arrivals = &poisson{rng: rand.New(rand.NewPCG(1, 1))}
		for range 100 { // there is no room: who does come is not sent
			if err := l.offer(0); err != nil {
				t.Fatal(err)
			}
		}
		if n := l.tally; n.offered != 100 || n.heldBack != 100 && !stubborn || n.unsent != 100 && stubborn {
			t.Errorf("stubborn %t: %+v", stubborn, n)
		}
	}
}

// A publisher that is refused is silent, and what waits behind the refused publish is held
// back with it.
func TestPublishLine_IsSilentAfterARefusal(t *testing.T) {
	t.Parallel()
	for _, stubborn := range []bool{false, true} {
		w, err := newSwarm(time.Now(), 1)
		if err != nil {
			t.Fatal(err)
		}
		l := &publishLoad{run: &run{w: w}, stubborn: stubborn, patience: int64(time.Hour), tally: newOutcomes(), window: newWindow()}
		n := &publishLine{load: l, busy: true, now: publishItem{0, l.tally}}
		for range 3 {
			if err := n.offer(w.now()); err != nil {
				t.Fatal(err)
			}
		}
		n.answered(503, time.Hour)
		n.busy = true // nothing is sent: there is no server
		if err := n.offer(w.now()); err != nil {
			t.Fatal(err)
		}
		want := outcomes{offered: 4, refused: 1, heldBack: 4}
		if stubborn {
			want.heldBack = 0
		}
		if got := l.tally; got.offered != want.offered || got.refused != want.refused || got.heldBack != want.heldBack || got.told["503"] != 1 {
			t.Errorf("stubborn %t: %+v", stubborn, got)
		}
		if l.patience = 0; stubborn {
			n.expire()
			if len(n.queue) != 0 || l.tally.unsent != 4 {
				t.Errorf("%d wait, %d were given up", len(n.queue), l.tally.unsent)
			}
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}
}

// A connection closed without an answer, a refusal that does not say when to come back, an
// event that was taken and does not come.
func TestOverload_FibbersAreFound(t *testing.T) {
	t.Parallel()
	found(t, overload, smallOverload(fibberServer("hangup"), loadConnections))
	found(t, overload, smallOverload(fibberServer("rude"), loadConnections))
	found(t, overload, smallOverload(fibberServer("deaf"), loadPublishes))
}

func TestOverload_RunningServerIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := overload.Run(t.Context(), Options{URL: "http://127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "--url") {
		t.Error(err)
	}
}

// turnOf is a result with a reference of 10 ms and windows of a second after the overload.
func turnOf(windows ...overloadWindow) *overloadResult {
	r := &overloadResult{load: loadPublishes, side: "x", on: true, ended: 100}
	for range atAfter + 1 {
		tally := newOutcomes()
		record(tally.accepted, int64(10*time.Millisecond))
		record(tally.delivery, int64(10*time.Millisecond))
		p := &overloadPhase{tallies: []*outcomes{tally}, late: newHistogram(), audience: newHistogram(), work: 1, length: 1}
		record(p.audience, 1)
		r.phases = append(r.phases, p)
	}
	for i, w := range windows {
		w.at, w.length = r.ended+int64(i+1)*int64(time.Second), 1
		r.windows = append(r.windows, w)
	}
	return r
}

func TestOverloadResult_Recovery(t *testing.T) {
	t.Parallel()
	good := overloadWindow{offered: 0.8, served: 0.8, p99: int64(15 * time.Millisecond)}
	slow, less, silent := good, good, good
	slow.p99, less.served, silent.p99 = int64(25*time.Millisecond), 0.5, 0
	for _, c := range []struct {
		windows []overloadWindow
		seconds float64
		again   bool
	}{
		{[]overloadWindow{good, good, good}, 0, true},
		{[]overloadWindow{slow, good, less, good, good, good}, 3, true},
		{[]overloadWindow{slow, good, good}, 0, false},
		{[]overloadWindow{good, good, silent, good, good}, 0, false},
		{nil, 0, false},
	} {
		seconds, again := turnOf(c.windows...).recovery()
		if again != c.again || again && seconds != c.seconds {
			t.Errorf("%+v: %v s, %t", c.windows, seconds, again)
		}
	}
}

func TestOverload_GoalsAndValidity(t *testing.T) {
	t.Parallel()
	good := overloadWindow{offered: 0.8, served: 0.8, p99: 1}
	for name, c := range map[string]struct {
		spoil   func(r *overloadResult)
		missed  string
		invalid string
	}{
		"good":     {func(*overloadResult) {}, "", ""},
		"slow":     {func(r *overloadResult) { record(r.phases[atOverload].tallies[0].accepted, int64(time.Second)) }, "p99 of accepted publishes", ""},
		"silent":   {func(r *overloadResult) { r.phases[atOverload].tallies[0] = newOutcomes() }, "p99 of accepted publishes", ""},
		"lazy":     {func(r *overloadResult) { r.phases[atOverload].work = 0.5 }, "goodput", ""},
		"growing":  {func(r *overloadResult) { r.phases[atOverload].rssHigh = 100 << 20 }, "VmRSS", ""},
		"unserved": {func(r *overloadResult) { r.phases[atReference].work = 0.5 }, "reference", ""},
		"peak":     {func(r *overloadResult) { r.phases[atReference].work, r.on = 0.5, false }, "", "too high"},
		"broken":   {func(r *overloadResult) { r.windows = nil }, "normal again", ""},
		"audience": {func(r *overloadResult) { record(r.phases[atOverload].audience, int64(time.Second)) }, "audience", ""},
		"late":     {func(r *overloadResult) { record(r.phases[atOverload].late, int64(time.Second)) }, "", "late"},
		"busy":     {func(r *overloadResult) { r.phases[atReference].own = 0.95 }, "", "busy for 95 %"},
	} {
		o := &overloadRun{run: &run{o: Options{memoryMore: flatRSS}}}
		r := turnOf(good, good, good)
		c.spoil(r)
		o.judge(r)
		missed := ""
		for _, g := range o.report.Goals {
			if !g.Met {
				missed += g.Name + " "
			}
		}
		if (c.missed == "") != (missed == "") || !strings.Contains(missed, c.missed) {
			t.Errorf("%s: missed %q, want %q", name, missed, c.missed)
		}
		invalid := strings.Join(o.report.Invalid, " ")
		if (c.invalid == "") != (invalid == "") || !strings.Contains(invalid, c.invalid) {
			t.Errorf("%s: invalid %q, want %q", name, invalid, c.invalid)
		}
	}
}

// What a line waits for may have been delivered; that it was lost nobody may say.
func TestOverload_PublishesUnderWayAreNoFault(t *testing.T) {
	for _, c := range []struct {
		taken, delivered, want int64
		busy                   bool
	}{{5, 5, 0, false}, {5, 6, -1, false}, {5, 6, 0, true}, {5, 7, -1, true}, {5, 4, 1, true}, {5, 5, 0, true}} {
		l := &publishLoad{lines: []*publishLine{{taken: c.taken, busy: c.busy}, {}}, readers: &audience{delivered: c.delivered}}
		if got := l.astray(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
