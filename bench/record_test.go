package bench

import (
	"bytes"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// reported is a report with a bit of everything; seed makes its numbers.
func reported(seed uint64) Report {
	rng := rand.New(rand.NewPCG(seed, 0))
	r := Report{Scenario: "storm", Started: time.Unix(1_700_000_000, 0).UTC(), Seconds: 2.5, Options: Options{Streams: 7}}
	for _, name := range []string{"publish to delivery", "a name, with: odd \"signs\"", "publish to: delivery"} {
		h := newHistogram()
		for range 5000 {
			record(h, int64(rng.ExpFloat64()*1e6))
		}
		r.latency(name, h)
	}
	r.figure("memory", float64(seed)*100, "KiB")
	r.compare("cost", "us", "them", "ns", []float64{float64(seed), 2, 3}, []float64{1, 1, 2})
	r.axis("memory: all", "time, s", "MiB")
	for i := range 50 {
		r.sample("memory: all", float64(i), 10+rng.Float64())
		r.sample("memory: half", float64(i), 5+rng.Float64())
	}
	r.check("events", 5, 5)
	return r
}

func TestRecord_OfOneRunIsReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "record")
	command := []string{"throng", "bench", "storm", "--server-cmd", "it's {listen}"}
	rec, err := NewRecord(dir, Environment{Commit: "abc", Cores: 3}, command, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := reported(1)
	if err := rec.Add(want); err != nil {
		t.Fatal(err)
	}
	if err := rec.Finish(Summarize([]Report{want})); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Command != `throng bench storm --server-cmd 'it'\''s {listen}'` || got.Environment.Commit != "abc" || len(got.Reports) != 1 {
		t.Errorf("%+v", got)
	}
	r := got.Reports[0]
	if !reflect.DeepEqual(r.Figures, want.Figures) || !reflect.DeepEqual(r.Comparisons, want.Comparisons) || r.Options.Streams != 7 || !r.OK() {
		t.Errorf("%+v", r)
	}
	for i, l := range r.Latencies {
		if !l.histogram.Equals(want.Latencies[i].histogram) {
			t.Errorf("the histogram of %s is another one", l.Name)
		}
	}
	if err := r.Recompute(); err != nil {
		t.Error(err)
	}
	r.Figures[1].Value++
	if err := r.Recompute(); err == nil {
		t.Error("a percentile that was changed afterwards passed")
	}
	if _, err := NewRecord(dir, Environment{}, command, 1); err == nil {
		t.Error("a record may be written over")
	}
}

func TestRecord_OfSeveralRunsHasADirectoryEach(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "record")
	rec, err := NewRecord(dir, Environment{}, []string{"throng"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("there is a directory before there is a run")
	}
	reports := []Report{reported(3), reported(1), reported(2)}
	for _, r := range reports {
		if err := rec.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Finish(Summarize(reports)); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Reports) != 3 {
		t.Fatalf("%d reports", len(got.Reports))
	}
	if v, unit, _ := got.Reports[2].Value("memory"); v != 200 || unit != "KiB" {
		t.Errorf("run 3 has %v %s", v, unit)
	}
	if err := os.Remove(filepath.Join(dir, "run-2", fileReport)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRecord(dir); err == nil {
		t.Error("a record without its second run was read")
	}
}

func TestRecord_HistogramsThatDoNotFitAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "record")
	rec, err := NewRecord(dir, Environment{}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Add(reported(1)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileHistograms)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]string{
		"one is missing": strings.Replace(string(text), "Tag=publish-to-delivery-2", "Tag=another", 1),
		"one is broken":  strings.Replace(string(text), ",HISTFAAA", ",HISTFBBB", 1),
	} {
		if broken == string(text) {
			t.Fatalf("%s: nothing was broken in\n%s", name, text)
		}
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRecord(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSummary_MediansAndSpreads(t *testing.T) {
	reports := []Report{reported(3), reported(1), reported(2), reported(5)}
	reports[1].check("events", 5, 4)
	s := Summarize(reports)
	i := len(s.Figures) - 3 // memory; the comparison adds two
	if f := s.Figures[i]; f.Name != "memory" || f.Median != 250 || f.Min != 100 || f.Max != 500 || !reflect.DeepEqual(f.Values, []float64{300, 100, 200, 500}) {
		t.Errorf("%+v", f)
	}
	if r := s.Ratios[0]; r.Name != "cost, us over them" || r.Median != 2 || r.Min != 1.5 || r.Max != 2 {
		t.Errorf("%+v", r)
	}
	if len(s.Wrong) != 1 || s.Wrong[0] != "run 2: events: want 5, got 4" {
		t.Errorf("%q", s.Wrong)
	}
	text := strings.Join(strings.Fields(s.Print()), " ")
	for _, want := range []string{"storm, 4 runs, 10.0 s", "memory 250 KiB 100 KiB 500 KiB", "cost, us over them 2.000 1.500 2.000", "WRONG: run 2: events"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, s.Print())
		}
	}
}

func TestPlot_DrawsEveryPart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "charts")
	r := reported(1)
	r.latency("nothing came", newHistogram())
	r.compare("nothing", "us", "them", "us", []float64{0, 0}, []float64{0, 0})
	r.sample("flat", 0, 5)
	r.sample("flat", 1, 5)
	r.sample("one point", 3, 5)
	r.axis("no point", "x", "y")
	files, err := r.Plot(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(f))
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if size := picture.Bounds().Size(); size.X < 800 || size.Y < 400 {
			t.Errorf("%s is %v", f, size)
		}
	}
	want := []string{"storm-memory.png", "storm-flat.png", "storm-one-point.png", "storm-latency.png", "storm-cost.png", "storm-nothing.png"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("drawn: %q\nwant:  %q", names, want)
	}
}
