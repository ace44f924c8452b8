package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write docs/options.md anew")

// binary is the program under test, built once: flags, signals and exit statuses are
// tested on the real thing.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "throng-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "throng")
		if out, err := exec.Command("go", "build", buildFlag, "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// hangMax is far beyond what any run takes: one that hangs is killed, and its test fails.
const hangMax = 4 * time.Minute

// command prepares a run with env as its whole environment.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangMax)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	// A binary with the race detector would sleep for a second at its end.
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}, env...)
	return c
}

type result struct {
	stdout, stderr string
	status         int
}

// run waits for the program's end.
func run(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	c := command(t, env, args...)
	var out, complaints bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &complaints
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), complaints.String(), c.ProcessState.ExitCode()}
}

// wantRefused fails unless the run ended with a usage error that says want.
func wantRefused(t *testing.T, r result, want string) {
	t.Helper()
	if r.status != exitUsage || !strings.Contains(r.stderr, want) || r.stdout != "" {
		t.Errorf("exit status %d, want %d; standard error:\n%swant in it: %s\nstandard output: %q", r.status, exitUsage, r.stderr, want, r.stdout)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "throng.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
