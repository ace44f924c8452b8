package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func smallResume(server []string, topics int) Options {
	o := small(server)
	o.Streams, o.Events, o.Topics, o.Lines = 300, 20, topics, 700 // batches end inside a turn of the topics
	return o
}

// needed installs a tool, or skips the test where that can't be done and nobody counts on
// it.
func needed(t *testing.T, tool string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../scripts/need", tool).CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("scripts/need %s: %v\n%s", tool, err, out)
	default:
		t.Skipf("scripts/need %s: %v\n%s", tool, err, out)
	}
}

func TestResume_SmallInBothModesOnEveryStore(t *testing.T) {
	t.Parallel()
	ours, err := BuildServer(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		server []string
		store  string
		topics int
		log    float64 // events in it
	}{
		{ours, storeMemory, 1, 20},
		{ours, storeMemory, 7, 140},
		{ours, storeMemory, topicsOwn, 6000},
		{ours, storeDisk, 1, 20},
		{ours, storeDisk, topicsOwn, 6000},
		{ours, storeRedis, 1, 20},
		{ours, storeRedis, topicsOwn, 6000},
		{peerWithHistory(), storeMemory, 1, 20},
		{peerWithHistory(), storeMemory, topicsOwn, 6000},
	} {
		t.Run(fmt.Sprintf("%s, %s, %d topics", filepath.Base(c.server[0]), c.store, c.topics), func(t *testing.T) {
			if c.store == storeRedis {
				needed(t, "redis-server")
			}
			o := smallResume(c.server, c.topics)
			o.Store = c.store
			if c.log > 1000 {
				o.Pairs = 1
			}
			r := runs(t, resume, o)
			for name, want := range map[string]string{
				"events delivered live":                    "6000",
				"events delivered again, each once":        "6000",
				"events delivered again and then one live": "6300",
			} {
				if got := checked(t, r, name); got != want {
					t.Errorf("%s: %s, want %s", name, got, want)
				}
			}
			if got, _, _ := r.Value("events in the log that were missed"); got != c.log {
				t.Errorf("a log of %v events, want %v", got, c.log)
			}
			if _, _, known := r.Value("CPU of redis-server a resumed event, median"); known != (c.store == storeRedis) {
				t.Errorf("the processor time of Redis is told: %v", known)
			}
			for _, key := range []string{"time until the last event is delivered, resume over live", "VmRSS while they resume, greatest"} {
				if value, _, known := r.Value(key); !known || value <= 0 {
					t.Errorf("%s: %v, %v", key, value, known)
				}
			}
		})
	}
}

// An event that is left out, one that comes twice, two that come in the wrong order, one
// that does not come live after them, one that is not in the log, and a log that is too
// short.
func TestResume_WrongEventIsFound(t *testing.T) {
	t.Parallel()
	few := func(server []string, topics int) Options {
		o := smallResume(server, topics)
		o.Streams = 20
		return o
	}
	for _, topics := range []int{1, topicsOwn} {
		name := fmt.Sprint(topics, " topics, ")
		t.Run(name+"honest", func(t *testing.T) {
			t.Parallel()
			runs(t, resume, few(fibberServer("never"), topics))
		})
		for _, how := range []string{"forget", "again", "swap", "numb", "lost"} {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				found(t, resume, few(fibberServer(how), topics))
			})
		}
		t.Run(name+"short log", func(t *testing.T) {
			t.Parallel()
			found(t, resume, few([]string{built.peer[0], "--history", "19", listenWord}, topics))
		})
	}
}

// feedsOf is what a feed makes of the bodies that it sends, line by line.
func feedsOf(f *feed, seq uint64, from, lines int) string {
	f.busy = false
	if err := f.send(seq, from, lines, 5); err != nil {
		return err.Error()
	}
	return string(f.body)
}

