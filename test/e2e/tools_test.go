package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

const pipedLines = 10_000

// envelope is a line of subscribe --json.
type envelope struct {
	ID     string
	Topics []string
	Event  string
	Data   string
}

// envelopes reads NDJSON; every line must be one object with the fields of an event.
func envelopes(t *testing.T, p *program) (all []envelope) {
	t.Helper()
	for n, line := range p.out.all() {
		in := json.NewDecoder(strings.NewReader(line))
		in.DisallowUnknownFields()
		var e envelope
		if err := in.Decode(&e); err != nil || in.More() || e.ID == "" || !utf8.ValidString(line) {
			t.Fatalf("line %d of subscribe --json is no event: %q (%v)", n+1, line, err)
		}
		all = append(all, e)
	}
	return all
}

// subscribe starts throng subscribe and waits until it is there, as the n-th stream.
func (s *server) subscribe(n int, args ...string) *program {
	s.t.Helper()
	p := start(s.t, nil, throng, append(append([]string{"subscribe"}, args...), s.url)...)
	s.awaitStreams(n)
	return p
}

// Ten thousand lines go in at one pipe and come out at others: to one that listened all
// the while, and to one that came afterwards.
func TestPipe_CarriesEveryLineInOrder(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	count := fmt.Sprintf("--count=%d", pipedLines)
	live := s.subscribe(1, "--topic=lines", count)
	lines := numbers(0, pipedLines)
	published := run(t, strings.Join(lines, "\n")+"\n", "publish", "--topic=lines", s.url)
	published.wantStatus(0)
	live.wantStatus(0)
	if got := live.out.all(); !slices.Equal(got, lines) {
		t.Errorf("the listener got %d lines, want %d in order", len(got), len(lines))
	}
	late := run(t, "", "subscribe", "--json", "--topic=lines", "--since=earliest", count, s.url)
	late.wantStatus(0)
	var ids, data []string
	for _, e := range envelopes(t, late) {
		ids, data = append(ids, e.ID), append(data, e.Data)
	}
	if !slices.Equal(data, lines) {
		t.Errorf("who came late got %d lines, want %d in order", len(data), len(lines))
	}
	if !slices.Equal(ids, published.out.all()) {
		t.Error("the IDs that publish printed are not those that subscribe got")
	}
}

func TestPipe_CarriesNDJSONThrough(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const feed = `{"topic":"a/1","event":"e","data":"two\nlines \" \\ \u0001 <&> ✓"}

{"topics":["a/2","a/3"],"data":{"n":1.50,"s":"x"}}
`
	run(t, feed, "publish", "--ndjson", s.url).wantStatus(0)
	got := run(t, "", "subscribe", "--json", "--topic=a/+", "--since=earliest", "--count=2", s.url)
	got.wantStatus(0)
	all := envelopes(t, got)
	want := []envelope{
		{Topics: []string{"a/1"}, Event: "e", Data: "two\nlines \" \\ \u0001 <&> ✓"},
		{Topics: []string{"a/2", "a/3"}, Data: `{"n":1.50,"s":"x"}`},
	}
	for i, e := range all {
		if e.Data != want[i].Data || e.Event != want[i].Event || !slices.Equal(e.Topics, want[i].Topics) {
			t.Errorf("got  %+v\nwant %+v", e, want[i])
		}
	}
}

// The log is in memory: after a restart a subscriber comes back by itself and is told,
// once, that there is a gap; what follows arrives whole.
func TestSubscribe_ComesBackAfterRestart(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.subscribe(1, "--json", "--topic=n", "--count=200")
	old := s.publishNumbers("n", 0, 100)
	c.wantLine(old[99])
	s.restart()
	s.awaitStreams(1)
	s.publishNumbers("n", 100, 200)
	c.wantStatus(0)
	c.wantOn(c.err, "trying again")
	c.wantOn(c.err, "connected again")
	var data, gaps []string
	for _, e := range envelopes(t, c) {
		if e.Event == "throng.gap" {
			gaps = append(gaps, e.Data)
		} else {
			data = append(data, e.Data)
		}
	}
	if len(gaps) != 1 || !strings.Contains(gaps[0], old[99]) {
		t.Errorf("the gaps told are %q, want one after %s", gaps, old[99])
	}
	if !slices.Equal(data, numbers(0, 200)) {
		t.Errorf("%d events came, want 200 in order", len(data))
	}
}

