package bench

import (
	"math"
	"testing"
)

func TestSeries_IsBoundedAndSpansAll(t *testing.T) {
	for _, n := range []int{1, seriesPointsMax, seriesPointsMax + 1, 100_000} {
		var r Report
		for i := range n {
			r.sample("s", float64(i), float64(2*i))
		}
		p := r.Series[0].Points
		if len(p) > seriesPointsMax || len(p) < min(n, seriesPointsMax/2) {
			t.Errorf("of %d samples %d are kept", n, len(p))
		}
		step := float64(n) / seriesPointsMax * 2
		for i := range p {
			if p[i][1] != 2*p[i][0] || i > 0 && (p[i][0] <= p[i-1][0] || p[i][0]-p[i-1][0] > step+1) {
				t.Fatalf("of %d samples: points %v", n, p[max(i-1, 0):i+1])
			}
		}
		if last := p[len(p)-1][0]; last < float64(n)-1-step {
			t.Errorf("of %d samples the last kept is %v", n, last)
		}
	}
}

func TestSeries_LeavesOutWhatHasNoValue(t *testing.T) {
	var r Report
	r.sample("s", 0, math.NaN())
	r.sample("s", 0, math.Inf(1))
	r.figure("f", math.Inf(1), "B")
	r.leaveOutUnknown()
	if len(r.Series) > 0 || len(r.Figures) > 0 {
		t.Errorf("%+v", r)
	}
}

func TestSeries_ChartAndLine(t *testing.T) {
	for name, want := range map[string][2]string{"memory": {"memory", ""}, "memory: server": {"memory", "server"}, "a: b: c": {"a", "b: c"}} {
		chart, line := (&Series{Name: name}).chart()
		if chart != want[0] || line != want[1] {
			t.Errorf("%q: %q and %q", name, chart, line)
		}
	}
}
