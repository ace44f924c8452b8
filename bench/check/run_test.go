package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// runsOn runs the checker against a server that restarts now and then.
func runsOn(t *testing.T, c *cheat, p Promise, round time.Duration) *Result {
	t.Helper()
	defer c.server.Close()
	defer func() { c.end() }()
	const seed = 7
	r, err := Run(t.Context(), Config{
		Seed: seed, Rounds: settleEvery, Round: round, Nodes: []string{c.server.Listener.Addr().String()},
		Lineages: 12, Publishers: 4, Namespaces: 2, Rate: 2000, Payload: 60, Promise: p,
		Faults: []Fault{{"restart", 4, c.restart}}, Patience: time.Second,
	})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return r
}

// runsUntil runs it on a server of that kind until a run had enough in it: how much happens in
// a round is the machine's choice, and a busy one gets longer rounds. The last run is it then.
func runsUntil(t *testing.T, how string, forgets bool, p Promise, enough func(*Result) bool) *Result {
	t.Helper()
	const shortest, longest = 60 * time.Millisecond, 4 * time.Second
	for round := shortest; ; round *= 4 {
		if r := runsOn(t, newCheat(how, forgets), p, round); enough(r) || round*4 > longest {
			return r
		}
	}
}

func TestRun_HonestServersPass(t *testing.T) {
	for _, server := range []struct {
		name, how string
		forgets   bool
	}{{"keeps", "", false}, {"forgets", "", true}, {"takes no note", "takes no note", false}} {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			how, forgets := server.how, server.forgets
			enough := func(r *Result) bool {
				return len(r.Violations) > 0 || r.Acknowledged >= 100 && r.Received >= 100 && r.Connections >= 24 &&
					r.Again > 0 && len(r.Faults) > 0 && (how == "" || r.Surplus > 0) && (!forgets || r.Gaps > 0 && r.ToldLost > 0)
			}
			r := runsUntil(t, how, forgets, Promise{Survives: !forgets}, enough)
			for _, v := range r.Violations {
				t.Errorf("%s: %s", v.Kind, v.Text)
			}
			if !enough(r) {
				t.Errorf("hardly anything happened, no surplus was counted, or nothing told that was forgotten: %+v", r)
			}
		})
	}
}

// Each way of cheating must be called by its name.
func TestRun_CheatsAreFound(t *testing.T) {
	for how, want := range map[string]Kind{
		"drops":                       Lost,
		"acknowledges only":           Lost,
		"forgets after all":           Lost,
		"loses the end":               Lost,
		"attaches in the future":      Lost,
		"repeats":                     Twice,
		"repeats on resume":           Twice,
		"key twice":                   Twice,
		"swaps":                       Order,
		"is ahead of itself":          Order,
		"uses an ID twice":            Reused,
		"numbers anew":                Reused,
		"answers out of order":        PublisherOrder,
		"goes back":                   PublisherOrder,
		"gap for nothing":             GapForNothing,
		"gap too large":               LostThoughTold,
		"spoils data":                 Content,
		"sends what nobody asked for": Foreign,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			found(t, runsUntil(t, how, false, Promise{Survives: true}, calls(want)), want)
		})
	}
	for how, want := range map[string]Kind{"no gap": Lost, "gap without sense": BadGap} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			found(t, runsUntil(t, how, true, Promise{}, calls(want)), want)
		})
	}
}

// calls says whether a run found what is called so.
func calls(want Kind) func(*Result) bool {
	return func(r *Result) bool {
		return slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Kind == want })
	}
}

// found wants a violation of a kind, told so that it can be looked up.
func found(t *testing.T, r *Result, want Kind) {
	t.Helper()
	i := slices.IndexFunc(r.Violations, func(v Violation) bool { return v.Kind == want })
	if i < 0 {
		t.Fatalf("no violation is called %q: %v", want, r.Counts)
	}
	text := r.Violations[i].Text
	t.Logf("%s: %s", want, text)
	if !strings.Contains(text, "check-") || !strings.Contains(text, " s") {
		t.Errorf("no namespace and no time in %q", text)
	}
	dir := filepath.Join(t.TempDir(), "kept")
	if err := r.Keep(dir); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "violations.txt"))
	if err != nil || !strings.Contains(string(kept), text) {
		t.Errorf("kept is %q, %v", kept, err)
	}
}

func TestRun_RefusesWhatIsImpossible(t *testing.T) {
	if _, err := Run(context.Background(), Config{Nodes: []string{"127.0.0.1:1"}}); err == nil {
		t.Error("a run without rounds was made")
	}
}

func TestRun_NobodyTakesEvents(t *testing.T) {
	c := newCheat("", false)
	addr := c.server.Listener.Addr().String()
	c.server.Close()
	_, err := Run(t.Context(), Config{Seed: 1, Rounds: 1, Round: time.Millisecond, Nodes: []string{addr},
		Lineages: 1, Publishers: 1, Namespaces: 1, Rate: 10, Patience: 100 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), errNoBarrier.Error()) {
		t.Error(err)
	}
}
