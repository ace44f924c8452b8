package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/internal/redisproc"
	"throng/replay/seglog"
	"throng/sse"
)

// A testGuard lets every nth call through, none when n is 0.
type testGuard struct{ nth, asked, allowed atomic.Int64 }

func (g *testGuard) Allow() bool {
	n := g.nth.Load()
	if n == 0 || g.asked.Add(1)%n != 0 {
		return false
	}
	g.allowed.Add(1)
	return true
}

// TestRedisGuard_KeepsCallsFromRedis: nothing is asked of Redis but by the tail, and what is
// in memory is served. Of a Redis that is full, reading is not refused.
func TestRedisGuard_KeepsCallsFromRedis(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	g := &testGuard{}
	g.nth.Store(1)
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Guard, o.RecentEventsMax = g, 2 })
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	start := l.Last()
	last := mustAppend(t, l, 5)[4].Event.ID
	got := f.waitCount(t, "a", 5)
	g.nth.Store(0)

	batch := newBatch(2)
	if err := l.Append(t.Context(), batch); !isUnavailable(err, reasonIsolated) || !surelyNotStored(err) {
		t.Errorf("Append: %v", err)
	}
	page := make([]*sse.Event, 5)
	if n, err := l.After(t.Context(), start, last, page); n != 0 || !isUnavailable(err, reasonIsolated) {
		t.Errorf("After what is not in memory: %d, %v", n, err)
	}
	if n, err := l.After(t.Context(), got[3].ID, last, page); n != 1 || err != nil {
		t.Errorf("After what is: %d, %v", n, err)
	}
	other := mustOpen(t, s, "b").(Followed)
	if err := other.Follow(t.Context()); !isUnavailable(err, reasonIsolated) {
		t.Errorf("Follow: %v", err)
	}
	if err := l.Follow(t.Context()); err != nil {
		t.Errorf("Follow of what is followed: %v", err)
	}
	do(t, srv, "XADD", "throng:{a}", "*", "t", "x", "d", "of another node")
	f.waitCount(t, "a", 6)
	if n := do(t, srv, "XLEN", "throng:{a}"); n != "6" {
		t.Errorf("%s events are stored, want 6", n)
	}

	g.nth.Store(1)
	if err := srv.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, "memory_full") {
		t.Errorf("Append to a full Redis: %v", err)
	}
	g.nth.Store(0)
	if n, err := l.After(t.Context(), start, last, page); n != 5 || err != nil {
		t.Errorf("After, of a full Redis: %d, %v", n, err)
	}
	if err := other.Follow(t.Context()); err != nil {
		t.Errorf("Follow, of a full Redis: %v", err)
	}
}

// TestRedisProbe_SaysWhatIsWrong asks a server that is stopped, slow, full, a replica, and
// gone; a probe that is given up leaves the connection to those that are more patient.
func TestRedisProbe_SaysWhatIsWrong(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	l := mustOpen(t, s, "a")
	probe := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return s.Probe(ctx)
	}
	well := func(what string) {
		t.Helper()
		waitFor(t, what, func() bool { return probe(time.Second) == nil })
	}
	well("an answer")

	do(t, srv, "CLIENT", "PAUSE", "300", "ALL")
	var publisher sync.WaitGroup
	publisher.Go(func() { mustAppend(t, l, 1) })
	begun := time.Now()
	if err := probe(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
	if took := time.Since(begun); took > 250*time.Millisecond {
		t.Errorf("a probe that may take 50 ms took %v", took)
	}
	publisher.Wait()

	for _, x := range []struct{ reason, begin, end string }{
		{"memory_full", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},
		{"read_only", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"},
	} {
		do(t, srv, strings.Fields(x.begin)...)
		if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, x.reason) {
			t.Errorf("Append: %v, want %s", err, x.reason)
		}
		if err := probe(time.Second); !isUnavailable(err, x.reason) {
			t.Errorf("Probe: %v, want %s", err, x.reason)
		}
		do(t, srv, strings.Fields(x.end)...)
		well("an answer after " + x.reason)
	}

	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := probe(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped: %v", err)
	}
	waitFor(t, "the keeper to know", func() bool { return s.Health() != nil })
	if err := probe(time.Second); !isUnavailable(err, reasonUnreachable) {
		t.Errorf("away: %v", err)
	}
	if err := srv.Resume(); err != nil {
		t.Fatal(err)
	}
	well("an answer after the stop")
	mustAppend(t, l, 1)
	if err := srv.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := probe(time.Second); !errors.Is(err, ErrUnavailable) {
		t.Errorf("killed: %v", err)
	}
}

