package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The server of these tests is the real one; so are publish and subscribe.

func TestPublish_IsRefusedByUsage(t *testing.T) {
	wantRefused(t, run(t, nil, "", "publish", "data"), "--topic is missing")
	wantRefused(t, run(t, nil, "", "publish", "--topic=a", "--file=x", "data"), errTwoInput.Error())
	wantRefused(t, run(t, nil, "", "publish", "--ndjson", "data"), errNoData.Error())
	wantRefused(t, run(t, nil, "", "publish", "--topic=a", "--key=k", "one", "two"), errOneKey.Error())
	wantRefused(t, run(t, nil, "", "publish", "--topic=a", "http://", "one"), "names no host")
	wantRefused(t, run(t, nil, "", "subscribe"), "missing flags: --topic")
	wantRefused(t, run(t, nil, "", "subscribe", "--topic=a", "ftp://b"), "must start with http://")
	wantRefused(t, run(t, nil, "", "subscribe", "--topic=a", "--count=-1"), "--count")
}

func TestPublish_FailsWithoutServer(t *testing.T) {
	s := startServer(t, nil, "--drain=0s")
	s.signal(syscall.SIGTERM)
	s.wantDone()
	r := run(t, nil, "", "publish", "--topic=a", s.url, "one", "two")
	if r.status != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, "connection refused") {
		t.Errorf("exit status %d, output %q\n%s", r.status, r.stdout, r.stderr)
	}
}

// publish gives the IDs it prints.
func (s *served) publish(stdin string, args ...string) []string {
	s.t.Helper()
	r := run(s.t, nil, stdin, append([]string{"publish", s.url}, args...)...)
	if r.status != exitDone {
		s.t.Fatalf("publish %q: exit status %d\n%s", args, r.status, r.stderr)
	}
	return strings.Fields(r.stdout)
}

func TestPublish_PrintsIDsOfWhatSubscribePrints(t *testing.T) {
	s := startServer(t, nil)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("from a file\nof two lines"), 0o600); err != nil {
		t.Fatal(err)
	}
	ids := s.publish("", "--topic=a/1", "--", "one", "--two")
	ids = append(ids, s.publish("", "--topic=a/2", "--topic=b", "--event=note", "--file", file)...)
	ids = append(ids, s.publish("three\nfour\n", "--topic=a/3")...)
	ids = append(ids, s.publish(`{"topic":"a/4","data":{"n":5}}`+"\n", "--ndjson")...)
	r := run(t, nil, "", "subscribe", "--topic=a/#", "--topic=b", "--since=earliest", "--json", "--count=6", s.url)
	if r.status != exitDone {
		t.Fatalf("subscribe: exit status %d\n%s", r.status, r.stderr)
	}
	type event struct {
		ID, Event, Data string
		Topics          []string
	}
	var got []string
	var events []event
	for line := range strings.Lines(r.stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got, events = append(got, e.ID), append(events, e)
	}
	if len(ids) != 6 || !slices.Equal(got, ids) {
		t.Fatalf("published %q\nprinted   %q", ids, got)
	}
	if e := events[2]; e.Event != "note" || e.Data != "from a file\nof two lines" || !slices.Equal(e.Topics, []string{"a/2", "b"}) {
		t.Errorf("the file became %+v", e)
	}
	if events[1].Data != "--two" || events[5].Data != `{"n":5}` {
		t.Errorf("events: %+v", events)
	}
	if want := "--since " + ids[5]; !strings.Contains(r.stderr, want) {
		t.Errorf("no %q in %q", want, r.stderr)
	}
	r = run(t, nil, "", "subscribe", "--topic=a/#", "--since", ids[3], "--count=2", s.url)
	if r.stdout != "four\n{\"n\":5}\n" {
		t.Errorf("after %s: %q\n%s", ids[3], r.stdout, r.stderr)
	}
}

