package bench

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"throng/bench/internal/sock"
)

func TestWorkers_EveryScenarioThatSpreads(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		if !s.spreads {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			o := small(peerWithHistory())
			o.Workers = 3 // 50 streams: not the same number in each
			r := runs(t, s, o)
			if r.Options.Workers != 3 {
				t.Errorf("%d workers", r.Options.Workers)
			}
			for _, l := range r.Latencies {
				// A clock that is not the parent's gives values at an end of the range.
				if byWorker := strings.Contains(l.Name, "delivery") || strings.Contains(l.Name, "live"); !byWorker {
					continue
				}
				if l.histogram.TotalCount() == 0 || l.histogram.Min() < 100 || l.histogram.Max() > int64(time.Minute) {
					t.Errorf("%s: %d values from %d to %d ns", l.Name, l.histogram.TotalCount(), l.histogram.Min(), l.histogram.Max())
				}
			}
		})
	}
}

func TestWorkers_FaultReachesTheReport(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"drop", "twice", "foreign"} {
		o := smallForeign(how)
		o.Streams, o.Pacing, o.Workers = 5, pacingBurst, 2
		r, err := fanout.Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "faults") || how != "drop" && !strings.Contains(err.Error(), "token 0000") {
			t.Errorf("%s: %v, %+v", how, err, r.Checks)
		}
	}
}

// recruited is a run with workers, and an audience of theirs that is attached.
func recruited(t *testing.T, o Options) (*run, *audience) {
	t.Helper()
	var log bytes.Buffer
	o.Log = &log
	r, err := begin(t.Context(), storm, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := r.end(nil); err != nil {
			t.Error(err)
		}
	})
	if err := r.recruit(storm); err != nil {
		t.Fatal(err)
	}
	server, err := r.server()
	if err != nil {
		t.Fatal(err)
	}
	a := r.spread(server, roster{NS: "default", Topic: "test/%d", Shared: 4})
	if err := a.grow(t.Context(), o.Streams); err != nil {
		t.Fatal(err, log.String())
	}
	return r, a
}

func TestWorkers_OneIsKilled(t *testing.T) {
	t.Parallel()
	o := small(peerWithHistory())
	o.Workers = 2
	r, a := recruited(t, o)
	if err := r.team.mates[1].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := r.delivered(a, 1); err == nil || !strings.Contains(err.Error(), "worker 1") || !strings.Contains(err.Error(), "killed") {
		t.Errorf("waiting for events: %v", err)
	}
	if err := a.collect(t.Context()); err == nil {
		t.Error("a dead worker has answered")
	}
	if took := time.Since(start); took > deliveryLimit/2 {
		t.Errorf("it was noticed after %v", took)
	}
}

func TestWorkers_ThatCanNotOpen(t *testing.T) {
	t.Parallel()
	o := small(peerWithHistory())
	o.Workers = 2
	r, a := recruited(t, o)
	if err := r.targets[0].stop(); err != nil {
		t.Fatal(err)
	}
	if err := a.grow(t.Context(), o.Streams+10); err == nil {
		t.Error("streams attach to a server that is gone")
	}
}

func TestWorkers_CountsAreOfAll(t *testing.T) {
	t.Parallel()
	o := small(peerWithHistory())
	o.Workers, o.Streams = 3, 10
	r, a := recruited(t, o)
	p, err := newPublisher(r.w, a.target)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.publish(t.Context(), a.roster.event(2, 1, r.w.now(), 100)); err != nil {
		t.Fatal(err)
	}
	if err := r.delivered(a, 2); err != nil { // streams 2 and 6
		t.Fatal(err)
	}
	for want, last := range map[int64]map[uint64]uint64{0: {2: 1}, 2: {}, 5: {2: 1, 3: 1, 1: 9}} {
		if behind, err := a.behind(t.Context(), last); behind != want || err != nil {
			t.Errorf("%v: %d streams are behind, want %d; %v", last, behind, want, err)
		}
	}
	a.lag = newHistogram()
	for range 2 {
		if err := a.collect(t.Context()); err != nil || a.lag.TotalCount() != 2 {
			t.Errorf("%d latencies, %v", a.lag.TotalCount(), err)
		}
	}
	if a.attached != 10 || a.held() != 10 || a.bytes == 0 || len(a.streams) != 0 {
		t.Errorf("%d attached, %d held, %d bytes, %d here", a.attached, a.held(), a.bytes, len(a.streams))
	}
	if a.closeAll(); a.held() != 0 {
		t.Errorf("%d are held after their end", a.held())
	}
}

