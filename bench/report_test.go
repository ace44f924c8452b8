package bench

import (
	"strings"
	"testing"
)

func TestReport_OK(t *testing.T) {
	var r Report
	if r.OK() {
		t.Error("a report that checked nothing is OK")
	}
	r.check("a", 1, 1)
	if !r.OK() {
		t.Error("a report whose checks hold is not OK")
	}
	r.check("b", 1, 2)
	if r.OK() {
		t.Error("a report with a wrong count is OK")
	}
}

func TestReport_Compare(t *testing.T) {
	var r Report
	r.compare("cost", "us", "them", "ns", []float64{1, 6, 2}, []float64{2, 2, 2})
	c := r.Comparisons[0]
	if c.Median != 1 || c.Min != 0.5 || c.Max != 3 || len(c.Pairs) != 3 {
		t.Errorf("%+v", c)
	}
	r.compare("alone", "us", "them", "ns", []float64{4, 2}, nil)
	if len(r.Comparisons) != 1 || r.Figures[len(r.Figures)-1] != (Figure{"alone, us, median", 3, "ns"}) {
		t.Errorf("%+v", r)
	}
}

func TestReport_PrintTellsWhatIsWrong(t *testing.T) {
	r := Report{Scenario: "x"}
	r.figure("whole", 12, "B")
	r.figure("broken", 1.5, "B")
	r.compare("cost", "us", "them", "ns", []float64{300.4}, []float64{100})
	r.check("events", 3, 2)
	r.note("seed %d", 5)
	out := r.Print()
	got := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"whole 12 B", "broken 1.50 B", "turn 1 300 100", "ratio to each, median 3.004", "events 3 2 WRONG", "note: seed 5"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestOptions_DefaultsFillZeros(t *testing.T) {
	o := Options{Streams: 3, PayloadBytes: 1}.or(Options{Streams: 9, Events: 4})
	if o.Streams != 3 || o.Events != 4 || o.PayloadBytes != payloadBytesMin || o.Sources == 0 || o.Log == nil || o.Settle != rssSettled {
		t.Errorf("%+v", o)
	}
}

func TestScenarios_AreFound(t *testing.T) {
	for _, s := range Scenarios() {
		if got, ok := Lookup(s.Name); !ok || got.About != s.About || s.body == nil || s.Defaults.Streams == 0 {
			t.Errorf("%q: %+v", s.Name, got)
		}
	}
	if _, ok := Lookup("nonsense"); ok {
		t.Error("an unknown scenario is found")
	}
}
