package e2e

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const manyStreams = 200

// openStreams opens many streams, waits until each has its head, and gives their bodies.
func (s *server) openStreams() (bodies []io.ReadCloser) {
	s.t.Helper()
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	for range manyStreams {
		resp, err := (&http.Client{Transport: transport}).Get(s.url + "/events?topic=n")
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { resp.Body.Close() })
		bodies = append(bodies, resp.Body)
	}
	s.awaitStreams(manyStreams)
	return bodies
}

// wantEnds reads every stream to its end, which must be a proper one, with the event.
func wantEnds(t *testing.T, bodies []io.ReadCloser, event string) {
	t.Helper()
	for n, b := range bodies {
		text, err := io.ReadAll(b)
		if err != nil || strings.Count(string(text), "data: "+event+"\n\n") != 1 {
			t.Errorf("stream %d ended with %v; it had %q", n, err, text)
		}
	}
}

// A drain that takes longer than --drain makes the server end with status 1.
func TestServe_DrainsManyStreamsOnSIGTERM(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--drain=2s")
	bodies := s.openStreams()
	s.publish("n", "last words")
	s.signal(syscall.SIGTERM)
	wantEnds(t, bodies, "last words")
	s.wantStatus(0)
	s.wantOn(s.err, "msg=stopped")
}

// The drain would take an hour; the second signal ends it. What was published before is
// delivered all the same.
func TestServe_StopsAtOnceOnSecondSIGTERM(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--drain=1h")
	bodies := s.openStreams()
	s.publish("n", "last words")
	s.signal(syscall.SIGTERM)
	s.wantOn(s.err, "msg=draining")
	s.signal(syscall.SIGTERM)
	wantEnds(t, bodies, "last words")
	s.wantStatus(0)
	s.wantOn(s.err, "stopping at once")
}

func TestServe_IsNotReadyWhileDraining(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--drain=1h")
	s.openStreams()
	s.signal(syscall.SIGTERM)
	s.wantOn(s.err, "msg=draining")
	resp, err := http.Get("http://" + s.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "draining") {
		t.Errorf("a draining server says of its readiness: %s %s (%v)", resp.Status, text, err)
	}
	s.signal(syscall.SIGTERM)
	s.wantStatus(0)
}

func TestServe_FailsOnTakenPorts(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, args := range [][]string{
		{"serve", "--listen=" + s.public, "--admin="},
		{"serve", "--listen=127.0.0.1:0", "--admin=" + s.admin},
	} {
		second := run(t, "", args...)
		second.wantStatus(1)
		if said := second.complaints(); !strings.Contains(said, "address already in use") || !strings.Contains(said, "127.0.0.1:") {
			t.Errorf("%q does not tell why it failed:\n%s", args, said)
		}
	}
	s.publish("n", "the first one is unharmed")
}
