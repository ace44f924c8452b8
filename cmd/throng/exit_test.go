package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestExit_TwoForUsage(t *testing.T) {
	wantRefused(t, run(t, nil, ""), `expected one of "serve", "publish", "subscribe", "bench", "config"`)
	wantRefused(t, run(t, nil, "", "serv"), `did you mean "serve"?`)
	wantRefused(t, run(t, nil, "", "version", "--loudly"), "unknown flag --loudly")
	wantRefused(t, run(t, []string{"THRONG_NOPE=1"}, "", "version"), "THRONG_NOPE")
}

func TestExit_ZeroForHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"publish", "--help"}, {"subscribe", "--help"}, {"bench", "--help"}, {"config", "--help"}} {
		r := run(t, nil, "", args...)
		if r.status != exitDone || !strings.HasPrefix(r.stdout, "Usage: throng") || r.stderr != "" {
			t.Errorf("throng %s: exit status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
		}
	}
	r := run(t, nil, "", "version")
	if r.status != exitDone || !regexp.MustCompile(`^throng \S.* go1\.\d+\S* linux/\w+\n$`).MatchString(r.stdout) {
		t.Errorf("throng version: exit status %d, %q", r.status, r.stdout)
	}
}
