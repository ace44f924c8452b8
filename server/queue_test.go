package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// startStalled runs a server whose loops do nothing until they are turned.
func startStalled(t *testing.T, set func(*server.Options)) *node {
	t.Helper()
	s, err := server.New(options(set), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Server: s, t: t}
	s.ServeStalled()
	t.Cleanup(n.end)
	return n
}

// fill takes the room that a namespace has.
func (n *node) fill(ns string, events int) {
	n.t.Helper()
	for i := range events {
		n.publish("topic=fill&ns="+ns, fmt.Sprint(i))
	}
}

// eachStore runs a test on those stores that give the ring its events themselves.
func eachStore(t *testing.T, run func(*testing.T, string)) {
	unless(t, "redis", "the tail waits for room there, not the publisher")
	t.Run("memory", func(t *testing.T) { run(t, "memory") })
	t.Run("disk", func(t *testing.T) { run(t, "disk:"+t.TempDir()) })
}

// What publishers are told while the ring has no room, by the policy of their namespace, on
// connections that live on.
func TestQueue_PublishersAreTold(t *testing.T) {
	eachStore(t, func(t *testing.T, store string) {
		n := startStalled(t, func(o *server.Options) {
			o.Store, o.RingEvents, o.NamespaceRingShare, o.PublishTimeout = store, 64, 4, 400*time.Millisecond
			o.QueueFill, o.QueueLag = 100, time.Hour // the breaker is not what this is about
			o.QueuePolicies = []string{"r=refuse", "s=shed", "c=conflate"}
		})
		for _, ns := range []string{"b", "r", "s", "c"} {
			n.fill(ns, 4)
		}
		w := n.dial()
		told := func(query string, status int, code string) {
			t.Helper()
			w.send(post(query, "x"))
			a := w.answer("POST")
			a.refused(t, status, code)
			if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); status != 409 && (err != nil || seconds < 1) {
				t.Errorf("%s: Retry-After is %q", code, a.Header.Get("Retry-After"))
			}
		}
		begun := time.Now()
		told("topic=a&ns=b&priority=high", 503, "overloaded")
		if took := time.Since(begun); took < 400*time.Millisecond {
			t.Errorf("it waited for %v only", took)
		}
		told("topic=a&ns=r", 429, "queue_full")
		told("topic=a&ns=s&priority=low", 503, "shed")
		w.send(post("topic=a&priority=urgent", "x"))
		if p := w.answer("POST").refused(t, 400, "bad_request"); !strings.Contains(p.Detail, "low, normal or high") {
			t.Errorf("detail %q", p.Detail)
		}
		newer, full := n.dial(), n.scrape()["throng_ring_full_total"]
		w.send(post("topic=a&topic=b&ns=c", "old"))
		until(t, "the older one waits", func() bool { return n.scrape()["throng_ring_full_total"] > full })
		newer.send(post("topic=b&topic=a&ns=c", "new"))
		w.answer("POST").refused(t, 409, "conflated")
		n.TurnLoops()
		idOf(t, newer.answer("POST"))
		n.Unstall()
		w.send(post("topic=a&ns=b", "y"))
		idOf(t, w.answer("POST"))
		v := n.scrape()
		for reason, want := range map[string]float64{"queue_timeout": 1, "queue_refused": 1, "queue_shed": 1, "queue_conflated": 1} {
			if got := v[`throng_shed_total{reason="`+reason+`"}`]; got != want {
				t.Errorf("%s counts %v, want %v", reason, got, want)
			}
		}
		s := n.subscribe("topic=a&topic=b&ns=c&since=earliest")
		s.takes("new")
		s.Close()
	})
}

// However loops and committers wait, a publish without room goes on when there is some.
func TestQueue_WaitsByEveryStrategy(t *testing.T) {
	unless(t, "redis", "the tail waits for room there, not the publisher")
	for _, wait := range []string{"block", "yield", "sleep", "spin"} {
		n := startStalled(t, func(o *server.Options) {
			o.Wait, o.RingEvents, o.NamespaceRingShare, o.QueueLag = wait, 64, 4, time.Hour
		})
		n.fill("default", 4)
		w := n.dial()
		w.send(post("topic=a", "x"))
		until(t, "it waits", func() bool { return n.scrape()["throng_ring_full_total"] == 1 })
		n.TurnLoops()
		idOf(t, w.answer("POST"))
		w.send(post("topic=a", "y"))
		idOf(t, w.answer("POST"))
	}
}

