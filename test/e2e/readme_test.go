package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tour gives the commands of README.md's tour: the lines of the code block that begins
// with curl.
func tour(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```sh\ncurl ")
	block, _, closed := strings.Cut("curl "+block, "\n```")
	commands := strings.Split(block, "\n")
	if !found || !closed || len(commands) != 5 {
		t.Fatalf("README.md has no tour of five commands that begins with curl; this was found: %q", commands)
	}
	return commands
}

// shell starts a command line as a reader of the tour would; the server's addresses and
// an ID take the place of those in the text.
func shell(t *testing.T, s *server, id, command string) *program {
	t.Helper()
	command = strings.NewReplacer("127.0.0.1:8080", s.public, "127.0.0.1:8081", s.admin, "<id>", id).Replace(command)
	return start(t, nil, "bash", "-c", command)
}

// The tour in README.md is run line by line, as it is written there. What a command is
// can be read off it, and so what must come of it.
func TestREADME_TourWorksAsWritten(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := startServer(t)
	var streams []*program // all that listen by now
	var ids []string       // of what was published
	publish := func(command string) {
		p := shell(t, s, "", command)
		p.wantStatus(0)
		ids = append(ids, publishedID(t, p))
		for _, stream := range streams {
			stream.wantLine("id: " + ids[len(ids)-1])
			stream.wantLine("event: headline")
			stream.wantLine("data: Hello, all")
		}
	}
	for _, command := range tour(t) {
		t.Log(command)
		switch {
		case strings.Contains(command, "/publish?"):
			publish(command)
			publish(command) // so that something follows the first
		case strings.Contains(command, "/events?"):
			stream := shell(t, s, first(ids), command)
			stream.wantLine("retry: ")
			streams = append(streams, stream)
			s.awaitStreams(len(streams))
			want := []string(nil)
			if strings.Contains(command, "since=earliest") {
				want = ids
			} else if strings.Contains(command, "<id>") {
				want = ids[1:]
			}
			for range want {
				stream.wantLine("data: Hello, all")
			}
			if got := idsOfData(stream.out.all()); !slices.Equal(got, want) {
				t.Errorf("%s\ngave the events %q, want %q", command, got, want)
			}
		case strings.Contains(command, "/poll?"):
			poll := shell(t, s, "", command)
			poll.wantStatus(0)
			poll.wantLine(`"data":"Hello, all"`)
		case strings.Contains(command, "/metrics"):
			metrics := shell(t, s, "", command)
			metrics.wantStatus(0)
			metrics.wantLine(fmt.Sprintf(`throng_connections{kind="sse"} %d`, len(streams)))
		default:
			t.Errorf("it is not known what this command of the tour is to do: %s", command)
		}
	}
	if len(streams) == 0 || len(ids) == 0 {
		t.Errorf("the tour has %d streams and %d publishes", len(streams), len(ids))
	}
}

func first(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// publishedID reads {"id":"…"}.
func publishedID(t *testing.T, p *program) string {
	t.Helper()
	answer := strings.Join(p.out.all(), "\n")
	id, ok := strings.CutPrefix(answer, `{"id":"`)
	id, _, end := strings.Cut(id, `"}`)
	if !ok || !end {
		t.Fatalf("the answer to a publish is %q", answer)
	}
	return id
}

// idsOfData gives the IDs of those blocks of a stream that have data.
func idsOfData(stream []string) (ids []string) {
	id := ""
	for _, line := range stream {
		if v, ok := strings.CutPrefix(line, "id: "); ok {
			id = v
		}
		if strings.HasPrefix(line, "data: ") {
			ids = append(ids, id)
		}
	}
	return ids
}

// curl starts curl as a subscriber.
func curl(t *testing.T, args ...string) *program {
	t.Helper()
	return start(t, func(c *exec.Cmd) { c.Args = append(c.Args, args...) }, "curl", "-sSN")
}
