package redisproc

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// need installs a server where that is possible, and skips where it is not; in CI it has to be.
func need(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("../../scripts/need", "redis-server").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("scripts/need redis-server: %v\n%s", err, out)
		}
		t.Skipf("no redis-server here: %s", out)
	}
}

func stop(t *testing.T, s interface{ Stop() error }) {
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func mustDo(t *testing.T, s *Server, args ...string) string {
	t.Helper()
	got, err := s.Do(t.Context(), args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return got
}

// TestServer_LivesThroughKillAndPause writes with an AOF, kills and finds it again; a
// paused server does not answer until it is resumed.
func TestServer_LivesThroughKillAndPause(t *testing.T) {
	need(t)
	s, err := Start(t.Context(), Options{Fsync: "always"})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	mustDo(t, s, "SET", "k", "v")
	first := s.PID
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(); err == nil {
		t.Error("paused what does not run")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustDo(t, s, "GET", "k"); got != "v" || s.PID == first {
		t.Errorf("after the restart: %q, process %d, was %d", got, s.PID, first)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil { // paused as it is
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is still there: %v", err)
	}
}

// TestServer_TLSAndUsers serves TLS only, and asks for a name.
func TestServer_TLSAndUsers(t *testing.T) {
	need(t)
	s, err := Start(t.Context(), Options{TLS: true, Users: []string{"default on nopass +ping", "u on >p ~* +@all"}})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	if got := mustDo(t, s, "PING"); got != "PONG" {
		t.Errorf("PING: %q", got)
	}
	if _, err := s.Do(t.Context(), "GET", "k"); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
		t.Errorf("GET by default: %v, want NOPERM", err)
	}
}

// TestServer_FailsToStart says why, with the server's own words.
func TestServer_FailsToStart(t *testing.T) {
	need(t)
	s, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	if _, err := Start(t.Context(), Options{Port: s.Port}); err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("a port in use: %v", err)
	}
	if _, err := Start(t.Context(), Options{Program: "no-such-server"}); err == nil || !strings.Contains(err.Error(), "scripts/need") {
		t.Errorf("no program: %v", err)
	}
}

// TestReplicated_FailsOver kills the master: the Sentinel promotes the replica.
func TestReplicated_FailsOver(t *testing.T) {
	need(t)
	r, err := StartReplicated(t.Context(), Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, r)
	mustDo(t, r.Master, "SET", "k", "v")
	if err := r.WaitSynced(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Replica.WaitPromoted(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustDo(t, r.Replica, "GET", "k"); got != "v" {
		t.Errorf("after the failover: %q", got)
	}
}

// TestCluster_SharesSlots finds the master of a key.
func TestCluster_SharesSlots(t *testing.T) {
	need(t)
	c, err := StartCluster(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, c)
	for _, key := range []string{"throng:{a}", "throng:{b}", "throng:{c}"} {
		s, err := c.Of(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		mustDo(t, s, "SET", key, "v") // another master would answer MOVED
	}
}
