package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestProgress_OnATerminal(t *testing.T) {
	script, err := exec.LookPath("script") // util-linux; it gives the program a terminal
	if err != nil {
		t.Skip("there is no script to make a terminal with")
	}
	cmd := command(t, nil)
	cmd.Path, cmd.Args = script, []string{"script", "--quiet", "--return", "--command", binary + " bench storm " + tiny["storm"], "/dev/null"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(cmd.Env, "TERM=xterm", "SHELL=/bin/sh")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	screen := out.String()
	for _, want := range []string{"storm 1 of 1", "[", "\r", "storm 1 of 1, "} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in %q", want, screen)
		}
	}
	if strings.Contains(screen, "throng: storm") {
		t.Errorf("a line for files is on the terminal: %q", screen)
	}
}

func TestProgress_NobodyIsTold(t *testing.T) {
	var p *progress
	p.say("to %s", "nobody")
	p.end()
}

func TestProgress_LinesInAFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := newProgress(f)
	p.Phase("first", 10)
	for i := range int64(10) {
		p.Step(i + 1)
	}
	p.say("a word")
	p.Phase("second", 0)
	p.Step(5)
	p.end()
	got, err := os.ReadFile(f.Name())
	if want := "throng: first\nthrong: a word\nthrong: second\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestTail_KeepsTheLastLines(t *testing.T) {
	var kept tail
	for i := range 10_000 {
		fmt.Fprintf(&kept, "line %d\n", i)
	}
	var out bytes.Buffer
	kept.write(&out)
	text := out.String()
	if len(text) > tailBytesMax+100 || !strings.HasSuffix(text, "line 9999\n") || !strings.Contains(text, "said:\nline ") {
		t.Errorf("%d bytes, ending in %q", len(text), text[max(0, len(text)-30):])
	}
	out.Reset()
	new(tail).write(&out)
	if out.Len() > 0 {
		t.Errorf("nothing was said, and %q is told", out.String())
	}
}
