package server_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"throng/server"
	"throng/source"
)

// origin is a source that is none of ours: IDs are its own, and it can be killed.
type origin struct {
	source.UnimplementedSourceServer
	t    *testing.T
	addr string
	srv  *grpc.Server

	mu     sync.Mutex
	events []*source.Event
	more   chan struct{} // closed when there is something new
	first  *source.Event // what a stream begins with, besides; nil: nothing
	back   int           // events from before the position that a stream begins with
	sent   atomic.Int64
	opened atomic.Int64
}

func startOrigin(t *testing.T) *origin {
	o := &origin{t: t, addr: "127.0.0.1:0", more: make(chan struct{})}
	o.serve()
	t.Cleanup(func() { o.srv.Stop() })
	return o
}

// serve begins, at the same address as before.
func (o *origin) serve() {
	o.t.Helper()
	var ln net.Listener
	until(o.t, "the origin's address is free", func() (ok bool) {
		var err error
		ln, err = net.Listen("tcp", o.addr)
		return err == nil
	})
	o.addr, o.srv = ln.Addr().String(), grpc.NewServer()
	source.RegisterSourceServer(o.srv, o)
	srv := o.srv
	go func() { _ = srv.Serve(ln) }()
}

func (o *origin) add(events ...*source.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range events {
		e.Id = fmt.Sprintf("e%d", len(o.events))
		o.events = append(o.events, e)
	}
	close(o.more)
	o.more = make(chan struct{})
}

func (o *origin) addNumbers(from, to int) {
	var events []*source.Event
	for _, n := range numbers(from, to) {
		events = append(events, &source.Event{Topics: []string{"a"}, Data: []byte(n)})
	}
	o.add(events...)
}