func TestWorkersFor_AsManyAsTheStreamsNeed(t *testing.T) {
	one := Scenario{Name: "one"}
	for _, c := range []struct {
		s                           Scenario
		streams, asked, files, want int
		refused                     string
	}{
		{storm, 15000, 0, 20000, 0, ""},
		{storm, 20000, 0, 20000, 2, ""},
		{storm, 1_000_000, 0, 20000, 51, ""},
		{storm, 1_000_000, 0, 2_000_000, 0, ""},
		{storm, 10, 4, 20000, 4, ""},
		{storm, 50000, 2, 20000, 0, "want 3 workers"},
		{one, 10, 1, 20000, 0, "takes no workers"},
		{one, 50000, 0, 20000, 0, ""},
	} {
		n, err := workersFor(c.s, c.streams, c.asked, c.files)
		if n != c.want || (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%+v: %d, %v", c, n, err)
		}
	}
}

func TestWorkerMain_OnlyForWorkers(t *testing.T) {
	for _, args := range [][]string{nil, {}, {"serve"}, {"x", workerWord}} {
		if _, worker := WorkerMain(args); worker {
			t.Errorf("%q is taken for a worker", args)
		}
	}
	for _, args := range [][]string{{workerWord}, {workerWord, "a", "b", "c", "d"}} {
		if status, worker := WorkerMain(args); !worker || status == 0 {
			t.Errorf("%q: status %d, %t", args, status, worker)
		}
	}
}

func TestWorkers_DoNotStartWorkers(t *testing.T) {
	t.Setenv(workerEnv, "1")
	o := small(peerWithHistory())
	o.Workers = 2
	if _, err := storm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "WorkerMain") {
		t.Error(err)
	}
}

func TestMessage_ForeignLines(t *testing.T) {
	for _, line := range []string{"hello\n", "{\"n\":-\n", "{\"n\":\"x\"}\n"} {
		if _, err := takeLines(nil, []byte(line), func(command) error { return nil }); err == nil {
			t.Errorf("%q is a command", line)
		}
	}
	var got []int
	in, err := takeLines([]byte(`{"n":`), []byte("1}\n{\"n\":2}\n{\"n"), func(c command) error {
		got = append(got, c.N)
		return nil
	})
	if string(in) != `{"n` || err != nil || len(got) != 2 || got[0] != 1 || got[1] != 2 {
		t.Errorf("%q, %v, %v", in, err, got)
	}
}

// A million streams have to fit into the memory of one client.
func TestStream_CostsLittleMemory(t *testing.T) {
	const streams, bytesMax = 2000, 400
	limit, err := sock.FilesMax()
	if err != nil || limit < 3*streams {
		t.Skipf("%d open files, %v", limit, err)
	}
	server, err := startTarget(t.Context(), "server", built.peer, Wire{}, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()
	w, _, _ := testSwarm(t)
	a := &audience{swarm: w, target: server, exact: true, roster: devices, stride: 1}
	if err := a.grow(context.Background(), streams); err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	if err := a.grow(context.Background(), 2*streams); err != nil {
		t.Fatal(err)
	}
	if each := (heap() - before) / streams; each > bytesMax {
		t.Errorf("%d bytes a stream, want at most %d", each, bytesMax)
	} else {
		t.Logf("%d bytes a stream", each)
	}
}
