package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Print is the report for a person: figures, latencies, comparisons, goals,
// checks, notes.
func (r *Report) Print() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %.1f s\n", r.Scenario, r.Seconds)
	parts := []string{invalidLines(r.Invalid), r.figureTable(), r.latencyTable()}
	for _, c := range contests(r.Comparisons) {
		parts = append(parts, c.table())
	}
	parts = append(parts, goalTable(r.Goals), checkTable(r.Checks), noteLines(r.Notes))
	for _, part := range parts {
		if part != "" {
			fmt.Fprintf(&b, "\n%s", part)
		}
	}
	return b.String()
}

// figureTable holds the figures that are no part of a latency.
func (r *Report) figureTable() string {
	t := newTable(2)
	for _, f := range r.Figures {
		if !r.ofLatency(f.Name) {
			value, unit := readable(f.Value, f.Unit)
			t.row(f.Name, number(value), unit)
		}
	}
	return t.String()
}

func (r *Report) ofLatency(figure string) bool {
	return slices.ContainsFunc(r.Latencies, func(l Latency) bool { return slices.Contains(l.figures(), figure) })
}

// latencyHead is the first line of a table of latencies.
func latencyHead() []string {
	head := []string{"latency", "count"}
	for _, q := range reportedPercentiles {
		head = append(head, percentileName(q))
	}
	return append(head, "max")
}

func (r *Report) latencyTable() string {
	if len(r.Latencies) == 0 {
		return ""
	}
	t := newTable()
	t.row(latencyHead()...)
	for _, l := range r.Latencies {
		row := []string{l.Name}
		for _, name := range l.figures() {
			value, unit, _ := r.Value(name)
			row = append(row, quantity(value, unit))
		}
		t.row(row...)
	}
	return t.String()
}

// ratio is a ratio with three decimals.
func ratio(v float64) string { return fmt.Sprintf("%.3f", v) }

// checkTable shows a check that came out alike several times once.
func checkTable(checks []Check) string {
	times := make(map[Check]int)
	for _, c := range checks {
		times[c]++
	}
	t := newTable(3)
	t.row("check", "want", "got", "")
	for _, c := range checks {
		verdict := "ok"
		if !c.OK {
			verdict = "WRONG"
		}
		if n := times[c]; n > 1 {
			verdict += fmt.Sprintf(", %d times", n)
		}
		if times[c] > 0 {
			t.row(c.Name, c.Want, c.Got, verdict)
		}
		times[c] = 0
	}
	return t.String()
}

func noteLines(notes []string) string {
	var b strings.Builder
	for _, n := range notes {
		fmt.Fprintln(&b, wrap("note: "+n, "      "))
	}
	return b.String()
}
