package bench

import (
	"testing"
	"time"
)

func smallChurn(server []string) Options {
	o := small(server)
	o.Topics, o.Rate, o.Duration = 3, 200, 600*time.Millisecond
	return o
}

func TestChurn_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, churn, smallChurn(built.peer))
	if v, _, _ := r.Value("visits"); v < 150 {
		t.Errorf("%v visits", v)
	}
	if len(r.Series) < 3 || len(r.Series[0].Points) < 3 {
		t.Errorf("%+v", r.Series)
	}
}

// An event that was published right after a stream attached and does not come, memory
// and descriptors that are kept for those who have left.
func TestChurn_FibbersAreFound(t *testing.T) {
	t.Parallel()
	runs(t, churn, smallChurn(fibberServer("never")))
	for _, how := range []string{"late", "grow", "leak"} {
		found(t, churn, smallChurn(fibberServer(how)))
	}
}

func TestWatch_Thirds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples     []float64
		first, last float64
	}{
		{nil, 0, 0},
		{[]float64{7}, 7, 7},
		{[]float64{1, 2, 3, 100, 4, 5, 6}, 1.5, 5.5},
	} {
		if first, last := thirds(c.samples); first != c.first || last != c.last {
			t.Errorf("%v: %v and %v", c.samples, first, last)
		}
	}
}

func TestWatch_GrowthIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		last int64 // of what were 100 MiB
		ok   bool
	}{{100, true}, {113, true}, {115, false}, {50, true}} {
		r := &run{o: Options{memoryMore: flatRSS}}
		w := &watch{run: r}
		for i := range 9 {
			mb := int64(100)
			if i >= 6 {
				mb = c.last
			}
			w.rss = append(w.rss, float64(mb<<20))
		}
		if w.checkFlat("", false); r.report.OK() != c.ok {
			t.Errorf("from 100 MiB to %d MiB: %+v", c.last, r.report.Checks)
		}
	}
}