func TestPublish_TellsRefusedLinesAndGoesOn(t *testing.T) {
	s := startServer(t, nil)
	r := run(t, nil, `{"topic":"a","data":"1"}
not JSON
{"topic":"a/+","data":"a wildcard"}
{"topic":"a","data":"4"}
`, "publish", "--ndjson", s.url)
	if r.status != exitFailed || len(strings.Fields(r.stdout)) != 2 {
		t.Errorf("exit status %d, output %q", r.status, r.stdout)
	}
	for _, want := range []string{"event 2: ", "event 3: ", "not everything was published"} {
		if strings.Count(r.stderr, want) != 1 {
			t.Errorf("%q is not once in:\n%s", want, r.stderr)
		}
	}
	r = run(t, nil, "", "publish", "--topic=a/+", s.url, "alone")
	if r.status != exitFailed || !strings.Contains(r.stderr, "event 1: ") || r.stdout != "" {
		t.Errorf("alone: exit status %d, output %q\n%s", r.status, r.stdout, r.stderr)
	}
}

func TestPublish_KeyMakesRepeatingSafe(t *testing.T) {
	s := startServer(t, nil)
	first := s.publish("", "--topic=a", "--key=order-7", "paid")
	again := s.publish("", "--topic=a", "--key=order-7", "paid")
	if len(first) != 1 || !slices.Equal(first, again) {
		t.Errorf("the IDs are %q and %q", first, again)
	}
}

// A line is published while the feed stays open: nothing waits for a batch to fill.
func TestPublish_FeedIsLive(t *testing.T) {
	s := startServer(t, nil)
	c := command(t, nil, "publish", "--ndjson", s.url)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ids := bufio.NewScanner(out)
	for range 3 {
		if _, err := io.WriteString(in, `{"topic":"a","data":"tick"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if !ids.Scan() || ids.Text() == "" {
			t.Fatalf("no ID for a line of an open feed: %q %v", ids.Text(), ids.Err())
		}
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// The server goes away and comes back on the same port: the subscriber finds it again,
// tells the gap that a memory store leaves, and prints what comes.
func TestSubscribe_ComesBackAfterRestart(t *testing.T) {
	s := startServer(t, nil, "--drain=0s", "--retry=1ms")
	s.publish("", "--topic=a", "before")
	c := command(t, nil, "subscribe", "--topic=a", "--since=earliest", s.url)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	c.Stderr = &complaints
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "before" {
		t.Fatalf("the first line is %q", lines.Text())
	}
	s.signal(syscall.SIGTERM)
	s.wantDone()
	again := startServer(t, nil, "--drain=0s", "--listen="+strings.TrimPrefix(s.url, "http://"))
	again.publish("", "--topic=a", "after")
	if !lines.Scan() || lines.Text() != "after" {
		t.Errorf("the line after the restart is %q", lines.Text())
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("SIGINT: %v", err)
	}
	for _, want := range []string{"trying again", "connected again", "gap: not all that followed ", "to go on from here: --since "} {
		if !strings.Contains(complaints.String(), want) {
			t.Errorf("%q is not in:\n%s", want, complaints.String())
		}
	}
}

func TestPublish_RetryPublishesOnceWhenTheServerIsBack(t *testing.T) {
	s := startServer(t, nil, "--drain=0s")
	address := strings.TrimPrefix(s.url, "http://")
	s.signal(syscall.SIGTERM)
	s.wantDone()
	done := make(chan result, 1)
	go func() { done <- run(t, nil, "", "publish", "--topic=a", "--retry=30s", s.url, "one", "two") }()
	again := startServer(t, nil, "--listen="+address)
	r := <-done
	if r.status != exitDone || len(strings.Fields(r.stdout)) != 2 || r.stderr != "" {
		t.Fatalf("exit status %d, output %q\n%s", r.status, r.stdout, r.stderr)
	}
	got := run(t, nil, "", "subscribe", "--topic=a", "--since=earliest", "--count=2", again.url)
	if strings.Join(strings.Fields(got.stdout), " ") != "one two" {
		t.Errorf("stored: %q\n%s", got.stdout, got.stderr)
	}
}

func TestPublish_RetryGivesUp(t *testing.T) {
	s := startServer(t, nil, "--drain=0s")
	s.signal(syscall.SIGTERM)
	s.wantDone()
	r := run(t, nil, "", "publish", "--topic=a", "--retry=300ms", s.url, "one")
	if r.status != exitFailed || !strings.Contains(r.stderr, "connection refused") {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
}
