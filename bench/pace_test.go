package bench

import (
	"testing"
	"time"

	"throng/bench/internal/sock"
)

// Every processor is sampled, and what was sampled is in the time that was asked for.
func TestPace_SamplesEveryProcessor(t *testing.T) {
	t.Parallel()
	all, err := sock.Processors()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	epoch := time.Now()
	clock := func() int64 { return int64(time.Since(epoch)) }
	p, err := newPace(clock)
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.samples)
	}
	for end := time.Now().Add(time.Minute); count() < 2*len(all); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d samples of %d processors", count(), len(all))
		}
	}
	now := clock()
	if took := p.between(0, now); took < float64(time.Microsecond) || took > float64(time.Minute) {
		t.Errorf("a round takes %v ns", took)
	}
	if took := p.between(now+int64(time.Hour), now+int64(2*time.Hour)); took != 0 {
		t.Errorf("a round of the future takes %v ns", took)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

// What was measured while the machine was slower, or faster, than when the peak was found is
// seen, and a run with such a turn is marked.
func TestOverload_TellsThatTheMachineWasSlower(t *testing.T) {
	o := &overloadRun{run: &run{o: Options{Duration: time.Minute}}, paces: map[string]float64{loadConnections: 30, loadPublishes: 50}}
	turn := func(load string, took ...float64) *overloadResult {
		r := &overloadResult{load: load, side: "server"}
		for i, name := range []string{"reference", "overload", "after"} {
			p := &overloadPhase{name: name, pace: took[i], late: newHistogram(), work: overloadCalm}
			for range kinds(load) {
				p.tallies = append(p.tallies, newOutcomes())
			}
			r.phases = append(r.phases, p)
		}
		return r
	}
	for _, c := range []struct {
		r       *overloadResult
		phase   string
		speed   float64
		invalid int
	}{
		{turn(loadConnections, 30, 30, 90), "overload", 1, 0},
		{turn(loadConnections, 30, 33, 30), "overload", 30.0 / 33, 0},
		{turn(loadConnections, 40, 31, 30), "reference", 30.0 / 40, 1},
		{turn(loadBoth, 41, 20, 40), "overload", 2, 1},
		{turn(loadPublishes, 0, 50, 50), "overload", 1, 0}, // a reference without a sample says nothing
	} {
		phase, speed := o.farthest(c.r)
		if phase != c.phase || speed != c.speed {
			t.Errorf("%s: in the %s at %v, not in the %s at %v", c.r.load, phase, speed, c.phase, c.speed)
		}
		o.report.Invalid = nil
		o.judge(c.r)
		if len(o.report.Invalid) != c.invalid {
			t.Errorf("%s: %q", c.r.load, o.report.Invalid)
		}
	}
}
