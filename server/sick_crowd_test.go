package server_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/redisproc"
	"throng/server"
)

// A crowd meets a Redis that has stopped, without any breaker having noticed: everybody is
// answered within a few time-outs of Redis, one after the other on one namespace too, and
// nobody leaves a goroutine behind.
func TestSick_StoppedRedisHoldsNobodyForLong(t *testing.T) {
	r := startRedis(t)
	n := share(t, r, func(o *server.Options) {
		o.RedisTimeout = 250 * time.Millisecond
		o.ProbeInterval, o.RecentBytesMax = time.Hour, 1<<20
	})
	const namespaces, publishers = 40, 8
	var crowd []*wire
	for i := range namespaces * publishers {
		w := n.dial()
		w.send(post(fmt.Sprint("topic=a&ns=n", i%namespaces), "before"))
		w.answer("POST")
		crowd = append(crowd, w)
	}
	before := runtime.NumGoroutine()
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	var waiting sync.WaitGroup
	for i, w := range crowd {
		method, request := "POST", post(fmt.Sprint("topic=a&ns=n", i%namespaces), "lost")
		if i%publishers == 0 { // a stream of a namespace that is not followed yet
			method, request = "GET", get(fmt.Sprint("/events?topic=a&ns=n", i%namespaces))
		}
		waiting.Go(func() {
			w.send(request)
			if a, err := w.tryAnswer(method); err != nil || a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %v %v %s", method, a.Response, err, a.body)
			}
		})
	}
	most := 0
	done := make(chan struct{})
	go func() { waiting.Wait(); close(done) }()
	for open := true; open; {
		most = max(most, runtime.NumGoroutine())
		select {
		case <-done:
			open = false
		case <-time.After(5 * time.Millisecond):
		}
	}
	took := time.Since(begun)
	t.Logf("%d requests were refused within %v; %d goroutines before, %d at most, %d of them the test's", len(crowd), took, before, most, len(crowd))
	if took > patience {
		t.Errorf("the last one was refused after %v", took)
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, w := range crowd {
		_ = w.Close()
	}
	until(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+10 })
}

// Streams that come back after an outage for what is not in memory read Redis a handful of
// times, not once each, and the breaker does not hold them up for longer than its ramp.
func TestSick_NoStampedeOfReadersAfterwards(t *testing.T) {
	r := startRedis(t)
	n := share(t, r, func(o *server.Options) {
		sickTimes(o)
		o.RecentBytesMax = 16 << 10
	})
	first := n.subscribe("topic=a") // the namespace is followed
	since := n.publish("topic=a", "0")
	const events, readers = 400, 200
	for i := 1; i < events; i++ {
		n.publish("topic=a", fmt.Sprint(i, strings.Repeat(" ", 200)))
	}
	first.Close()
	w := n.dial()
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	until(t, "Redis is isolated", func() bool {
		w.send(get("/readyz"))
		return strings.Contains(w.answer("GET").body, "source_isolated")
	})
	w.Close()
	var all []*stream
	for range readers {
		all = append(all, n.subscribe("topic=a&since="+since))
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	before := calls(t, r, "xrange")
	for _, s := range all {
		s.extend()
		for i := 1; i < events; i++ {
			if e := s.next(); !strings.HasPrefix(e.data, strconv.Itoa(i)) {
				t.Fatalf("event %d is %+v", i, e)
			}
		}
		s.Close()
	}
	reads := calls(t, r, "xrange") - before
	t.Logf("%d streams had their %d events %v after Redis was back, by %d reads", readers, events, time.Since(begun), reads)
	if reads > readers/4 {
		t.Errorf("%d streams took %d reads", readers, reads)
	}
}

// calls is how often Redis was given a command.
func calls(t *testing.T, r *redisproc.Server, command string) int {
	t.Helper()
	info, err := r.Do(t.Context(), "INFO", "commandstats")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(info, "cmdstat_"+command+":calls=")
	text, _, _ := strings.Cut(after, ",")
	n, _ := strconv.Atoi(text)
	return n
}

// With --breakers=off nothing is probed, shown or held back, and Redis comes and goes as the
// store alone sees it.
func TestSick_BreakersOff(t *testing.T) {
	r := startRedis(t)
	n := share(t, r, func(o *server.Options) {
		sickTimes(o)
		o.Breakers = "off"
	})
	s := n.subscribe("topic=a")
	for _, b := range n.Breakers().Breakers {
		if b.Layer == "source" {
			t.Errorf("there is a channel: %+v", b)
		}
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	w := n.dial()
	for range 20 {
		w.send(post("topic=a", "lost"))
		if a := w.answer("POST"); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "isolated") {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
	}
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "publishes are taken", func() bool {
		w.send(post("topic=a", "after"))
		return w.answer("POST").StatusCode == 200
	})
	for i := range 20 { // no ramp
		w.send(post("topic=a", fmt.Sprint(i)))
		if a := w.answer("POST"); a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
	}
	w.Close()
	s.takes("after", "0", "1")
	s.Close()
}
