package bench

import (
	"fmt"
	"time"
)

// Goal is what a number should be. A goal that is missed is a result and not a failure: it
// depends on the machine, where a Check that does not hold is a fault wherever it is run.
type Goal struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Met  bool   `json:"met"`
}

// goal adds one.
func (r *Report) goal(name, want, got string, met bool) {
	r.Goals = append(r.Goals, Goal{name, want, got, met})
}

// goalTime wants a time, in ns, of which there are count measured ones, to be at most most.
func (r *Report) goalTime(name string, got, most, count int64) {
	if count == 0 {
		r.goal(name, "at most "+timeText(most), "nothing to measure", false)
		return
	}
	r.goal(name, "at most "+timeText(most), timeText(got), got <= most)
}

// goalNumber wants a number between low and high.
func (r *Report) goalNumber(name string, got, low, high float64, unit string) {
	want := fmt.Sprintf("%s to %s", quantity(low, unit), quantity(high, unit))
	switch {
	case low == 0:
		want = "at most " + quantity(high, unit)
	case high == 0:
		want = "at least " + quantity(low, unit)
	}
	r.goal(name, want, quantity(got, unit), got >= low && (high == 0 || got <= high))
}

func timeText(ns int64) string { return quantity(float64(ns)/float64(time.Microsecond), "us") }

// invalid says why the numbers of a run tell nothing about the server.
func (r *Report) invalid(format string, args ...any) {
	r.Invalid = append(r.Invalid, fmt.Sprintf(format, args...))
}

func goalTable(goals []Goal) string {
	if len(goals) == 0 {
		return ""
	}
	t := newTable(3)
	t.row("goal", "want", "got", "")
	for _, g := range goals {
		t.row(g.Name, g.Want, g.Got, g.verdict())
	}
	return t.String()
}

func (g Goal) verdict() string {
	if g.Met {
		return "met"
	}
	return "MISSED"
}

// invalidLines stand above everything else.
func invalidLines(reasons []string) string {
	text := ""
	for _, reason := range reasons {
		text += wrap("INVALID: "+reason, "         ") + "\n"
	}
	return text
}