func TestFeed_Lines(t *testing.T) {
	t.Parallel()
	w, err := newSwarm(time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	server, err := startTarget(t.Context(), "peer", built.peer, Wire{}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()
	f, err := newFeed(w, server, Options{Topics: 11, Events: 3, Lines: 8, PayloadBytes: 60})
	if err != nil {
		t.Fatal(err)
	}
	want := func(from, lines int) string {
		var b strings.Builder
		for i := from; i < from+lines; i++ {
			data := appendPayload(nil, payload{uint64(i % 11), 41 + uint64(i/11), 5}, 60)
			fmt.Fprintf(&b, "{\"topic\":\"resume/%07d\",\"data\":\"%s\"}\n", i%11, data)
		}
		return b.String()
	}
	for _, c := range []struct{ from, lines int }{{0, 8}, {8, 8}, {16, 3}, {32, 1}, {5, 8}} {
		got := feedsOf(f, 40, c.from, c.lines)
		if got != want(c.from, c.lines) {
			t.Errorf("%+v:\n%s\nwant\n%s", c, got, want(c.from, c.lines))
		}
		if !strings.HasSuffix(f.head, fmt.Sprintf("Content-Length: %d\r\n\r\n", len(got))) {
			t.Errorf("%+v: %q for %d bytes", c, f.head, len(got))
		}
	}
	if err := f.send(0, 0, 1, 0); err == nil {
		t.Error("a second batch was sent before the answer to the first")
	}
}

func TestResume_StoresAndTheirServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ store, argv, want string }{
		{storeDisk, "other {listen}", "for a server of ours"},
		{storeRedis, "other {listen}", "for a server of ours"},
		{"floppy", "throng serve", "--store floppy is not for resume"},
	} {
		r := &run{ctx: t.Context(), o: Options{Store: c.store, Server: strings.Fields(c.argv)}}
		if _, err := r.startStore(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	r := &run{ctx: t.Context(), o: Options{Store: storeDisk, Server: []string{"throng", "serve"}}}
	if _, err := r.startStore(); err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimPrefix(r.o.Server[len(r.o.Server)-1], "disk:")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || r.o.Server[2] != "--store" {
		t.Errorf("%q: %v", r.o.Server, err)
	}
	if err := r.tidyUp(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

func TestResume_LogHasRoomForARound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topics int
		want   string
	}{
		{1, ""},
		{15000, "--retain-events 1530000 --retain-bytes 1012860000 --retain-total-bytes 2025720000"},
	} {
		r := &run{o: Options{Topics: c.topics, Events: 100, PayloadBytes: 150, Server: []string{"throng", "serve"}}}
		r.keepRound()
		if got := strings.Join(r.o.Server[2:], " "); got != c.want {
			t.Errorf("%d topics: %q, want %q", c.topics, got, c.want)
		}
	}
}

func TestResume_ReadsAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		streams, topics int
		reads           float64
		figure, checked bool
		ok              bool
	}{
		{15000, 1, 0, false, false, true},
		{15000, 1, 15000, true, true, true}, // 1 %
		{15000, 1, 15001, true, true, false},
		{15000, 15000, 4.5e6, true, false, true},
		{300, 1, 200, true, false, true},
	} {
		b := &resumeRun{run: &run{o: Options{Streams: c.streams, Topics: c.topics, Events: 100}}, reads: []resumeReads{{c.reads, 3, 2}}}
		b.tellReads()
		times, _, known := b.report.Value("times the log was read, greatest")
		if known != c.figure || known && times != c.reads/float64(100*c.topics) {
			t.Errorf("%+v: %v, %v", c, times, known)
		}
		checks := b.report.Checks
		if len(checks) > 0 != c.checked || c.ok == slices.ContainsFunc(checks, func(k Check) bool { return !k.OK }) {
			t.Errorf("%+v: %+v", c, checks)
		}
	}
}

func TestSettings_TopicsInWords(t *testing.T) {
	row := settings[slices.IndexFunc(settings, func(s Setting) bool { return s.Name == "topics" })]
	for text, want := range map[string]int{"one": 1, "own": topicsOwn, "16": 16} {
		var o Options
		if err := row.Set(&o, text); err != nil || o.Topics != want {
			t.Errorf("%s: %d, %v", text, o.Topics, err)
		}
	}
	own := Options{Topics: topicsOwn}
	if row.text(own) != "own" || own.Check(resume) != nil {
		t.Errorf("%q, %v", row.text(own), own.Check(resume))
	}
	if err := own.Check(storm); err == nil || !strings.Contains(err.Error(), "--topics own is for resume") {
		t.Error(err)
	}
	if err := row.Set(&own, "-1"); err == nil {
		t.Error("-1 topics are accepted")
	}
}
