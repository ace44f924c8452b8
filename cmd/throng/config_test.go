package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each of the three sources is tried against each other one, for a plain value and for
// a list.
func TestPrecedence_FlagsBeatEnvironmentBeatsFile(t *testing.T) {
	file := writeFile(t, "heartbeat: 1s\ncors-origins: [https://file.example, https://b.example]\nlog-level: warn\n")
	flags := []string{"--heartbeat=3s", "--cors-origins=https://flag.example", "--log-level=error"}
	env := []string{"THRONG_HEARTBEAT=2s", "THRONG_CORS_ORIGINS=https://env.example,https://c.example", "THRONG_LOG_LEVEL=debug"}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"nothing", nil, nil, []string{"heartbeat: 25s", "cors-origins: []", "log-level: info"}},
		{"file", nil, []string{"--config", file}, []string{"heartbeat: 1s", `cors-origins: ["https://file.example", "https://b.example"]`, "log-level: warn"}},
		{"environment", env, nil, []string{"heartbeat: 2s", `cors-origins: ["https://env.example", "https://c.example"]`, "log-level: debug"}},
		{"environment and file", env, []string{"--config", file}, []string{"heartbeat: 2s", `cors-origins: ["https://env.example", "https://c.example"]`, "log-level: debug"}},
		{"flags and file", nil, append([]string{"--config", file}, flags...), []string{"heartbeat: 3s", `cors-origins: ["https://flag.example"]`, "log-level: error"}},
		{"flags before file", nil, append(flags, "--config", file), []string{"heartbeat: 3s", `cors-origins: ["https://flag.example"]`, "log-level: error"}},
		{"flags and environment", env, flags, []string{"heartbeat: 3s", `cors-origins: ["https://flag.example"]`, "log-level: error"}},
		{"all", env, append([]string{"--config", file}, flags...), []string{"heartbeat: 3s", `cors-origins: ["https://flag.example"]`, "log-level: error"}},
		{"file named by the environment", append(env[:1:1], "THRONG_CONFIG="+file), nil, []string{"heartbeat: 2s", `cors-origins: ["https://file.example", "https://b.example"]`, "log-level: warn"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, c.env, "", append([]string{"config"}, c.args...)...)
			for _, line := range c.want {
				if !strings.Contains("\n"+r.stdout, "\n"+line+"\n") {
					t.Errorf("no line %q in:\n%s%s", line, r.stdout, r.stderr)
				}
			}
		})
	}
}

func TestConfig_RefusesByName(t *testing.T) {
	for _, c := range []struct {
		env  string
		file string
		args []string
		want string
	}{
		{args: []string{"--heartbeet=3s"}, want: `unknown flag --heartbeet, did you mean "--heartbeat"?`},
		{args: []string{"--heartbeat=3"}, want: `--heartbeat: "3" is refused; accepted: 1ms to 24h`},
		{args: []string{"--heartbeat=0s"}, want: `--heartbeat=0s is refused; accepted: 1ms to 24h`},
		{args: []string{"--ring-events=1000"}, want: `--ring-events=1000 is refused; accepted: a power of two`},
		{args: []string{"--event-bytes-max=64kb"}, want: `--event-bytes-max: "64kb" is refused; accepted: 1 to 66060288, in bytes, or as 64KiB`},
		{args: []string{"--retain-bytes=9000000TiB"}, want: `--retain-bytes: "9000000TiB" is refused`},
		{args: []string{"--loops=99999999999999999999"}, want: `--loops: "99999999999999999999" is refused; accepted: 0 to 1024`},
		{args: []string{"--listen=nowhere"}, want: `--listen=nowhere is refused; accepted: host:port`},
		{args: []string{"--store=redis"}, want: `--store=redis is refused; accepted: memory`},
		{args: []string{"--log-level=loud"}, want: `--log-level must be one of "debug","info","warn","error" but got "loud"`},
		{args: []string{"--defaults", "--check"}, want: `--defaults and --check can't be used together`},
		{env: "THRONG_HEARTBEET=3s", want: `the variable THRONG_HEARTBEET is unknown; the nearest is THRONG_HEARTBEAT`},
		{env: "THRONG_HEARTBEAT=often", want: `--heartbeat: "often" is refused; accepted: 1ms to 24h (from envar THRONG_HEARTBEAT="often")`},
		{env: "THRONG_LOG_FORMAT=xml", want: `--log-format must be one of "text","json" but got "xml"`},
		{file: "heartbeat: 1s\nhartbeat: 2s\n", want: `throng.yaml: line 2: the key "hartbeat" is unknown; the nearest is "heartbeat"`},
		{file: "heartbeat: often\n", want: `--heartbeat: "often" is refused; accepted: 1ms to 24h`},
		{file: "heartbeat: 0s\n", want: `--heartbeat=0s is refused; accepted: 1ms to 24h`},
		{file: "heartbeat:\n", want: `line 1: the key "heartbeat" needs one value, or a list of values`},
		{file: "heartbeat: {every: 1s}\n", want: `line 1: the key "heartbeat" needs one value, or a list of values`},
		{file: "heartbeat: [1s]\n", want: `--heartbeat: "[1s]" is refused; accepted: 1ms to 24h`},
		{file: "loops: 1\nloops: 2\n", want: `already defined`},
		{file: "loops: 1\n---\nloops: 2\n", want: `a second document follows`},
		{file: "config: other.yaml\n", want: `the key "config" is unknown`},
		{file: "- loops\n", want: `cannot unmarshal`},
		{args: []string{"--config=missing.yaml"}, want: `--config: open missing.yaml: no such file or directory`},
	} {
		t.Run(c.want, func(t *testing.T) {
			args := append([]string{"config"}, c.args...)
			if c.file != "" {
				args = append(args, "--config", writeFile(t, c.file))
			}
			wantRefused(t, run(t, strings.Fields(c.env), "", args...), c.want)
		})
	}
}

