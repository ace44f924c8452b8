package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throng/bench"
)

func TestRun_Usage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"nothing":             {nil, exitUsage},
		"no scenario":         {[]string{"--streams", "5"}, exitUsage},
		"an unknown scenario": {[]string{"nonsense"}, exitUsage},
		"an unknown flag":     {[]string{"storm", "--nonsense"}, exitUsage},
		"one word too many":   {[]string{"storm", "again"}, exitUsage},
		"help of a scenario":  {[]string{"storm", "--help"}, 0},
		"help":                {[]string{"--help"}, 0},
		"no such server":      {[]string{"storm", "--server-cmd", "/nonexistent"}, exitFailed},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), c.args, &stdout, &stderr); code != c.code {
			t.Errorf("%s: exit status %d, want %d\n%s", name, code, c.code, stderr.String())
		}
		if stderr.Len() == 0 || stdout.Len() > 0 {
			t.Errorf("%s: %q on standard output, %q on standard error", name, stdout.String(), stderr.String())
		}
	}
}

func TestRun_RecordsWhatItPrints(t *testing.T) {
	dir := t.TempDir()
	peer, err := bench.BuildPeer(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(dir, "record")
	args := []string{"storm", "--streams", "20", "--events", "30", "--pairs", "1", "--interval", "1ms", "--json", "--quiet",
		"--record", record, "--server-cmd", peer[0] + " --history 1000 {listen}"}
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), args, &stdout, &stderr); code != 0 {
		t.Fatalf("exit status %d\n%s", code, stderr.String())
	}
	var printed, kept bench.Report
	var env bench.Environment
	if err := json.Unmarshal(stdout.Bytes(), &printed); err != nil {
		t.Fatal(err)
	}
	for name, into := range map[string]any{"report.json": &kept, "env.json": &env} {
		b, err := os.ReadFile(filepath.Join(record, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !kept.OK() || len(kept.Figures) == 0 || len(kept.Figures) != len(printed.Figures) || kept.Options.Streams != 20 {
		t.Errorf("%+v", kept)
	}
	if env.Kernel == "" || env.Cores == 0 || env.OpenFiles == "" || env.Sysctls["net.core.somaxconn"] == "" || len(env.ServerSHA256) != 64 {
		t.Errorf("%+v", env)
	}
	command, err := os.ReadFile(filepath.Join(record, "command.txt"))
	if err != nil || !strings.Contains(string(command), `"storm"`) {
		t.Errorf("%q, %v", command, err)
	}
	if code := run(context.Background(), args, &stdout, &stderr); code != exitFailed {
		t.Errorf("a record was written over: exit status %d", code)
	}
}

// A server that cannot resume loses events, and measure must say so.
func TestRun_WrongCountFails(t *testing.T) {
	peer, err := bench.BuildPeer(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"storm", "--streams", "20", "--events", "60", "--pairs", "1", "--interval", "1ms", "--quiet",
		"--server-cmd", strings.Join(peer, " ")}
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), args, &stdout, &stderr); code != exitFailed {
		t.Errorf("exit status %d\n%s", code, stdout.String())
	}
}
