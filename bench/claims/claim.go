package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"throng/bench"
)

// claim is a sentence about throng that a number decides.
type claim struct {
	title    string
	scenario string
	record   string // folder in bench/record; empty: the newest DATE-SCENARIO
	figure   string // of the scenario's report, or a comparison, by its key
	load     string // flags of the load that the record must have; empty: none, the scenario's own
	goal     goal
	limits   string // under which the claim is made; empty: those of the page
	few      string // why there are fewer than runsMin runs
}

// micro is a claim about benchmarks of go test.
type micro struct {
	title  string
	record string // empty: the newest DATE-micro
	name   string // of the benchmark, without Benchmark and processors
	over   string // the benchmark it is compared with, run by run; empty: the value itself
	unit   string // as go test writes it: ns/op, B/op …
	goal   goal
	limits string
	few    string
}

// newest is the folder in root named DATE-what with the latest date; empty: there is none.
func newest(root, what string) string {
	const date = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-"
	all, err := filepath.Glob(filepath.Join(root, date+what)) // sorted
	if err != nil || len(all) == 0 {
		return ""
	}
	return filepath.Base(all[len(all)-1])
}

// goal is what the median of all runs has to keep.
type goal struct {
	least bool // the value may not be below; else not above
	value float64
	unit  string
}

func atMost(value float64, unit string) goal  { return goal{false, value, unit} }
func atLeast(value float64, unit string) goal { return goal{true, value, unit} }

func (g goal) keptBy(v float64) bool {
	if g.least {
		return v >= g.value
	}
	return v <= g.value
}

func (g goal) String() string {
	word := "at most "
	if g.least {
		word = "at least "
	}
	if g.unit == "%" { // 99.99 is not 100
		return fmt.Sprintf("%s%g %%", word, g.value)
	}
	return word + bench.Quantity(g.value, g.unit)
}

// runsMin is how many runs a number needs to be believed.
const runsMin = 5

// finding is what a record says about a claim.
type finding struct {
	spread   bench.Spread
	scenario string // or the package of a benchmark
	command  string
	env      bench.Environment
	wrong    bool // a run counted wrong
	why      string
}

// verdict is held or MISSED, with what else has to be known.
func (f finding) verdict(g goal) string {
	switch {
	case f.wrong:
		return "**MISSED**: a run counted wrong"
	case !g.keptBy(f.spread.Median):
		return "**MISSED**"
	case !g.keptBy(f.spread.Min) || !g.keptBy(f.spread.Max):
		return "held, not in every run"
	}
	return "held"
}

// look reads what a claim's record says.
func (c claim) look(root string) (finding, error) {
	r, err := bench.ReadRecord(filepath.Join(root, c.record))
	if err != nil {
		return finding{}, err
	}
	f := finding{command: r.Command, env: r.Environment}
	var values []float64
	unit := ""
	for i := range r.Reports {
		rep := &r.Reports[i]
		v, u, known := rep.Value(c.figure)
		if !known {
			return f, fmt.Errorf("%s, run %d: no figure or comparison named %q", c.record, i+1, c.figure)
		}
		if rep.Scenario != c.scenario {
			return f, fmt.Errorf("%s is a record of %s, not of %s", c.record, rep.Scenario, c.scenario)
		}
		if err := c.sameLoad(rep); err != nil {
			return f, err
		}
		values, unit, f.scenario = append(values, v), u, rep.Scenario
		f.wrong = f.wrong || !rep.OK()
	}
	if len(values) == 0 {
		return f, fmt.Errorf("%s: no run", c.record)
	}
	f.spread = bench.NewSpread(c.figure, unit, values)
	return f, f.check(c.goal, c.few)
}

// sameLoad refuses a record of another load than the claim's.
func (c claim) sameLoad(rep *bench.Report) error {
	s, known := bench.Lookup(rep.Scenario)
	if !known {
		return fmt.Errorf("%s: there is no scenario %s", c.record, rep.Scenario)
	}
	if load := strings.Join(s.Deviations(rep.Options), " "); load != c.load {
		return fmt.Errorf("%s was made with the load %q, the claim is about %q", c.record, load, c.load)
	}
	return nil
}

// check refuses what would mislead a reader.
func (f *finding) check(g goal, few string) error {
	n := len(f.spread.Values)
	switch {
	case f.spread.Unit != g.unit:
		return fmt.Errorf("%s is in %q, its goal in %q", f.spread.Name, f.spread.Unit, g.unit)
	case n < runsMin && few == "":
		return fmt.Errorf("%s: %d runs; at least %d are wanted, or the reason in few", f.spread.Name, n, runsMin)
	case n >= runsMin && few != "":
		return fmt.Errorf("%s: %d runs are not few", f.spread.Name, n)
	case f.env.Commit == "":
		return errors.New("the record does not say which commit was measured")
	}
	f.why = few
	return nil
}
