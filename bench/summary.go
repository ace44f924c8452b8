package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Summary is what several runs of a scenario have in common and how far they lie apart.
type Summary struct {
	Scenario string    `json:"scenario"`
	Runs     int       `json:"runs"`
	Seconds  float64   `json:"seconds"`
	Figures  []Spread  `json:"figures"`
	Ratios   []Spread  `json:"ratios,omitempty"` // of the comparisons
	Wrong    []string  `json:"wrong,omitempty"`  // checks that did not hold, by run
	Missed   []string  `json:"missed,omitempty"` // goals, and runs that say nothing of the server
	latency  []Latency // those of the first run
}

// Spread is one number of all runs that have it. A comparison's number in a run is the
// median of the ratios of its pairs.
type Spread struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"` // by run
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
}

// NewSpread sums up values, of which there must be one at least.
func NewSpread(name, unit string, values []float64) Spread {
	return Spread{Name: name, Unit: unit, Values: values, Median: median(values), Min: slices.Min(values), Max: slices.Max(values)}
}

// Summarize sums up runs of one scenario; there must be one at least.
func Summarize(reports []Report) Summary {
	first := reports[0]
	s := Summary{Scenario: first.Scenario, Runs: len(reports), latency: first.Latencies}
	for _, f := range first.Figures {
		s.Figures = append(s.Figures, spreadOf(reports, f.Name, f.Unit))
	}
	for _, c := range first.Comparisons {
		s.Ratios = append(s.Ratios, spreadOf(reports, c.Key(), ratioUnit))
	}
	for i, r := range reports {
		s.Seconds += r.Seconds
		for _, reason := range r.Invalid {
			s.Missed = append(s.Missed, fmt.Sprintf("run %d is invalid: %s", i+1, reason))
		}
		for _, g := range r.Goals {
			if !g.Met {
				s.Missed = append(s.Missed, fmt.Sprintf("run %d: %s: want %s, got %s", i+1, g.Name, g.Want, g.Got))
			}
		}
		for _, c := range r.Checks {
			if !c.OK {
				s.Wrong = append(s.Wrong, fmt.Sprintf("run %d: %s: want %s, got %s", i+1, c.Name, c.Want, c.Got))
			}
		}
	}
	return s
}

func spreadOf(reports []Report, name, unit string) Spread {
	var values []float64
	for _, r := range reports {
		if v, _, known := r.Value(name); known {
			values = append(values, v)
		}
	}
	return NewSpread(name, unit, values)
}

// Print is the summary for a person.
func (s *Summary) Print() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d runs, %.1f s\n", s.Scenario, s.Runs, s.Seconds)
	for _, part := range []string{s.figureTable(), s.latencyTable(), s.ratioTable()} {
		if part != "" {
			fmt.Fprintf(&b, "\n%s", part)
		}
	}
	b.WriteString("\n")
	for _, m := range s.Missed {
		fmt.Fprintln(&b, wrap("MISSED: "+m, "        "))
	}
	if len(s.Wrong) == 0 {
		b.WriteString("every check held in every run\n")
	}
	for _, w := range s.Wrong {
		fmt.Fprintln(&b, wrap("WRONG: "+w, "       "))
	}
	return b.String()
}

func (s *Summary) figureTable() string {
	t := newTable()
	t.row("", "median", "min", "max")
	for _, f := range s.Figures {
		if slices.ContainsFunc(s.latency, func(l Latency) bool { return slices.Contains(l.figures(), f.Name) }) {
			continue
		}
		t.row(f.Name, quantity(f.Median, f.Unit), quantity(f.Min, f.Unit), quantity(f.Max, f.Unit))
	}
	if len(t.rows) == 1 {
		return ""
	}
	return t.String()
}

func (s *Summary) latencyTable() string {
	if len(s.latency) == 0 {
		return ""
	}
	t := newTable()
	t.row(latencyHead()...)
	for _, l := range s.latency {
		middle, low, high := []string{l.Name}, []string{"  min"}, []string{"  max"}
		for _, name := range l.figures() {
			i := slices.IndexFunc(s.Figures, func(f Spread) bool { return f.Name == name })
			f := s.Figures[i]
			middle = append(middle, quantity(f.Median, f.Unit))
			low = append(low, quantity(f.Min, f.Unit))
			high = append(high, quantity(f.Max, f.Unit))
		}
		t.row(middle...)
		t.row(low...)
		t.row(high...)
	}
	return t.String()
}

func (s *Summary) ratioTable() string {
	if len(s.Ratios) == 0 {
		return ""
	}
	t := newTable()
	t.row("ratio (of a run: the median of its pairs)", "median", "min", "max")
	for _, c := range s.Ratios {
		t.row(c.Name, ratio(c.Median), ratio(c.Min), ratio(c.Max))
	}
	return t.String()
}
