package server

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	library "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"throng/source"
	"throng/sse"
)

// followingServer makes a server with an upstream, which the test runs itself.
func followingServer(t *testing.T, address string, set func(*Options)) (*Server, error) {
	t.Helper()
	o := Defaults()
	o.Listen, o.Admin, o.Breakers = "127.0.0.1:0", "", "off"
	o.Upstreams = []string{"grpc://" + address + "/default"}
	if set != nil {
		set(&o)
	}
	s, err := New(o, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// loopback serves gRPC until the test ends.
func loopback(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	register(g)
	go func() { _ = g.Serve(ln) }()
	t.Cleanup(g.Stop)
	return ln.Addr().String()
}

// A probe takes the source's word for its health, an answer of any kind from one that does
// not know the question, and nothing else.
func TestUpstreamProbe_AsksForHealth(t *testing.T) {
	state := library.NewServer()
	known := loopback(t, func(g *grpc.Server) { grpc_health_v1.RegisterHealthServer(g, state) })
	unknown := loopback(t, func(*grpc.Server) {})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	probe := func(address string, bound time.Duration) error {
		s, err := followingServer(t, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		defer cancel()
		return s.upstreams[0].Probe(ctx)
	}
	if err := probe(known, 10*time.Second); err != nil {
		t.Errorf("serving: %v", err)
	}
	state.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if err := probe(known, 10*time.Second); err == nil || !strings.Contains(err.Error(), "NOT_SERVING") {
		t.Errorf("not serving: %v", err)
	}
	if err := probe(unknown, 10*time.Second); err != nil {
		t.Errorf("without the health service: %v", err)
	}
	if err := probe(gone.Addr().String(), 10*time.Second); err == nil {
		t.Error("nobody listens, and the probe is good")
	}
	if err := probe(silent.Addr().String(), 50*time.Millisecond); err == nil {
		t.Error("nothing was said, and the probe is good")
	}
}

// A source that goes away and comes back is found by the same upstream's probes.
func TestUpstreamProbe_DialsAnew(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	s, err := followingServer(t, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	u := s.upstreams[0]
	for range 3 {
		if u.Probe(t.Context()) == nil {
			t.Fatal("nobody listens, and the probe is good")
		}
	}
	if ln, err = net.Listen("tcp", address); err != nil {
		t.Skip("the address was taken by another process: ", err)
	}
	g := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(g, library.NewServer())
	go func() { _ = g.Serve(ln) }()
	defer g.Stop()
	if err := u.Probe(t.Context()); err != nil {
		t.Errorf("the first probe since it is back: %v", err)
	}
}

// gate is a guard that the test opens.
type gate struct{ open atomic.Bool }

func (g *gate) Allow() bool { return g.open.Load() }

// subscribed tells of subscriptions.
type subscribed struct {
	source.UnimplementedSourceServer
	calls chan string
}

func (c subscribed) Subscribe(r *source.SubscribeRequest, stream grpc.ServerStreamingServer[source.Event]) error {
	c.calls <- r.GetAfter()
	if err := stream.Send(&source.Event{Id: "e7"}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// A source that is isolated is not dialled; when it is not any more, it is, at once.
func TestUpstream_IsNotDialledWhileIsolated(t *testing.T) {
	calls := make(chan string, 100)
	address := loopback(t, func(g *grpc.Server) { source.RegisterSourceServer(g, subscribed{calls: calls}) })
	s, err := followingServer(t, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, g := s.upstreams[0], &gate{}
	u.guard = g
	s.feeders.Go(u.run)
	select {
	case <-calls:
		t.Error("it was dialled")
	case <-time.After(3 * upstreamAsk):
	}
	g.open.Store(true)
	select {
	case <-calls:
	case <-time.After(15 * time.Second):
		t.Error("it was not dialled")
	}
}

// The waits between two tries grow to their limit, and each is a part of it.
func TestRetreat_Doubles(t *testing.T) {
	var r retreat
	for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
		if got := r.next(); got < 0 || got >= want*time.Millisecond || r.limit != want*time.Millisecond {
			t.Errorf("wait %d is %v of %v, not of %v ms", i, got, r.limit, int64(want))
		}
	}
}

// A position is read again by who follows the same source, and one that can't be read is
// not passed over.
func TestUpstreamPlace_IsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	on := func(o *Options) { o.Store = "disk:" + dir }
	s, err := followingServer(t, "127.0.0.1:1", on)
	if err != nil {
		t.Fatal(err)
	}
	u := s.upstreams[0]
	u.reached([]*source.Event{{Id: "17-4"}})
	now := time.Now()
	u.keep(now) // marks it
	if _, err := os.Stat(u.place.path); err == nil {
		t.Error("written before the log had time to flush")
	}
	u.reached([]*source.Event{{Id: "17-5"}})
	u.keep(now.Add(placeEvery / 2))
	u.keep(now.Add(placeEvery))
	text, err := os.ReadFile(u.place.path)
	if err != nil || !strings.Contains(string(text), `"17-4"`) {
		t.Errorf("%s %v", text, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.settleUpstreams(nil); err != nil { // a server that ran does it when it closes
		t.Fatal(err)
	}
	if s, err = followingServer(t, "127.0.0.1:1", on); err != nil || s.upstreams[0].position() != "17-5" {
		t.Fatalf("%v %v", s, err)
	}
	_ = s.Close()
	if s, err = followingServer(t, "127.0.0.1:2", on); err != nil || s.upstreams[0].position() != "" {
		t.Fatalf("another source begins at the same place, %v", err)
	}
	_ = s.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*.new"))
	if len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
	if err := os.WriteFile(u.place.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = followingServer(t, "127.0.0.1:1", on); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a file that can't be read: %v", err)
	}
}

func TestUpstreams_AreNamedOnce(t *testing.T) {
	_, err := followingServer(t, "127.0.0.1:1", func(o *Options) { o.Upstreams = append(o.Upstreams, "grpcs://127.0.0.1:1/default") })
	if err == nil || !strings.Contains(err.Error(), "once") {
		t.Error(err)
	}
}

// Keys differ where sources or IDs do, and are keys however long both are.
func TestUpstreamKey_IsAlwaysAKey(t *testing.T) {
	seen := map[string]bool{}
	for _, address := range []string{"a:1", strings.Repeat("a", 250) + ":1", "ä:1"} {
		u := &upstream{address: address, namespace: "default"}
		for _, id := range []string{(sse.ID{Major: 1, Minor: 2}).String(), "x", "\n", strings.Repeat("y", 900)} {
			key := u.key(&source.Event{Id: id})
			if refused := checkKey(key); refused != nil || seen[key] {
				t.Errorf("%.20s %.20q: %q, %v", address, id, key, refused)
			}
			seen[key] = true
		}
	}
}