// Subscribe implements source.SourceServer.
func (o *origin) Subscribe(r *source.SubscribeRequest, stream grpc.ServerStreamingServer[source.Event]) error {
	o.opened.Add(1)
	at := 0
	if _, err := fmt.Sscanf(r.GetAfter(), "e%d", &at); err == nil {
		at = max(at+1-o.back, 0)
	}
	if o.first != nil {
		if err := stream.Send(o.first); err != nil {
			return err
		}
	}
	for {
		o.mu.Lock()
		events, more := o.events[at:], o.more
		o.mu.Unlock()
		for _, e := range events {
			if err := stream.Send(e); err != nil {
				return err
			}
			o.sent.Add(1)
		}
		at += len(events)
		select {
		case <-more:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func from(addr string) func(*server.Options) {
	return func(o *server.Options) { o.Upstreams = []string{"grpc://" + addr + "/default"} }
}

// One node follows another: what is published there arrives here, in order and once, also
// when either was away.
func TestUpstream_FollowsANode(t *testing.T) {
	unless(t, "redis", "the second node has its own store, on disk")
	a := start(t, withGRPC(nil))
	dir := t.TempDir()
	o := options(from(a.GRPCAddr().String()))
	o.Store = "disk:" + dir
	b := begin(t, o)
	until(t, "b follows a", func() bool { // what is published before it does is not for b
		a.publish("topic=hello", "x")
		return b.scrape()["throng_upstream_events_total"] > 0
	})
	live := b.subscribe("topic=a&since=earliest")
	a.publish("topic=a", "first")
	live.takes("first")
	for i := range 500 {
		a.publish("topic=a", fmt.Sprint(i))
	}
	live.takes(numbers(0, 500)...)
	if got := b.scrape()["throng_upstream_events_total"]; got < 501 {
		t.Errorf("%v events were counted", got)
	}
	live.Close()
	b.end()
	for i := 500; i < 1500; i++ {
		a.publish("topic=a", fmt.Sprint(i))
	}
	b = begin(t, o)
	all := b.subscribe("topic=a&since=earliest")
	all.takes(append([]string{"first"}, numbers(0, 1500)...)...)
	b.silent("topic=a", all)
	all.Close()
	b.end()
	if files, _ := filepath.Glob(filepath.Join(dir, "upstream-*.json")); len(files) != 1 {
		t.Errorf("positions: %v", files)
	}
}

// A source that is killed again and again, and gives some events twice, is followed without
// loss, and each of its events is published once.
func TestUpstream_SourceDiesAndComesBack(t *testing.T) {
	src := startOrigin(t)
	src.back = 50
	n := start(t, func(o *server.Options) { from(src.addr)(o); o.Breakers = "off" })
	until(t, "the stream is open", func() bool { return src.opened.Load() > 0 })
	s := n.subscribe("topic=a&since=earliest")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	next := 0
	for range 6 {
		to := next + 1 + random.IntN(400)
		src.addNumbers(next, to)
		for range random.IntN(to - next) {
			s.takes(fmt.Sprint(next))
			next++
		}
		src.srv.Stop()
		src.serve()
		s.extend()
		s.takes(numbers(next, to)...)
		next = to
	}
	n.silent("topic=a", s)
	if got := n.scrape()["throng_upstream_reconnects_total"]; got < 1 { // some kills may have met one that was not back
		t.Errorf("%v reconnects were counted", got)
	}
}

// A gap of the source is counted, and the stream goes on. What is no event here is left out.
func TestUpstream_GapsAndBadEventsAreCounted(t *testing.T) {
	src := startOrigin(t)
	src.first = &source.Event{Id: "e0", Gap: &source.Gap{Requested: "x", Earliest: "e1"}}
	n := start(t, func(o *server.Options) { from(src.addr)(o); o.EventBytesMax = 1000 })
	s := n.subscribe("topic=%23")
	src.add(
		&source.Event{Topics: []string{"a/+"}, Data: []byte("a wildcard")},
		&source.Event{Topics: []string{"a"}, Event: "throng.gap", Data: []byte("our name")},
		&source.Event{Topics: []string{"a"}, Data: make([]byte, 500)},
		&source.Event{Topics: []string{"a"}, Data: make([]byte, 5<<20)},
		&source.Event{Topics: []string{"a"}, Data: []byte("good")},
	)
	s.takes("good")
	m := n.scrape()
	if m["throng_upstream_gaps_total"] != 1 || m[`throng_publish_refused_total{code="bad_topic"}`] != 1 ||
		m[`throng_publish_refused_total{code="bad_data"}`] != 1 || m[`throng_publish_refused_total{code="body_too_large"}`] != 1 {
		t.Errorf("gaps %v, refused %v, %v and %v", m["throng_upstream_gaps_total"], m[`throng_publish_refused_total{code="bad_topic"}`],
			m[`throng_publish_refused_total{code="bad_data"}`], m[`throng_publish_refused_total{code="body_too_large"}`])
	}
}

// While the store is away, the source is not read from beyond a bound, and nothing is lost or
// moved. Two nodes of one store that follow the same source publish each event once.
func TestUpstream_WaitsForItsStore(t *testing.T) {
	r := startRedis(t)
	src := startOrigin(t)
	nodes := []*node{share(t, r, from(src.addr)), share(t, r, from(src.addr))}
	until(t, "both follow", func() bool { return src.opened.Load() == 2 })
	s := nodes[0].subscribe("topic=a&since=earliest")
	src.addNumbers(0, 500)
	s.takes(numbers(0, 500)...)
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	const many = 30000
	src.addNumbers(500, many)
	settled := int64(-1)
	until(t, "the source is held", func() bool {
		before := settled
		settled = src.sent.Load()
		time.Sleep(300 * time.Millisecond) // a machine that is slow in this time only reads less
		return before == settled
	})
	if settled > 2*many*2/3 {
		t.Errorf("%d events were taken while none could be stored", settled)
	}
	t.Logf("%d of %d events were sent to two nodes while Redis was away", settled, 2*many)
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for next := 500; next < many; next++ {
		s.extend()
		s.takes(fmt.Sprint(next))
	}
	nodes[0].silent("topic=a", s)
}

// A node that is closed while it follows, and while its source is away, leaves nothing.
func TestUpstream_CloseLeavesNothing(t *testing.T) {
	src := startOrigin(t)
	for _, away := range []bool{false, true} {
		if away {
			src.srv.Stop()
		}
		before, fds := runtime.NumGoroutine(), descriptors(t)
		n := begin(t, options(from(src.addr)))
		if !away {
			src.addNumbers(0, 2000)
			s := n.subscribe("topic=a&since=earliest")
			s.takes(numbers(0, 1000)...)
			s.Close()
		} else {
			until(t, "it was tried again", func() bool { return n.scrape()["throng_upstream_reconnects_total"] > 1 })
		}
		n.end()
		until(t, "all is gone", func() bool { return descriptors(t) <= fds && runtime.NumGoroutine() <= before })
	}
}

// The position outlives a kill of the node: what it has is not ahead of the log.
func TestUpstream_PositionIsWrittenWhileItRuns(t *testing.T) {
	unless(t, "redis", "the node has a disk of its own")
	src := startOrigin(t)
	dir := t.TempDir()
	n := start(t, func(o *server.Options) { from(src.addr)(o); o.Store = "disk:" + dir })
	until(t, "the stream is open", func() bool { return src.opened.Load() > 0 })
	s := n.subscribe("topic=a&since=earliest")
	src.addNumbers(0, 100)
	s.takes(numbers(0, 100)...)
	until(t, "the position is on disk", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "upstream-*.json"))
		if len(files) == 0 {
			return false
		}
		text, err := os.ReadFile(files[0])
		return err == nil && string(text) == `{"upstream":"grpc://`+src.addr+`/default","after":"e99"}`+"\n"
	})
}
