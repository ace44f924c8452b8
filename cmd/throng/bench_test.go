package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"throng/bench"
)

func TestBench_IsRefusedByUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"SCENARIO is missing; there are density":             {},
		`no scenario "densty"; the nearest is density`:       {"densty"},
		"unexpected argument again":                          {"storm", "again"},
		"unknown flag --nonsense":                            {"storm", "--nonsense"},
		`--streams: "0" is refused; accepted: 1 to`:          {"storm", "--streams=0"},
		`--payload: "2GiB" is refused; accepted: `:           {"storm", "--payload", "2GiB"},
		`--interval: "soon" is refused; accepted: 1ns`:       {"storm", "--interval=soon"},
		"--depth is not for storm, which asks for --streams": {"storm", "--depth=3"},
		"--runs: 0 is refused":                               {"storm", "--runs=0"},
		"--peer: storm compares with no peer":                {"storm", "--peer=nethttp"},
		`--peer: "apache" is refused; accepted: nethttp, n`:  {"device", "--peer=apache"},
		"--floor: device does not compare":                   {"device", "--floor=none"},
		`--server-cmd: "other" does not say {listen}`:        {"storm", "--server-cmd=other"},
		"one of them is measured":                            {"storm", "--server-cmd=other {listen}", "--url=http://127.0.0.1:1"},
		"--pid is for the server at --url":                   {"storm", "--pid=1"},
		`publish method "post": want capital`:                {"storm", "--publish-method=post"},
	} {
		wantRefused(t, run(t, nil, "", append([]string{"bench"}, args...)...), want)
	}
	wantRefused(t, run(t, []string{"THRONG_BENCH_STREAMS=many"}, "", "bench", "storm"), `--streams: "many" is refused`)
}

func TestBench_HelpTellsWhatEachScenarioTakes(t *testing.T) {
	r := run(t, nil, "", "bench", "--help")
	if r.status != exitDone || r.stderr != "" {
		t.Fatalf("exit status %d\n%s", r.status, r.stderr)
	}
	words := strings.Join(strings.Fields(r.stdout), " ")
	for _, s := range bench.Scenarios() {
		if !strings.Contains(words, s.Name+" "+strings.Join(strings.Fields(s.About), " ")+" "+strings.Join(s.Asks(), " ")) {
			t.Errorf("help does not tell of %s and %q", s.Name, s.Asks())
		}
	}
	for _, s := range bench.Settings() {
		if !strings.Contains(r.stdout, "--"+s.Name) {
			t.Errorf("help does not tell of --%s", s.Name)
		}
	}
}

// tiny are the flags that make each scenario a matter of seconds.
var tiny = func() map[string]string {
	text, err := os.ReadFile("../../bench/testdata/tiny.txt")
	if err != nil {
		panic(err)
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, flags, _ := strings.Cut(line, " ")
		all[name] = flags
	}
	return all
}()

// Every scenario measures this very program, which starts itself as the server.
func TestBench_RunsEveryScenario(t *testing.T) {
	r := run(t, nil, "", "bench", "--list")
	names := strings.Fields(r.stdout)
	if r.status != exitDone || len(names) != len(bench.Scenarios()) {
		t.Fatalf("exit status %d, %q", r.status, names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args, known := tiny[name]
			if !known {
				t.Fatal("give it a line in bench/testdata/tiny.txt")
			}
			if name == "nodes" {
				needRedis(t)
			}
			charts := filepath.Join(t.TempDir(), "charts")
			r := run(t, nil, "", append([]string{"bench", name, "--json", "--quiet", "--plot", charts}, strings.Fields(args)...)...)
			var report bench.Report
			if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
				t.Fatalf("exit status %d: %v\n%s%s", r.status, err, r.stderr, r.stdout)
			}
			if late := !report.OK() && onlyLate(&report); !late && (r.status != exitDone || r.stderr != "" || !report.OK()) {
				t.Fatalf("exit status %d\n%s%s", r.status, r.stderr, r.stdout)
			}
			if report.Scenario != name || len(report.Figures) == 0 || report.Options.Server[0] != binary {
				t.Errorf("%+v", report)
			}
			pictures, err := filepath.Glob(filepath.Join(charts, "*.png"))
			if err != nil || len(pictures) == 0 && len(report.Latencies)+len(report.Comparisons) > 0 {
				t.Errorf("no chart is drawn: %v", err)
			}
			for _, p := range pictures {
				b, err := os.ReadFile(p)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := png.Decode(bytes.NewReader(b)); err != nil {
					t.Errorf("%s: %v", p, err)
				}
			}
		})
	}
}

// onlyLate says whether a run has failed by nothing but a time that it took. Soak has bounds for
// those, and this machine does ten other things.
func onlyLate(r *bench.Report) bool {
	return len(r.Checks) > 0 && !slices.ContainsFunc(r.Checks, func(c bench.Check) bool {
		return !c.OK && !strings.HasPrefix(c.Name, "p99 of ")
	})
}

// needRedis sees to it that there is a redis-server, or leaves the test out.
func needRedis(t *testing.T) {
	t.Helper()
	out, err := exec.Command("../../scripts/need", "redis-server").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("scripts/need redis-server: %v\n%s", err, out)
	default:
		t.Skipf("scripts/need redis-server: %v\n%s", err, out)
	}
}

