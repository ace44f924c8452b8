package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

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
	Latencies   []Latency    `json:"latencies,omitempty"`
	Series      []Series     `json:"series,omitempty"`
	Checks      []Check      `json:"checks"`
	Goals       []Goal       `json:"goals,omitempty"`
	// Invalid says why the numbers tell nothing about the server; empty: they do.
	Invalid []string `json:"invalid,omitempty"`
	Notes   []string `json:"notes,omitempty"`
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

// Key names a comparison among those of a report: "NAME, A over B".
func (c *Comparison) Key() string { return c.Name + ", " + c.SideA + " over " + c.SideB }

// Value is the figure of that name, or the median ratio of the comparison with that key.
func (r *Report) Value(name string) (value float64, unit string, known bool) {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value, f.Unit, true
		}
	}
	for _, c := range r.Comparisons {
		if c.Key() == name {
			return c.Median, ratioUnit, true
		}
	}
	return 0, "", false
}

// ratioUnit is the unit of a comparison.
const ratioUnit = "ratio"

// figure adds a number. One that has no value, because it was divided by nothing, is NaN
// here and left out at the end of the run.
func (r *Report) figure(name string, value float64, unit string) {
	if math.IsInf(value, 0) {
		value = math.NaN()
	}
	r.Figures = append(r.Figures, Figure{name, value, unit})
}

// Latency is one distribution of durations.
type Latency struct {
	Name string `json:"name"`
	Tag  string `json:"tag"` // names it in the histogram log of a record

	histogram *hdrhistogram.Histogram // nanoseconds
}

// reportedPercentiles of a Latency become figures, between count and greatest value.
var reportedPercentiles = []float64{50, 90, 99, 99.9, 99.99}

func percentileName(q float64) string { return fmt.Sprint("p", q) }

// figures names the figures of a latency in their order.
func (l *Latency) figures() []string {
	names := []string{l.Name + ", count"}
	for _, q := range reportedPercentiles {
		names = append(names, l.Name+", "+percentileName(q))
	}
	return append(names, l.Name+", max")
}

// latency adds the percentiles of a histogram of nanoseconds and keeps a copy of it.
func (r *Report) latency(name string, h *hdrhistogram.Histogram) {
	l := Latency{name, tag(name), h.Clone()}
	for n := 2; slices.ContainsFunc(r.Latencies, func(o Latency) bool { return o.Tag == l.Tag }); n++ {
		l.Tag = fmt.Sprint(tag(name), "-", n)
	}
	r.Latencies = append(r.Latencies, l)
	r.Figures = append(r.Figures, l.measured()...)
}

// measured gives the figures of a latency, from its histogram.
func (l *Latency) measured() (all []Figure) {
	h := l.histogram
	values := []float64{float64(h.TotalCount())}
	for _, q := range reportedPercentiles {
		values = append(values, float64(h.ValueAtQuantile(q))/1e3)
	}
	values = append(values, float64(h.Max())/1e3)
	for i, name := range l.figures() {
		f := Figure{name, values[i], "us"}
		if i == 0 {
			f.Unit = ""
		}
		all = append(all, f)
	}
	return all
}

// tag is a name without what a histogram log gives a meaning of its own: words joined
// by dashes.
func tag(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	return strings.Join(words, "-")
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
