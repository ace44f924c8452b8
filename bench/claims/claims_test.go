package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throng/bench"
)

var rewriteFlag = flag.Bool("rewrite", false, "write BENCHMARKS.md anew")

const root = "../.."

// The page says what the records say, and nothing else.
func TestPage_MatchesTheRecords(t *testing.T) {
	path, records := filepath.Join(root, pagePath), filepath.Join(root, recordRoot)
	if *rewriteFlag {
		if err := rewrite(path, records); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := fill(string(page), records)
	if err != nil {
		t.Fatal(err)
	}
	if want != string(page) {
		t.Errorf("%s differs from the records; make claims writes it anew", pagePath)
	}
}

// Records are whole, and their percentiles are those of their histograms.
func TestRecords_CanBeRecomputed(t *testing.T) {
	dirs, err := os.ReadDir(filepath.Join(root, recordRoot))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, d := range dirs {
		dir := filepath.Join(root, recordRoot, d.Name())
		if _, _, err := bench.ReadSetting(dir); err != nil {
			t.Error(err)
		}
		if text, err := filepath.Glob(filepath.Join(dir, "bench*.txt")); err == nil && len(text) > 0 {
			continue // of go test: the text is all there is
		}
		r, err := bench.ReadRecord(dir)
		if err != nil {
			t.Error(err)
		}
		for i, rep := range r.Reports {
			if err := rep.Recompute(); err != nil {
				t.Errorf("%s, run %d: %v", d.Name(), i+1, err)
			}
		}
	}
}

var env = bench.Environment{Commit: "0123456789abcdef", Dirty: true, CPU: "A processor", Cores: 2, MemoryBytes: 8 << 30, Kernel: "6.1.0 #1 SMP", Go: "go1.26"}

// recorded makes a record of runs whose figure "cost" has the given values; one below 0
// stands for a run that counted wrong.
func recorded(t *testing.T, root, name string, values ...float64) {
	t.Helper()
	command := []string{"throng", "bench", "storm", "--record", "away", "--runs", "5"}
	rec, err := bench.NewRecord(filepath.Join(root, name), env, command, len(values))
	if err != nil {
		t.Fatal(err)
	}
	storm, _ := bench.Lookup("storm")
	var all []bench.Report
	for _, v := range values {
		r := bench.Report{Scenario: "storm", Options: storm.Defaults, Figures: []bench.Figure{{Name: "cost", Value: max(v, -v), Unit: "us"}},
			Checks: []bench.Check{{Name: "events", Want: "1", Got: "1", OK: v >= 0}}}
		if err := rec.Add(r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := rec.Finish(bench.Summarize(all)); err != nil {
		t.Fatal(err)
	}
}

func TestTables_SayWhatWasMeasured(t *testing.T) {
	dir := t.TempDir()
	recorded(t, dir, "good", 9, 7, 8, 6, 7.5)
	recorded(t, dir, "crossing", 9, 7, 12, 6, 7.5)
	recorded(t, dir, "missed", 11, 12, 13, 9, 12)
	recorded(t, dir, "wrong", 9, -7, 8, 6, 7)
	recorded(t, dir, "few", 9, 8)
	recorded(t, dir, "2026-01-02-new", 1, 1, 1, 1, 1)
	recorded(t, dir, "2025-12-31-new", 2, 2, 2, 2, 2)
	recorded(t, dir, "2027-01-01-new-variant", 3, 3, 3, 3, 3)
	if got := newest(dir, "new"); got != "2026-01-02-new" {
		t.Errorf("the newest is %q", got)
	}
	text, err := tables(dir, []claim{
		{title: "first | one", scenario: "storm", record: "good", figure: "cost", goal: atMost(10, "us"), limits: "on Sundays"},
		{title: "second", scenario: "storm", record: "crossing", figure: "cost", goal: atMost(10, "us")},
		{title: "third", scenario: "storm", record: "missed", figure: "cost", goal: atMost(10, "us")},
		{title: "fourth", scenario: "storm", record: "wrong", figure: "cost", goal: atMost(10, "us")},
		{title: "fifth", scenario: "storm", record: "few", figure: "cost", goal: atLeast(8.5, "us"), few: "it takes a day"},
		{title: "sixth", scenario: "storm", figure: "cost", goal: atLeast(3, "ratio")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| first \\| one | at most 10 us | 7.50 us | 6 us to 9 us | 5 | held | storm | `throng bench storm --runs 5` | [good](bench/record/good) | `01234567+` | A |\n",
		"| second | at most 10 us | 7.50 us | 6 us to 12 us | 5 | held, not in every run |",
		"| third | at most 10 us | 12 us | 9 us to 13 us | 5 | **MISSED** |",
		"| fourth | at most 10 us | 7 us | 6 us to 9 us | 5 | **MISSED**: a run counted wrong |",
		"| fifth | at least 8.50 us | 8.50 us | 8 us to 9 us | 2, few: it takes a day | held, not in every run |",
		"- sixth: at least 3.000 (`throng bench storm`: cost)\n",
		"Machine A: A processor, 2 processors, 8 GiB, Linux 6.1.0, go1.26.\n",
		"- first | one: on Sundays\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	page := "before\n" + blockBegin + "old" + blockEnd + "\nafter\n"
	if filled, err := fill(page, filepath.Join(root, recordRoot)); err != nil || !strings.HasPrefix(filled, "before\n"+blockBegin+"\n") || !strings.HasSuffix(filled, blockEnd+"\nafter\n") {
		t.Errorf("%v: %q", err, filled)
	}
	if _, err := fill("no block", root); err == nil {
		t.Error("a page without a block is filled")
	}
}

func TestTables_RefuseWhatIsNotBorneOut(t *testing.T) {
	dir := t.TempDir()
	recorded(t, dir, "good", 9, 7, 8, 6, 7.5)
	recorded(t, dir, "few", 9, 7)
	for want, c := range map[string]claim{
		"no such file":                     {scenario: "storm", record: "absent", figure: "cost", goal: atMost(1, "us")},
		"no figure or comparison named":    {scenario: "storm", record: "good", figure: "price", goal: atMost(1, "us")},
		"a record of storm, not of fair":   {scenario: "fair", record: "good", figure: "cost", goal: atMost(1, "us")},
		"the claim is about \"--streams 9": {scenario: "storm", record: "good", figure: "cost", goal: atMost(1, "us"), load: "--streams 9"},
		"its goal in \"ms\"":               {scenario: "storm", record: "good", figure: "cost", goal: atMost(1, "ms")},
		"2 runs; at least 5":               {scenario: "storm", record: "few", figure: "cost", goal: atMost(1, "us")},
		"5 runs are not few":               {scenario: "storm", record: "good", figure: "cost", goal: atMost(1, "us"), few: "no time"},
	} {
		if _, err := tables(dir, []claim{c}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestPlotRecords_DrawsEachRun(t *testing.T) {
	dir, into := t.TempDir(), t.TempDir()
	for name, runs := range map[string]int{"one": 1, "two": 2} {
		rec, err := bench.NewRecord(filepath.Join(dir, name), env, nil, runs)
		if err != nil {
			t.Fatal(err)
		}
		r := bench.Report{Scenario: "x", Series: []bench.Series{{Name: "memory", Points: [][2]float64{{0, 1}, {1, 2}}}}}
		for range runs {
			if err := rec.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := rec.Finish(bench.Summarize([]bench.Report{r, r})); err != nil {
			t.Fatal(err)
		}
	}
	if err := plotRecords(into, []string{filepath.Join(dir, "one"), filepath.Join(dir, "two")}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two/run-1", "two/run-2"} {
		if _, err := os.Stat(filepath.Join(into, name, "x-memory.png")); err != nil {
			t.Error(err)
		}
	}
	if err := plotRecords(into, []string{filepath.Join(dir, "none")}); err == nil {
		t.Error("a record that is not there was drawn")
	}
}

// A claim that nobody has measured must name a figure that its scenario gives, in the
// unit of its goal.
func TestClaims_NameWhatScenariosGive(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "bench/testdata/tiny.txt"))
	if err != nil {
		t.Fatal(err)
	}
	flags := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		flags[words[0]] = words[1:]
	}
	dir := t.TempDir()
	server, err := bench.BuildServer(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	argv, err := bench.Peers()[0].Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var peers []bench.PeerSpec // the first in the place of all: names are what matters
	for _, p := range bench.Peers() {
		peers = append(peers, bench.PeerSpec{Name: p.Label, Argv: argv})
	}
	floor, err := bench.BuildFloor(t.Context(), dir)
	if err != nil {
		t.Skip("the floor is not built: ", err)
	}
	byScenario := make(map[string][]claim)
	for _, c := range claims {
		byScenario[c.scenario] = append(byScenario[c.scenario], c)
	}
	for name, claims := range byScenario {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := bench.Options{Server: server, Floor: floor, Peers: peers}
			set(t, &o, flags[name])
			s, known := bench.Lookup(name)
			if !known {
				t.Fatal("there is no such scenario")
			}
			r, err := s.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range claims {
				if _, unit, known := r.Value(c.figure); !known || unit != c.goal.unit {
					t.Errorf("%s: %q is known: %v, its unit %q, the goal's %q", c.title, c.figure, known, unit, c.goal.unit)
				}
			}
		})
	}
}

// set reads flags of throng bench that are settings.
func set(t *testing.T, o *bench.Options, flags []string) {
	t.Helper()
	for i := 0; i+1 < len(flags); i += 2 {
		for _, s := range bench.Settings() {
			if "--"+s.Name == flags[i] {
				if err := s.Set(o, flags[i+1]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

const output = `goos: linux
pkg: throng/httpparse
cpu: A processor
BenchmarkParse/small-2         	 1000	  100.5 ns/op	  0 B/op
BenchmarkParse/small-2         	 1000	  110 ns/op	  0 B/op
BenchmarkParse/small-2         	 1000	   90 ns/op	  0 B/op
BenchmarkOther-2	 1000	  50.25 ns/op
BenchmarkOther-2	 1000	  100 ns/op
BenchmarkOther-2	 1000	  45 ns/op
BenchmarkOther-2
    a_test.go:1: a log line
PASS
ok  	throng/httpparse	1.2s
`

func TestMicro_MediansAndRatios(t *testing.T) {
	dir := t.TempDir()
	if err := bench.WriteSetting(filepath.Join(dir, "m"), env, []string{"go", "test"}, "bench.txt", []byte(output)); err != nil {
		t.Fatal(err)
	}
	few := "this is a test"
	text, err := tables(dir, nil, []micro{
		{title: "value", record: "m", name: "Parse/small", unit: "ns/op", goal: atMost(120, "ns/op"), few: few},
		{title: "ratio", record: "m", name: "Parse/small", over: "Other", unit: "ns/op", goal: atMost(1.5, "ratio"), few: few},
		{title: "later", name: "Parse/large", goal: atMost(1, "ns/op")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| value | at most 120 ns/op | 100 ns/op | 90 ns/op to 110 ns/op | 3, few: this is a test | held | httpparse | `go test` |",
		"| ratio | at most 1.500 | 2.000 | 1.100 to 2.000 | 3, few: this is a test | **MISSED** |",
		"- later: at most 1 ns/op (Parse/large)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for want, m := range map[string]micro{
		"no benchmark Absent in ns/op":         {record: "m", name: "Absent", unit: "ns/op"},
		"no benchmark Other in B/op":           {record: "m", name: "Parse/small", over: "Other", unit: "B/op"},
		"3 runs; at least 5 are wanted, or th": {record: "m", name: "Other", unit: "ns/op", goal: atMost(1, "ns/op")},
		"no such file":                         {record: "n", name: "Other", unit: "ns/op"},
	} {
		if _, err := tables(dir, nil, []micro{m}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestRecordMicro_KeepsWhatACommandPrints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	file := filepath.Join(t.TempDir(), "printed")
	if err := os.WriteFile(file, []byte(output), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := recordMicro(t.Context(), dir, []string{"cat", file}, io.Discard); err != nil {
		t.Fatal(err)
	}
	_, command, err := bench.ReadSetting(dir)
	kept, err2 := os.ReadFile(filepath.Join(dir, "bench.txt"))
	if err != nil || err2 != nil || command != "cat "+file || string(kept) != output {
		t.Errorf("%v, %v, %q, %q", err, err2, command, kept)
	}
	if err := recordMicro(t.Context(), dir, []string{"cat", file}, io.Discard); err == nil {
		t.Error("a record is written over")
	}
	for _, word := range []string{"true", "false"} { // nothing is measured; a failure
		dir := filepath.Join(t.TempDir(), "n")
		if err := recordMicro(t.Context(), dir, []string{word}, io.Discard); err == nil {
			t.Errorf("%s: no error", word)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s leaves a record", word)
		}
	}
}
