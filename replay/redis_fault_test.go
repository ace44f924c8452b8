package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"throng/internal/redisproc"
	"throng/sse"
)

// publishUntil publishes batches until ctx is done, and gives what was acknowledged, by
// data. Every other record has a key and is sent again until it is acknowledged; those
// without are sent once.
func publishUntil(ctx context.Context, t *testing.T, l Log) (plain, keyed map[string]sse.ID) {
	plain, keyed = map[string]sse.ID{}, map[string]sse.ID{}
	for n := 0; ctx.Err() == nil; n++ {
		for try := 0; ; try++ {
			batch := newBatch(8)
			for i := range batch {
				batch[i].Event.Data = fmt.Append(nil, "plain ", n, ".", i, " try ", try)
				if i%2 == 1 {
					batch[i].Key = fmt.Sprint("keyed ", n, ".", i)
					batch[i].Event.Data = []byte(batch[i].Key)
				}
			}
			err := l.Append(t.Context(), batch)
			if err != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("Append: %v", err)
				return plain, keyed
			}
			again := err != nil
			for i := range batch {
				r := &batch[i]
				switch {
				case err != nil || r.Err != nil:
					again = true
				case r.Key != "":
					keyed[r.Key] = r.Event.ID
				default:
					plain[string(r.Event.Data)] = r.Event.ID
				}
			}
			if !again {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return plain, keyed
}

// TestRedis_KilledUnderLoad kills Redis with an AOF that is flushed always, again and
// again under load: nothing acknowledged is lost, what has a key is stored once however
// often it was sent, and the tail goes on where it was.
func TestRedis_KilledUnderLoad(t *testing.T) {
	srv := startRedis(t, redisproc.Options{Fsync: "always"})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var plain, keyed map[string]sse.ID
	var publisher sync.WaitGroup
	publisher.Go(func() { plain, keyed = publishUntil(ctx, t, l) })
	for range 6 {
		n := len(f.of("a"))
		f.waitCount(t, "a", n+200)
		if err := srv.Kill(); err != nil {
			t.Fatal(err)
		}
		f.wait(t, "Health to tell", func() bool { return s.Health() != nil })
		if err := srv.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.waitCount(t, "a", len(f.of("a"))+200)
	cancel()
	publisher.Wait()
	end := mustAppend(t, l, 1)[0].Event.ID
	f.wait(t, "the last event", func() bool { return l.Last() == end })
	got := f.of("a")
	wantRising(t, got)
	at := map[string][]sse.ID{}
	for _, e := range got {
		if e.Name == sse.GapName {
			t.Errorf("a gap was told: %s", e.Data)
		}
		at[string(e.Data)] = append(at[string(e.Data)], e.ID)
	}
	for _, acked := range []map[string]sse.ID{plain, keyed} {
		for data, id := range acked {
			if ids := at[data]; len(ids) != 1 || ids[0] != id {
				t.Errorf("%q was acknowledged as %v and delivered as %v", data, id, ids)
			}
		}
	}
	t.Logf("%d and with keys %d acknowledged, %d delivered, %+v", len(plain), len(keyed), len(got), s.Counts())
}

// TestRedis_PausedServer: the first publish waits for Timeout, the next ones fail at once,
// what is in memory can still be read, and afterwards all goes on.
func TestRedis_PausedServer(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Timeout = 200 * time.Millisecond })
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	start := l.Last()
	mustAppend(t, l, 3)
	f.waitCount(t, "a", 3)
	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, reasonAnswerLost) {
		t.Errorf("the first publish: %v", err)
	}
	began := time.Now()
	for range 100 {
		if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, reasonUnreachable) || !surelyNotStored(err) {
			t.Fatalf("a later publish, which is not sent: %v", err)
		}
	}
	if d := time.Since(began); d > 500*time.Millisecond {
		t.Errorf("100 publishes to a server known to be away took %v", d)
	}
	if s.Health() == nil {
		t.Error("Health does not tell")
	}
	if n, err := l.After(t.Context(), start, l.Last(), make([]*sse.Event, 10)); n != 3 || err != nil {
		t.Errorf("reading from memory: %d, %v", n, err)
	}
	other, _ := s.Open("b")
	if err := other.(Followed).Follow(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Follow: %v", err)
	}
	if err := srv.Resume(); err != nil {
		t.Fatal(err)
	}
	f.wait(t, "Health", func() bool { return s.Health() == nil })
	last := mustAppend(t, l, 1)[0].Event.ID
	f.wait(t, "the event after the pause", func() bool { return l.Last() == last })
	wantRising(t, f.of("a"))
	if n := s.Counts().Gaps; n != 0 {
		t.Errorf("%d gaps told", n)
	}
}

