package server

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"

	"throng/source"
	"throng/sse"
)

// A node that is killed in the middle of a flood, and comes back with what is on its disk,
// publishes what it reads again once: the position is never further back than keys are known.
func TestUpstream_KilledInAFloodDoublesNothing(t *testing.T) {
	const events, keys = 4000, 400
	for _, fsync := range []string{"always", "interval"} {
		dir := t.TempDir()
		on := func(dir string) func(*Options) {
			return func(o *Options) {
				o.Store, o.Fsync, o.FsyncInterval, o.IdempotencyMax = "disk:"+dir, fsync, time.Millisecond, keys
			}
		}
		s, err := followingServer(t, "127.0.0.1:1", on(dir))
		if err != nil {
			t.Fatal(err)
		}
		s.group.Start()
		takeNumbers(t, s, 0, 2500) // nobody calls keep: the count alone must see to it
		killed := t.TempDir()
		if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		again, err := followingServer(t, "127.0.0.1:1", on(killed))
		if err != nil {
			t.Fatal(err)
		}
		from := 0
		if _, err := fmt.Sscanf(again.upstreams[0].position(), "e%d", &from); err != nil {
			t.Fatalf("--fsync=%s: %v", fsync, err)
		}
		if from > 2499 {
			t.Errorf("the position %d is ahead of the log", from)
		}
		again.group.Start()
		takeNumbers(t, again, from+1, events)
		got := held(t, again, "default")
		for i := range min(len(got), events) {
			if got[i] != fmt.Sprint(i) {
				t.Fatalf("--fsync=%s: event %d is %s; the position was %d", fsync, i, got[i], from)
			}
		}
		if len(got) != events {
			t.Errorf("--fsync=%s: %d events are in the log, not %d; the position was %d", fsync, len(got), events, from)
		}
	}
}

// takeNumbers gives an upstream events as its stream would.
func takeNumbers(t *testing.T, s *Server, from, to int) {
	t.Helper()
	var batch []*source.Event
	for i := from; i < to; i++ {
		batch = append(batch, &source.Event{Id: fmt.Sprintf("e%d", i), Topics: []string{"a"}, Data: fmt.Append(nil, i)})
		if len(batch) == 1000 || i == to-1 {
			if err := s.upstreams[0].take(batch); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
}

// held is the data of all that a namespace's log has.
func held(t *testing.T, s *Server, namespace string) (data []string) {
	t.Helper()
	ns, err := s.hub.acquire(namespace, true)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.release()
	log := ns.Log
	page := make([]*sse.Event, 256)
	for at, last := log.First(), log.Last(); at.Less(last); {
		n, err := log.After(context.Background(), at, last, page)
		if err != nil || n == 0 {
			t.Fatalf("%d events behind %v: %v", n, at, err)
		}
		for _, e := range page[:n] {
			data, at = append(data, string(e.Data)), e.ID
		}
	}
	return data
}

// Where a new upstream begins is on disk before its first event is published: a node that is
// killed in its first second goes on from there.
func TestUpstreamPlace_BeginningIsWrittenAtOnce(t *testing.T) {
	calls := make(chan string, 100)
	address := loopback(t, func(g *grpc.Server) { source.RegisterSourceServer(g, subscribed{calls: calls}) })
	dir := t.TempDir()
	s, err := followingServer(t, address, func(o *Options) { o.Store = "disk:" + dir })
	if err != nil {
		t.Fatal(err)
	}
	u := s.upstreams[0]
	s.feeders.Go(u.run)
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(u.place.path); err == nil {
			if string(text) != `{"upstream":"grpc://`+address+`/default","after":"e7"}`+"\n" {
				t.Errorf("%s", text)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the position was not written")
		}
	}
}

// A position that can't be written holds no event up, and is written when it can be again.
func TestUpstreamPlace_UnwritableHoldsNothingUp(t *testing.T) {
	dir := t.TempDir()
	s, err := followingServer(t, "127.0.0.1:1", func(o *Options) { o.Store, o.IdempotencyMax, o.Fsync = "disk:"+dir, 8, "always" })
	if err != nil {
		t.Fatal(err)
	}
	u := s.upstreams[0]
	good := u.place.path
	u.place.path = dir + "/gone/upstream.json"
	takeNumbers(t, s, 0, 100)
	if n := len(held(t, s, "default")); n != 100 {
		t.Errorf("%d events", n)
	}
	u.place.path = good
	takeNumbers(t, s, 100, 102)
	if text, err := os.ReadFile(good); err != nil || string(text) != `{"upstream":"grpc://127.0.0.1:1/default","after":"e101"}`+"\n" {
		t.Errorf("%s %v", text, err)
	}
}