// The promise of delivery on each store; more rounds are for those who ask for them.
func TestBench_ChecksEveryStore(t *testing.T) {
	for name, flags := range map[string]string{
		"disk": "--store disk", "redis": "--store redis --nodes 2", "spool": "--store redis --nodes 2 --spool on",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "disk" {
				needRedis(t)
			}
			r := run(t, nil, "", append(strings.Fields("bench check --quiet "+tiny["check"]), strings.Fields(flags)...)...)
			if r.status != exitDone {
				t.Errorf("exit status %d\n%s%s", r.status, r.stderr, r.stdout)
			}
		})
	}
}

func TestBench_RecordsSeveralRuns(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "record")
	args := append(strings.Fields("bench storm --runs 2 --record "+dir), strings.Fields(tiny["storm"])...)
	r := run(t, nil, "", args...)
	if r.status != exitDone {
		t.Fatalf("exit status %d\n%s", r.status, r.stderr)
	}
	for _, want := range []string{"storm, 2 runs", "median", "publish to delivery", "every check held in every run"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	for _, want := range []string{"throng: run 1 of 2\n", "throng: run 2 of 2\n", "throng: storm 1 of 1\n"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in\n%s", want, r.stderr)
		}
	}
	if strings.ContainsAny(r.stderr, "\r\x1b") {
		t.Errorf("a terminal's codes are in %q", r.stderr)
	}
	kept, err := bench.ReadRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.Reports) != 2 || kept.Reports[1].Options.Streams != 30 || len(kept.Environment.ServerSHA256) != 64 ||
		!strings.HasPrefix(kept.Command, "throng bench storm --runs 2") || kept.Environment.Kernel == "" || kept.Environment.Sysctls["net.core.somaxconn"] == "" {
		t.Errorf("%+v", kept)
	}
	for _, rep := range kept.Reports {
		if err := rep.Recompute(); err != nil {
			t.Error(err)
		}
	}
	r = run(t, nil, "", args...)
	if r.status != exitFailed || !strings.Contains(r.stderr, "a record is never written over") || r.stdout != "" {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
}

func TestBench_SummaryAsJSON(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "", append(strings.Fields("bench storm --runs 2 --json --quiet"), strings.Fields(tiny["storm"])...)...)
	var s bench.Summary
	if err := json.Unmarshal([]byte(r.stdout), &s); r.status != exitDone || err != nil {
		t.Fatalf("exit status %d, %v\n%s", r.status, err, r.stdout)
	}
	if s.Scenario != "storm" || s.Runs != 2 || len(s.Figures) == 0 || len(s.Figures[0].Values) != 2 {
		t.Errorf("%+v", s)
	}
}

// A server that cannot resume loses events: bench must say so, print the checks, and show
// what was said meanwhile.
func TestBench_WrongCountFails(t *testing.T) {
	t.Parallel()
	args := append([]string{"bench", "storm", "--server-cmd", "nethttp"}, strings.Fields(tiny["storm"])...)
	r := run(t, goEnv(t), "", args...)
	if r.status != exitFailed || !strings.Contains(r.stderr, "throng: ") {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
}

func TestBench_ServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "", "bench", "storm", "--server-cmd", "/nonexistent/server {listen}")
	if r.status != exitFailed || !strings.Contains(r.stderr, "/nonexistent/server") || r.stdout != "" {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
}

// compilePeers fills the go command's cache once, outside of any run's time: where nothing of the
// standard library is compiled yet, a peer takes a minute.
var compilePeers = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "build", "-o", os.DevNull, "throng/bench/peers/...").CombinedOutput()
})

// goEnv is what the go command needs of the environment to build a peer, quickly.
func goEnv(t *testing.T) []string {
	t.Helper()
	if out, err := compilePeers(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	v := strings.Fields(string(out))
	return []string{"GOCACHE=" + v[0], "GOMODCACHE=" + v[1], "GOPATH=" + v[2]}
}

func TestBench_ComparesWithPeersByName(t *testing.T) {
	t.Parallel()
	args := strings.Fields("bench device --streams 20 --events 20 --pairs 1 --json --quiet --peer nethttp --peer netpoll")
	r := run(t, goEnv(t), "", args...)
	var report bench.Report
	if err := json.Unmarshal([]byte(r.stdout), &report); r.status != exitDone || err != nil {
		t.Fatalf("exit status %d, %v\n%s", r.status, err, r.stderr)
	}
	var sides []string
	for _, c := range report.Comparisons {
		sides = append(sides, c.SideB)
	}
	if !slices.Contains(sides, "net/http") || !slices.Contains(sides, "netpoll") {
		t.Errorf("compared with %q", sides)
	}
}

// Without go in the path the default peer is left out, and one that is asked for is missed.
func TestBench_PeerThatCannotBeBuilt(t *testing.T) {
	t.Parallel()
	args := strings.Fields("bench device --streams 20 --events 20 --pairs 1")
	r := run(t, []string{"PATH=/nonexistent"}, "", args...)
	if r.status != exitDone || !strings.Contains(r.stderr, "no comparison with net/http") {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
	r = run(t, []string{"PATH=/nonexistent"}, "", append(args, "--peer", "netpoll")...)
	if r.status != exitFailed || !strings.Contains(r.stderr, "--peer: it is built from source, and there is no go") {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
}

func TestBench_InterruptEndsItAndItsServer(t *testing.T) {
	t.Parallel()
	c := command(t, nil, "bench", "density", "--streams=20", "--streams-low=10", "--duration=1h", "--settle=50ms")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&complaints, lines.Text())
		if lines.Text() == "throng: idle" {
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = c.Wait() // the status is looked at below
	if c.ProcessState.ExitCode() != exitFailed || !strings.HasSuffix(complaints.String(), "throng: interrupted\n") {
		t.Errorf("exit status %d\n%s", c.ProcessState.ExitCode(), complaints.String())
	}
}
