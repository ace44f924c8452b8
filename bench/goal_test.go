package bench

import (
	"strings"
	"testing"
	"time"
)

// A missed goal is told, in a report and in a summary, and no failure; an invalid run says
// so before anything else.
func TestReport_GoalsAreToldAndNoFailure(t *testing.T) {
	t.Parallel()
	r := Report{Scenario: "x"}
	r.check("a", 1, 1)
	r.figure("y", 1, "")
	r.goalTime("slow", int64(3*time.Millisecond), int64(2*time.Millisecond), 1)
	r.goalTime("fast", int64(time.Millisecond), int64(2*time.Millisecond), 1)
	r.goalTime("nothing", 0, int64(2*time.Millisecond), 0)
	r.goalNumber("share", 80, 85, 0, "%")
	r.goalNumber("memory", 1<<20, 0, 2<<20, "B")
	r.goalNumber("between", 5, 1, 4, "")
	if !r.OK() {
		t.Error("a missed goal fails a run")
	}
	met := ""
	for _, g := range r.Goals {
		if g.Met {
			met += g.Name + " "
		}
	}
	if met != "fast memory " {
		t.Errorf("met: %q", met)
	}
	r.invalid("the clock %s", "stood")
	text := strings.Join(strings.Fields(r.Print()), " ")
	for _, want := range []string{"0.0 s INVALID: the clock stood y", "slow at most 2,000 us 3,000 us MISSED", "share at least 85 % 80 % MISSED",
		"memory at most 2,048 KiB 1,024 KiB met", "between 1 to 4 5 MISSED", "nothing at most 2,000 us nothing to measure MISSED"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s := Summarize([]Report{r, r})
	text = strings.Join(strings.Fields(s.Print()), " ")
	for _, want := range []string{"MISSED: run 2 is invalid: the clock stood", "MISSED: run 1: share: want at least 85 %, got 80 %", "every check held in every run"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
