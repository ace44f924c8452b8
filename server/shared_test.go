package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"throng/internal/redisproc"
	"throng/server"
)

// startRedis runs a Redis of the test's own.
func startRedis(t *testing.T) *redisproc.Server {
	t.Helper()
	r, err := redisproc.Start(context.Background(), redisproc.Options{Fsync: "always"})
	if err != nil {
		if os.Getenv("CI") == "" && strings.Contains(err.Error(), "scripts/need") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// share starts a node on a Redis.
func share(t *testing.T, r *redisproc.Server, set func(*server.Options)) *node {
	return start(t, func(o *server.Options) {
		o.Store = "redis://" + r.Addr
		if set != nil {
			set(o)
		}
	})
}

// Nodes on one Redis deliver one order, other programs' events too, and a client may go on
// at any of them.
func TestShared_ClientMovesBetweenNodes(t *testing.T) {
	r := startRedis(t)
	nodes := []*node{share(t, r, nil), share(t, r, nil), share(t, r, nil)}
	const events = 600
	ids := make(chan string, events)
	go func() {
		for i := range events {
			if i%10 == 9 {
				id, err := r.Do(context.Background(), "XADD", "throng:{default}", "*", "t", "a", "d", fmt.Sprint(i))
				if err != nil {
					t.Error(err)
				}
				ids <- strings.TrimSpace(id)
				continue
			}
			ids <- nodes[i%3].publish("topic=a", fmt.Sprint(i))
		}
		close(ids)
	}()
	query, at := "topic=a&since=earliest", 0
	for round := 0; at < events; round++ {
		s := nodes[(round*7)%3].subscribe(query)
		for range min(1+round%40, events-at) {
			e := s.next()
			if want := <-ids; e.id != want || e.data != fmt.Sprint(at) {
				t.Fatalf("event %d came as %+v, published as %s", at, e, want)
			}
			query = "topic=a&since=" + e.id
			at++
		}
		s.Close()
	}
}

// While Redis is away, streams stay, publishes are refused at once, and the node is not
// ready. When it is back, everything goes on.
func TestShared_RedisGoesAndComesBack(t *testing.T) {
	r := startRedis(t)
	n := share(t, r, nil)
	s := n.subscribe("topic=a")
	n.publish("topic=a", "before")
	s.takes("before")
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	w := n.dial()
	until(t, "publishes are refused", func() bool {
		w.send(post("topic=a", "lost"))
		a := w.answer("POST")
		return a.StatusCode == 503 && strings.Contains(a.body, `"store_unavailable"`) && a.Header.Get("Retry-After") != ""
	})
	begun := time.Now()
	w.send(post("topic=a", "lost"))
	w.answer("POST").refused(t, 503, "store_unavailable")
	if took := time.Since(begun); took > time.Second {
		t.Errorf("a publish that can't be stored was refused after %v", took)
	}
	w.send(get("/readyz"))
	if a := w.answer("GET"); a.StatusCode != 503 || !strings.Contains(a.body, "store_unavailable") {
		t.Errorf("ready: %d %s", a.StatusCode, a.body)
	}
	w.send(get("/events?topic=a&ns=new"))
	w.answer("GET").refused(t, 503, "store_unavailable")
	w.send(get("/events?topic=a&ns=new", "Accept: text/event-stream")) // an EventSource would give up for good
	if a := w.answer("GET"); a.StatusCode != 200 || !strings.HasPrefix(a.body, "retry: ") || strings.Contains(a.body, "id:") {
		t.Errorf("an EventSource got %d %q", a.StatusCode, a.body)
	}
	w.Close()
	w = n.dial()
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "publishes are taken", func() bool {
		w.send(post("topic=a", "after"))
		return w.answer("POST").StatusCode == 200
	})
	s.takes("after")
	s.Close()
	w.Close()
}

// With a spool, publishes are taken while Redis is away, and reach the streams in their
// order when it is back.
func TestShared_SpoolTakesWhatRedisCannot(t *testing.T) {
	r := startRedis(t)
	n := share(t, r, func(o *server.Options) { o.Spool = t.TempDir() })
	s := n.subscribe("topic=a")
	n.publish("topic=a", "0")
	s.takes("0")
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	w := n.dial()
	taken := 0
	until(t, "five publishes wait", func() bool {
		w.send(post("topic=a", fmt.Sprint(taken+1)))
		switch a := w.answer("POST"); {
		case a.StatusCode == 202 && strings.HasPrefix(a.body, `{"spooled":"`):
			taken++
		case taken > 0 || !strings.Contains(a.body, `"store_unanswered"`): // only the first can have been under way
			t.Fatalf("publish %d: %d %s", taken+1, a.StatusCode, a.body)
		}
		return taken == 5
	})
	if v := n.scrape()["throng_spooled_events"]; v != 5 {
		t.Errorf("%v events wait", v)
	}
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.takes("1", "2", "3", "4", "5")
	until(t, "nothing waits", func() bool { return n.scrape()["throng_spooled_events"] == 0 })
	n.publish("topic=a", "6")
	s.takes("6")
	for name, want := range map[string]float64{
		`throng_events_published_total{ns="default"}`: 7, "throng_events_delivered_total": 7,
		"throng_spool_taken_total": 5, "throng_spool_sent_total": 5, "throng_spool_dropped_total": 0,
	} {
		until(t, fmt.Sprint(name, " is ", want), func() bool { return n.scrape()[name] == want })
	}
	s.Close()
	w.Close()
}

// A namespace is followed while it has streams here, and a while longer. What happened
// while it was not is history to who comes back.
func TestShared_TailLingersAndReturns(t *testing.T) {
	r := startRedis(t)
	n := share(t, r, func(o *server.Options) { o.TailLinger = time.Second })
	n.publish("topic=a", "0")
	if v := n.scrape()["throng_tail_namespaces"]; v != 0 {
		t.Errorf("%v namespaces are followed, without any stream", v)
	}
	s := n.subscribe("topic=a")
	last := n.publish("topic=a", "1")
	s.takes("1")
	if v := n.scrape()["throng_tail_namespaces"]; v != 1 {
		t.Errorf("%v namespaces are followed, want 1", v)
	}
	s.Close()
	until(t, "the tail has ended", func() bool { return n.scrape()["throng_tail_namespaces"] == 0 })
	for i := 2; i < 10; i++ {
		n.publish("topic=a", fmt.Sprint(i))
	}
	back, fresh := n.subscribe("topic=a&since="+last), n.subscribe("topic=a")
	n.publish("topic=a", "10")
	back.takes("2", "3", "4", "5", "6", "7", "8", "9", "10")
	fresh.takes("10")
	back.Close()
	fresh.Close()
}

// A disk store outlives its server: clients go on where they were.
func TestDisk_ClientGoesOnAfterARestart(t *testing.T) {
	dir := "disk:" + t.TempDir()
	o := options(func(o *server.Options) { o.Store = dir })
	n := begin(t, o)
	var last string
	for i := range 50 {
		id := n.publish("topic=a", fmt.Sprint(i))
		if i == 9 {
			last = id
		}
	}
	w := n.dial()
	w.send("POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n50")
	keyed := idOf(t, w.answer("POST"))
	w.Close()
	if _, err := server.New(o, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--store=disk:") {
		t.Errorf("a second server on the directory: %v", err)
	}
	n.end()
	n = begin(t, o)
	defer n.end()
	w = n.dial()
	w.send("POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n50")
	if again := idOf(t, w.answer("POST")); again != keyed {
		t.Errorf("the key gave %s before the restart, %s after it", keyed, again)
	}
	w.Close()
	s := n.subscribe("topic=a&since=" + last)
	if s.gap != nil {
		t.Fatalf("a gap was told: %+v", s.gap)
	}
	for i := 10; i <= 50; i++ {
		s.takes(fmt.Sprint(i))
	}
	s.Close()
}

// What is told about a store says what was asked for, and no password.
func TestStore_TextHidesThePassword(t *testing.T) {
	for store, want := range map[string]string{
		"memory": "memory", "disk:/var/x": "disk:/var/x", "redis://h:1/2": "redis://h:1/2",
		"rediss://u:p%40@h1,h2/3?sentinel_password=s": "rediss://h1,h2/3?…",
	} {
		if got := server.StoreText(store); got != want {
			t.Errorf("%s is told as %s, want %s", store, got, want)
		}
	}
	o := options(func(o *server.Options) { o.Store = "redis://u:secret@h:bad" })
	if _, err := server.New(o, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error is %v", err)
	}
}
