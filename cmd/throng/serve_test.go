package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// served is a running "throng serve" on ports of its own.
type served struct {
	*exec.Cmd
	t    *testing.T
	logs chan map[string]any // its log, line by line; closed at its end
	url  string
}

// startServer waits until the server says where it listens.
func startServer(t *testing.T, env []string, args ...string) *served {
	t.Helper()
	c := command(t, env, append([]string{"serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--log-format=json",
		"--cpu-target=0", "--delay-target=0"}, args...)...) // the machine may have other things to do
	r, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := &served{Cmd: c, t: t, logs: make(chan map[string]any, 256)}
	go s.readLog(r)
	s.url = "http://" + s.await("serving")["public"].(string)
	return s
}

func (s *served) readLog(r io.Reader) {
	defer close(s.logs)
	for in := bufio.NewScanner(r); in.Scan(); {
		line := map[string]any{}
		if json.Unmarshal(in.Bytes(), &line) != nil {
			line["msg"] = in.Text()
		}
		s.logs <- line
	}
}

// await gives the next log line with that message.
func (s *served) await(msg string) map[string]any {
	s.t.Helper()
	var seen []string
	for line := range s.logs {
		if line["msg"] == msg {
			return line
		}
		seen = append(seen, line["msg"].(string))
	}
	s.t.Fatalf("the server's log ended without %q; it said %q", msg, seen)
	return nil
}

func (s *served) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// wantDone waits for the end, which must be a good one.
func (s *served) wantDone() {
	s.t.Helper()
	for range s.logs { // Wait closes the pipe under whoever still reads
	}
	if err := s.Wait(); err != nil {
		s.t.Errorf("the server's end: %v", err)
	}
}

// subscribe opens a stream and keeps it; the answer's head has been received.
func (s *served) subscribe(topic string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+"/events?topic="+topic, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("subscribe: %s", resp.Status)
	}
	return resp
}

func TestServe_DrainsOnSIGTERM(t *testing.T) {
	s := startServer(t, nil, "--drain=50ms")
	stream := s.subscribe("news")
	s.signal(syscall.SIGTERM)
	s.await("draining")
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream did not end as it should: %v", err)
	}
	s.await("stopped")
	s.wantDone()
}

// The drain would take an hour; the second signal must not wait for it.
func TestServe_StopsAtOnceOnSecondSignal(t *testing.T) {
	s := startServer(t, nil, "--drain=1h")
	s.subscribe("news")
	s.signal(syscall.SIGINT)
	s.await("draining")
	s.signal(syscall.SIGTERM)
	s.await("stopping at once")
	s.await("stopped")
	s.wantDone()
}

func TestServe_ReloadsLogLevelOnSIGHUP(t *testing.T) {
	file := writeFile(t, "log-level: info\n")
	s := startServer(t, nil, "--drain=0s", "--config", file)
	rewrite := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.signal(syscall.SIGHUP)
	}
	rewrite("log-level: debug\nheartbeat: 7s\n")
	line := s.await("the log level was read again")
	if line["level"] != "DEBUG" || len(line["needs_restart"].([]any)) != 1 || line["needs_restart"].([]any)[0] != "heartbeat" {
		t.Errorf("the log says %v", line)
	}
	rewrite("log-level: deafening\n")
	if line := s.await("the configuration is refused; nothing was changed"); !strings.Contains(line["error"].(string), "deafening") {
		t.Errorf("the log says %v", line)
	}
	s.signal(syscall.SIGTERM)
	s.wantDone()
}

func TestServe_FailsOnTakenAddress(t *testing.T) {
	s := startServer(t, nil, "--drain=0s")
	taken := strings.TrimPrefix(s.url, "http://")
	r := run(t, nil, "", "serve", "--admin=", "--listen="+taken)
	if r.status != exitFailed || !strings.Contains(r.stderr, "address already in use") {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
	s.signal(syscall.SIGTERM)
	s.wantDone()
}

func TestServe_RefusesImpossibleOptions(t *testing.T) {
	wantRefused(t, run(t, nil, "", "serve", "--ring-events=3"), "--ring-events=3 is refused; accepted: a power of two")
	wantRefused(t, run(t, []string{"THRONG_LSITEN=:80"}, "", "serve"), "the variable THRONG_LSITEN is unknown; the nearest is THRONG_LISTEN")
}
