package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the result of one run.
type Report struct {
	Scenario    string       `json:"scenario"`
	Started     time.Time    `json:"started"`
	Seconds     float64      `json:"seconds"`
	Options     Options      `json:"options"`
	Figures     []Figure     `json:"figures"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
	Checks      []Check      `json:"checks"`
	Notes       []string     `json:"notes,omitempty"`
}

// Figure is one measured number.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Comparison is a number measured on two sides in turn: A B A B …
type Comparison struct {
	Name   string  `json:"name"`
	SideA  string  `json:"a"`
	SideB  string  `json:"b"`
	Unit   string  `json:"unit"`
	Pairs  []Pair  `json:"pairs"`
	Median float64 `json:"medianRatio"`
	Min    float64 `json:"minRatio"`
	Max    float64 `json:"maxRatio"`
}

// Pair is one turn of a Comparison. Ratio is A / B.
type Pair struct {
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Ratio float64 `json:"ratio"`
}

// Check is one count that was verified.
type Check struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	OK   bool   `json:"ok"`
}

// OK says whether every check held. A report without checks is not OK.
func (r *Report) OK() bool {
	return len(r.Checks) > 0 && !slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.OK })
}

func (r *Report) figure(name string, value float64, unit string) {
	r.Figures = append(r.Figures, Figure{name, value, unit})
}

// latency adds the percentiles of a histogram of nanoseconds.
func (r *Report) latency(name string, h *hdrhistogram.Histogram) {
	r.figure(name+", count", float64(h.TotalCount()), "")
	for _, q := range []float64{50, 90, 99, 99.9} {
		r.figure(fmt.Sprintf("%s, p%v", name, q), float64(h.ValueAtQuantile(q))/1e3, "us")
	}
	r.figure(name+", max", float64(h.Max())/1e3, "us")
}

// check adds a count that must be exact.
func (r *Report) check(name string, want, got int64) {
	r.Checks = append(r.Checks, Check{name, fmt.Sprint(want), fmt.Sprint(got), want == got})
}

// checkThat adds a condition.
func (r *Report) checkThat(name, want, got string, ok bool) {
	r.Checks = append(r.Checks, Check{name, want, got, ok})
}

// noFaults checks that no stream saw anything wrong and notes the first faults.
func (r *Report) noFaults(w *swarm) {
	r.check("faults seen by clients", 0, int64(w.faultCount))
	r.Notes = append(r.Notes, w.faults...)
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// compare adds the comparison of as with bs, pair by pair.
func (r *Report) compare(name, sideA, sideB, unit string, as, bs []float64) {
	if len(bs) == 0 {
		r.figure(name+", "+sideA+", median", median(as), unit)
		return
	}
	c := Comparison{Name: name, SideA: sideA, SideB: sideB, Unit: unit}
	var ratios []float64
	for i := range min(len(as), len(bs)) {
		p := Pair{A: as[i], B: bs[i]}
		if p.B != 0 {
			p.Ratio = p.A / p.B
		}
		c.Pairs = append(c.Pairs, p)
		ratios = append(ratios, p.Ratio)
	}
	c.Median, c.Min, c.Max = median(ratios), slices.Min(ratios), slices.Max(ratios)
	r.Comparisons = append(r.Comparisons, c)
	r.figure(name+", "+sideA+", median", median(as), unit)
	r.figure(name+", "+sideB+", median", median(bs), unit)
}

// median of a non-empty list; the mean of the middle two for an even count.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Print writes the report as tables for a person.
func (r *Report) Print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s, %.1f s\n\n", r.Scenario, r.Seconds)
	for _, f := range r.Figures {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, number(f.Value), f.Unit)
	}
	for _, c := range r.Comparisons {
		fmt.Fprintf(t, "\n%s\t%s, %s\t%s, %s\tratio\n", c.Name, c.SideA, c.Unit, c.SideB, c.Unit)
		for i, p := range c.Pairs {
			fmt.Fprintf(t, "pair %d\t%s\t%s\t%.3f\n", i+1, number(p.A), number(p.B), p.Ratio)
		}
		fmt.Fprintf(t, "median\t\t\t%.3f\nmin to max\t\t\t%.3f to %.3f\n", c.Median, c.Min, c.Max)
	}
	fmt.Fprint(t, "\ncheck\twant\tgot\t\n")
	for _, c := range r.Checks {
		verdict := "ok"
		if !c.OK {
			verdict = "WRONG"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, c.Want, c.Got, verdict)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(t, "note: %s\n", n)
	}
	return t.Flush()
}

// number prints whole numbers whole and others with what matters.
func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprint(int64(v))
	}
	if v > 100 || v < -100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