// TestRedis_AwayAtStart starts without Redis, and works once it is there.
func TestRedis_AwayAtStart(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	if err := srv.Kill(); err != nil {
		t.Fatal(err)
	}
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	l := mustOpen(t, s, "a")
	if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, reasonUnreachable) {
		t.Errorf("Append: %v, want unreachable: nothing was sent", err)
	}
	if _, err := l.After(t.Context(), l.Last(), l.Last(), nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("After: %v", err)
	}
	if err := srv.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wait(t, "Health", func() bool { return s.Health() == nil })
	mustFollow(t, s, "a")
	mustAppend(t, l, 1)
	f.waitCount(t, "a", 1)
}

// TestRedis_MemoryFull refuses events alone while Redis has no memory for them, and takes
// them again without anybody's doing.
func TestRedis_MemoryFull(t *testing.T) {
	srv := startRedis(t, redisproc.Options{Config: []string{"maxmemory-policy noeviction"}})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	mustAppend(t, l, 1)
	f.waitCount(t, "a", 1)
	do(t, srv, "CONFIG", "SET", "maxmemory", "1")
	batch := newBatch(2)
	batch[1].Key = "k"
	err := l.Append(t.Context(), batch)
	if !isUnavailable(err, "memory_full") || !isUnavailable(batch[0].Err, "memory_full") || !isUnavailable(batch[1].Err, "memory_full") {
		t.Errorf("Append: %v; %v, %v", err, batch[0].Err, batch[1].Err)
	}
	if err := s.Health(); !isUnavailable(err, "memory_full") {
		t.Errorf("Health: %v", err)
	}
	if n, err := l.After(t.Context(), redisStart, l.Last(), make([]*sse.Event, 2)); n != 1 || err != nil {
		t.Errorf("reading: %d, %v", n, err)
	}
	do(t, srv, "CONFIG", "SET", "maxmemory", "0")
	f.wait(t, "Health", func() bool { return s.Health() == nil })
	mustAppend(t, l, 1)
	f.waitCount(t, "a", 2)
	if got := do(t, srv, "EXISTS", "throng:{a}:none"); got != "0" {
		t.Error("the probe left something behind")
	}
}

// TestRedis_NoRoom leaves out a namespace that has no room, and no other.
func TestRedis_NoRoom(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	a, b := mustFollow(t, s, "a"), mustFollow(t, s, "b")
	f.setFull("a", true)
	mustAppend(t, b, 1) // the read under way may still bring something of a
	f.waitCount(t, "b", 1)
	mustAppend(t, a, 500)
	mustAppend(t, b, 500)
	f.waitCount(t, "b", 501)
	if n := len(f.of("a")); n != 0 {
		t.Errorf("%d events of a were delivered without room", n)
	}
	f.setFull("a", false)
	wantRising(t, f.waitCount(t, "a", 500))
	b.Unfollow()
	mustAppend(t, b, 1)
	mustAppend(t, a, 1)
	f.waitCount(t, "a", 501)
	if n := len(f.of("b")); n != 501 {
		t.Errorf("%d events of b, which is no longer followed", n)
	}
	do(t, srv, "SET", "throng:{c}", "no stream")
	c := mustOpen(t, s, "c").(*redisLog)
	if err := c.Follow(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("following what is no stream: %v", err)
	}
	do(t, srv, "DEL", "throng:{c}")
	mustFollow(t, s, "c")
	do(t, srv, "SET", "throng:{c}", "no stream")
	mustAppend(t, a, 1)
	f.waitCount(t, "a", 502)
}

// TestRedis_ThousandNamespaces needs two connections.
func TestRedis_ThousandNamespaces(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	const n = 1000
	logs := make([]*redisLog, n)
	began := time.Now()
	for i := range logs {
		logs[i] = mustFollow(t, s, fmt.Sprint("ns", i))
	}
	t.Logf("following %d namespaces took %v", n, time.Since(began))
	var publishers sync.WaitGroup
	for p := range 8 {
		publishers.Go(func() {
			for i := p; i < n; i += 8 {
				mustAppend(t, logs[i], 2)
			}
		})
	}
	publishers.Wait()
	for i := range logs {
		f.waitCount(t, fmt.Sprint("ns", i), 2)
	}
	if n := countClients(t, srv); n != 2 {
		t.Errorf("%d connections", n)
	}
	if _, err := s.Open("one more"); err != nil {
		t.Error(err)
	}
	for i := range 23 {
		mustOpen(t, s, fmt.Sprint("more", i))
	}
	if _, err := s.Open("one too many"); !errors.Is(err, ErrNamespaces) {
		t.Errorf("the 1,025th: %v", err)
	}
}