// TestRedisProbe_OneMasterOfAClusterIsEnough: what is lost with one is refused by itself.
func TestRedisProbe_OneMasterOfAClusterIsEnough(t *testing.T) {
	haveRedis(t)
	c, err := redisproc.StartCluster(t.Context(), redisproc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	s := newRedis(t, "redis://"+strings.Join(c.Addrs(), ",")+"?cluster=true", nil)
	probe := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return s.Probe(ctx)
	}
	waitFor(t, "an answer of all", func() bool { return probe() == nil })
	for i, m := range c.Masters {
		if err := m.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := probe(); (err == nil) != (i < 2) {
			t.Errorf("%d of 3 stopped: %v", i+1, err)
		}
	}
}

// TestRedisSpool_SendsInOrderWhateverIsRefused: Redis is full and not full again and again
// while what waits is sent, so that it takes some of a page and refuses some; the order
// stays.
func TestRedisSpool_SendsInOrderWhateverIsRefused(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	g := &testGuard{}
	inner := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Guard = g })
	store, err := NewSpool(inner, t.TempDir(), SpoolOptions{Fsync: seglog.Never, RetryMin: time.Millisecond, RetryMax: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l := mustOpen(t, store, "a")
	const events = 20000
	for n := 0; n < events; n += 100 {
		batch := newBatch(100)
		for i := range batch {
			batch[i].Event.Data = fmt.Append(nil, n+i)
		}
		if err := l.Append(t.Context(), batch); err != nil || batch[0].Spooled == 0 {
			t.Fatalf("%v, %+v", err, batch[0])
		}
	}
	if n := do(t, srv, "XLEN", "throng:{a}"); n != "0" {
		t.Fatalf("%s events were sent, against the guard", n)
	}
	g.nth.Store(1)
	waits := func() int { return store.Stats().Spooled }
	for waits() > 0 {
		if err := srv.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := srv.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	for i, data := range dataOf(t, srv, "a") {
		if data != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, data)
		}
	}
	if n := do(t, srv, "XLEN", "throng:{a}"); n != fmt.Sprint(events) {
		t.Errorf("%s events are stored, want %d", n, events)
	}
}

// dataOf is the data of all events of a stream.
func dataOf(t *testing.T, srv *redisproc.Server, ns string) (all []string) {
	lines := strings.Split(do(t, srv, "XRANGE", "throng:{"+ns+"}", "-", "+"), "\n")
	for i, line := range lines {
		if line == "d" && i > 0 {
			all = append(all, lines[i+1])
		}
	}
	return all
}

// TestRedis_ManyNamespacesWaitNoLongerThanOne: more namespaces than the client has room for
// publish to a server that has stopped; none waits for longer than Timeout, by much.
func TestRedis_ManyNamespacesWaitNoLongerThanOne(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	const timeout = 500 * time.Millisecond
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Timeout, o.NamespacesMax = timeout, 1500 })
	logs := make([]Log, 1500)
	for i := range logs {
		logs[i] = mustOpen(t, s, fmt.Sprint("n", i))
	}
	mustAppend(t, logs[0], 1)
	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	var publishers sync.WaitGroup
	var notSent, longest atomic.Int64
	for _, l := range logs {
		publishers.Go(func() {
			begun := time.Now()
			err := l.Append(t.Context(), newBatch(1))
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("Append: %v", err)
			}
			if surelyNotStored(err) {
				notSent.Add(1)
			}
			for took := int64(time.Since(begun)); ; {
				if before := longest.Load(); before >= took || longest.CompareAndSwap(before, took) {
					break
				}
			}
		})
	}
	publishers.Wait()
	if took := time.Duration(longest.Load()); took > 3*timeout {
		t.Errorf("one waited for %v, and %v is the limit", took, timeout)
	}
	if n := notSent.Load(); n < int64(len(logs)-redisPlacesMax) {
		t.Errorf("%d were surely not sent, of those beyond %d places", n, redisPlacesMax)
	}
	t.Logf("%d namespaces; the longest wait was %v", len(logs), time.Duration(longest.Load()))
}