// A batch is judged line by line, and its answer says so in order.
func TestQueue_BatchOfMixedPriorities(t *testing.T) {
	eachStore(t, func(t *testing.T, store string) {
		n := startStalled(t, func(o *server.Options) {
			o.Store, o.RingEvents, o.NamespaceRingShare, o.QueuePolicy = store, 64, 4, "shed"
		})
		n.fill("default", 4)
		w := n.dial()
		body := `{"topic":"a","data":1,"priority":"low"}` + "\n" + `{"topic":"a","data":2}` + "\n" + `{"topic":"a","data":3,"priority":"none"}` + "\n" +
			`{"topic":"a","data":4,"priority":"high"}` + "\n" + `{"topic":"a","data":5,"priority":"low","key":"k"}`
		w.send(post("", body, "Content-Type: application/x-ndjson"))
		until(t, "the low ones are shed", func() bool { return n.scrape()[`throng_shed_total{reason="queue_shed"}`] == 2 })
		n.TurnLoops()
		n.Unstall()
		var codes []string
		for line := range strings.Lines(w.answer("POST").body) {
			var v struct {
				ID    string
				Error struct{ Code string }
			}
			if err := json.Unmarshal([]byte(line), &v); err != nil || (v.ID == "") == (v.Error.Code == "") {
				t.Fatalf("%v: %s", err, line)
			}
			codes = append(codes, v.Error.Code)
		}
		same(t, "the batch", codes, []string{"shed", "", "bad_line", "", "shed"})
		s := n.subscribe("topic=a&since=earliest")
		s.takes("2", "4")
		s.Close()
	})
}

// While a loop is too far behind, the breaker is open: the node is not ready, publishers are
// told after the short wait, and it says so. When the loop has caught up, all is as before.
func TestQueue_BreakerOpensAndCloses(t *testing.T) {
	unless(t, "redis", "the tail waits for room there, not the publisher")
	n := startStalled(t, func(o *server.Options) {
		o.RingEvents, o.NamespaceRingShare, o.QueueRefusals = 64, 2, 3
		o.QueuePolicies = []string{"r=refuse"}
		o.QueueOpen, o.QueueWait = 500*time.Millisecond, 50*time.Millisecond
	})
	n.fill("r", 2)
	w := n.dial()
	until(t, "refusals open it", func() bool {
		w.send(post("topic=a&ns=r", "x"))
		w.answer("POST").refused(t, 429, "queue_full")
		return n.scrape()[`throng_breaker_state{layer="queue"}`] == 2
	})
	w.send(post("ns=r", `{"topic":"a","data":1}`+"\n", "Content-Type: application/x-ndjson"))
	var line struct {
		Error struct {
			Code       string
			RetryAfter int `json:"retry_after"`
		}
	}
	if a := w.answer("POST"); a.StatusCode != 200 || json.Unmarshal([]byte(a.body), &line) != nil || line.Error.Code != "queue_full" || line.Error.RetryAfter < 1 || line.Error.RetryAfter > 2 {
		t.Errorf("a batch is answered %q", a.body)
	}
	w.send(get("/readyz"))
	if a := w.answer("GET"); a.StatusCode != 503 || !strings.Contains(a.body, `"overloaded"`) {
		t.Errorf("ready: %s %s", a.Status, a.body)
	}
	n.publish("topic=a&ns=other", "0") // it has nothing on its way
	w.send(post("topic=a&ns=other", "1"))
	w.answer("POST").refused(t, 503, "overloaded")
	n.Unstall()
	until(t, "probes close it", func() bool {
		w.send(post("topic=a&ns=other", "x"))
		_ = w.answer("POST")
		return n.scrape()[`throng_breaker_state{layer="queue"}`] == 0
	})
	if n.scrape()[`throng_breaker_transitions_total{layer="queue",to="open"}`] < 1 {
		t.Error("the transition is not counted")
	}
	w.send(post("topic=a&ns=r", "x"))
	idOf(t, w.answer("POST"))
}

// What the load does not let in is answered at once, on a connection that stays.
func TestQueue_LoadLimitsPublishes(t *testing.T) {
	n := startStalled(t, func(o *server.Options) { o.PublishRateMin = 1 })
	n.Unstall()
	w := n.dial()
	n.LoadPublishes(100)
	time.Sleep(10 * time.Millisecond) // a tick looks at the time since the last one
	n.LoadPublishes(100)
	until(t, "a publish is refused", func() bool {
		w.send(post("topic=a", "x"))
		a := w.answer("POST")
		if a.StatusCode == 200 {
			return false
		}
		a.refused(t, 503, "overloaded")
		seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
		return err == nil && seconds >= 1 && seconds <= 15
	})
	w.alive()
	if n.scrape()[`throng_shed_total{reason="publish_rate"}`] < 1 {
		t.Error("it is not counted")
	}
}
