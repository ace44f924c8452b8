package server

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

func TestTellShed_OnceAMinuteAndOnlyNews(t *testing.T) {
	o := Defaults()
	o.Listen, o.Admin, o.ConnectionsMax = "127.0.0.1:0", "", 100
	var log bytes.Buffer
	s, err := New(o, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.release()
	said := func(at time.Duration) string {
		log.Reset()
		s.tellShed(time.Unix(1000, 0).Add(at))
		return log.String()
	}
	if line := said(0); line != "" {
		t.Errorf("nothing was shed: %s", line)
	}
	s.table.Shed[shedConnections].Add(3)
	if line := said(time.Second); !strings.Contains(line, "over_connections_max=3") || !strings.Contains(line, "--connections-max") {
		t.Errorf("3 over the limit: %q", line)
	}
	s.table.Shed[shedConnections].Inc()
	if line := said(2 * time.Second); line != "" {
		t.Errorf("again within the minute: %s", line)
	}
	if line := said(time.Minute + time.Second); !strings.Contains(line, "over_connections_max=1") {
		t.Errorf("one more, a minute later: %q", line)
	}
	if line := said(time.Hour); line != "" {
		t.Errorf("no news: %s", line)
	}
}

// The few answers that are made for a second say all the seconds there are to say, every time.
func TestPrebuilt_SpreadsOverAllSeconds(t *testing.T) {
	r := connectionLimit.because("")
	for range 1000 {
		said := map[uint64]bool{}
		var p prebuilt
		p.make(func(random uint32) []byte {
			said[r.retryAfter(random)] = true
			return nil
		})
		for s := r.retryAfter(0); s <= r.retryAfter(math.MaxUint32); s++ {
			if !said[s] {
				t.Fatalf("nobody is told to come back after %d s, only after %v", s, said)
			}
		}
	}
}