func TestSubscribe_LeavesNothingBehindWhenKilled(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	victim := s.subscribe(1, "--topic=n")
	other := s.subscribe(2, "--topic=n", "--count=100")
	s.publishNumbers("n", 0, 50)
	victim.wantLine("49")
	victim.signal(syscall.SIGKILL)
	s.awaitStreams(1)
	s.publishNumbers("n", 50, 100)
	other.wantStatus(0)
	if got := other.out.all(); !slices.Equal(got, numbers(0, 100)) {
		t.Errorf("the other subscriber got %q", got)
	}
}

func TestSubscribe_EndsWellOnSIGTERM(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.subscribe(1, "--topic=n")
	id := s.publish("n", "x")
	c.wantLine("x")
	c.signal(syscall.SIGTERM)
	c.wantStatus(0)
	c.wantOn(c.err, "--since "+id)
	// The reader of a pipe may go at any time: head -n 1 does.
	s.publishNumbers("n", 0, 5)
	first := start(t, nil, "bash", "-c", fmt.Sprintf("%s subscribe --topic n --since earliest %s | head -n 1", throng, s.url))
	first.wantLine("x")
	s.publish("n", "noticed at the next write")
	first.wantStatus(0)
}

func TestTools_TellByTheirExitStatus(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	nobody := "http://" + freeAddress(t)
	for _, c := range []struct {
		name   string
		stdin  string
		args   []string
		status int
		says   string
	}{
		{"published", "", []string{"publish", "--topic=a", s.url, "x"}, 0, ""},
		{"wildcard", "", []string{"publish", "--topic=a/+", s.url, "x"}, 1, "event 1"},
		{"reserved name", "", []string{"publish", "--topic=a", "--event=throng.gap", s.url, "x"}, 1, "event 1"},
		{"one of three lines", "{\"topic\":\"a\",\"data\":1}\n{\n{\"topic\":\"a\",\"data\":2}\n", []string{"publish", "--ndjson", s.url}, 1, "event 2"},
		{"nobody there", "", []string{"publish", "--topic=a", nobody, "x"}, 1, "refused"},
		{"no topic", "", []string{"publish", "x"}, 2, "--topic"},
		{"no such flag", "", []string{"publish", "--topik=a", "x"}, 2, "--topik"},
		{"subscribed", "", []string{"subscribe", "--topic=a", "--since=earliest", "--count=3", s.url}, 0, ""},
		{"bad pattern", "", []string{"subscribe", "--topic=a/#/b", s.url}, 1, "bad_topic"},
		{"bad ID", "", []string{"subscribe", "--topic=a", "--since=yesterday", s.url}, 1, "since"},
		{"no pattern", "", []string{"subscribe", s.url}, 2, "--topic"},
		{"no command", "", nil, 2, "throng"},
		{"version", "", []string{"version"}, 0, ""},
	} {
		// Not subtests: each finds what those before it published.
		p := run(t, c.stdin, c.args...)
		if p.status() != c.status || !strings.Contains(p.complaints(), c.says) {
			t.Errorf("%s: %q ended with %d, want %d and a word about %q; it said:\n%s", c.name, c.args, p.status(), c.status, c.says, p.complaints())
		}
	}
}

// hold starts a program whose standard input stays open until the returned function is called.
func hold(t *testing.T, name string, args ...string) (p *program, write func(string), end func()) {
	t.Helper()
	var in io.WriteCloser
	p = start(t, func(c *exec.Cmd) {
		pipe, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		in = pipe
	}, name, args...)
	return p, func(s string) {
			if _, err := io.WriteString(in, s); err != nil {
				t.Fatal(err)
			}
		}, func() {
			in.Close()
		}
}

// A quiet feed: each line leaves at once, though the pipe stays open.
func TestPublish_SendsLineOfOpenPipeAtOnce(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.subscribe(1, "--topic=n")
	p, write, end := hold(t, throng, "publish", "--topic=n", s.url)
	for _, line := range numbers(0, 5) {
		write(line + "\n")
		c.wantLine(line)
	}
	end()
	p.wantStatus(0)
}