func TestConfig_CheckTellsWhetherItWouldStart(t *testing.T) {
	if r := run(t, nil, "", "config", "--check"); r.status != exitDone || r.stdout != "ok\n" {
		t.Errorf("the defaults: exit status %d, output %q, %s", r.status, r.stdout, r.stderr)
	}
	wantRefused(t, run(t, nil, "", "config", "--check", "--wait=hope"), "--wait=hope is refused; accepted: block, yield, sleep, spin")
	empty := writeFile(t, "# nothing\n")
	if r := run(t, nil, "", "config", "--check", "--config", empty); r.status != exitDone {
		t.Errorf("an empty file: exit status %d, %s", r.status, r.stderr)
	}
}

// What config prints, config reads: with the defaults, and with every value changed.
func TestConfig_PrintsWhatItReads(t *testing.T) {
	defaults := run(t, nil, "", "config")
	commented := run(t, nil, "", "config", "--defaults")
	if r := run(t, nil, "", "config", "--config", writeFile(t, commented.stdout)); r != defaults {
		t.Errorf("config --defaults, read again:\n%s%swant\n%s", r.stdout, r.stderr, defaults.stdout)
	}
	other := run(t, []string{"THRONG_LISTEN=[::1]:0", "THRONG_ADMIN=", "THRONG_LOG_FORMAT=json"}, "", "config",
		"--cors-origins=*", "--retain-bytes=1025", "--retain-age=90m", "--event-bytes-max=1MiB", "--lag-policy=skip")
	if r := run(t, nil, "", "config", "--config", writeFile(t, other.stdout)); r != other {
		t.Errorf("read again:\n%s%swant\n%s", r.stdout, r.stderr, other.stdout)
	}
}

func TestOptionsPage_IsCurrent(t *testing.T) {
	name := filepath.Join("..", "..", "docs", "options.md")
	want := optionsPage()
	if *rewrite {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil || string(have) != want {
		t.Errorf("docs/options.md is not made from the table of today (%v); run: go test ./cmd/throng -run OptionsPage -rewrite", err)
	}
}

func TestCounts_ReadAndWriteSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "65536": 65536, "64KiB": 64 << 10, "3MiB": 3 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40, "-1": -1} {
		if n, err := parseCount(text); err != nil || n != want {
			t.Errorf("parseCount(%q) = %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "KiB", "64kb", "64 KiB", "1e3", "0x10", "8388608TiB", "1.5MiB"} {
		if n, err := parseCount(text); err == nil {
			t.Errorf("parseCount(%q) = %d; it is no size", text, n)
		}
	}
}

func TestNearest_TakesFewestEdits(t *testing.T) {
	names := []string{"heartbeat", "head-timeout", "headers-max", "retry"}
	for typo, want := range map[string]string{"hartbeat": "heartbeat", "HEAD-timeout": "head-timeout", "header-max": "headers-max", "": "retry"} {
		if got := nearest(typo, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", typo, got, want)
		}
	}
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"a", ""}: 1, {"kitten", "sitting"}: 3, {"abc", "acb"}: 2} {
		if got := edits(pair[0], pair[1]); got != want {
			t.Errorf("edits(%q) = %d, want %d", fmt.Sprint(pair), got, want)
		}
	}
}
