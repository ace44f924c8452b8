package replay

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/redisproc"
	"throng/sse"
	"throng/topics"
)

// needRedis installs a server where that is possible, and skips where it is not; in CI it
// has to be.
var needRedis = sync.OnceValue(func() error {
	if out, err := exec.Command("../scripts/need", "redis-server").CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/need redis-server: %w: %s", err, out)
	}
	return nil
})

func haveRedis(t testing.TB) {
	t.Helper()
	if err := needRedis(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// startRedis runs a server for one test.
func startRedis(t testing.TB, o redisproc.Options) *redisproc.Server {
	t.Helper()
	haveRedis(t)
	srv, err := redisproc.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// do sends one command to a server.
func do(t testing.TB, srv *redisproc.Server, args ...string) string {
	t.Helper()
	got, err := srv.Do(t.Context(), args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return got
}

// newRedis makes a store that is closed with the test.
func newRedis(t testing.TB, url string, change func(*RedisOptions)) *Redis {
	t.Helper()
	o := RedisDefaults()
	o.URL, o.Check = url, checkEvent
	if change != nil {
		change(&o)
	}
	s, err := NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// checkEvent is what a server refuses, more or less.
func checkEvent(e *sse.Event) error {
	for _, topic := range e.Topics {
		if err := topics.Check(topic); err != nil {
			return err
		}
	}
	if len(e.Data) > 1<<16 {
		return errors.New("too large")
	}
	return sse.CheckName(e.Name)
}

// A testFeed keeps what followed Logs deliver.
type testFeed struct {
	mu     sync.Mutex
	events map[string][]*sse.Event // without notices that have no name
	full   map[string]bool
	vain   map[string]int // how often there was no room
	news   chan struct{}  // closed and made anew with each delivery
	seen   map[string]sse.ID
}

func newTestFeed(s Shared) *testFeed {
	f := &testFeed{events: map[string][]*sse.Event{}, full: map[string]bool{}, vain: map[string]int{}, seen: map[string]sse.ID{}, news: make(chan struct{})}
	s.Feed(f)
	return f
}

// Room implements Feed.
func (f *testFeed) Room(ns string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full[ns] {
		f.vain[ns]++
	}
	return !f.full[ns]
}

// Deliver implements Feed.
func (f *testFeed) Deliver(ns string, events []*sse.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		if len(e.Topics) > 0 || e.Name != "" {
			f.events[ns] = append(f.events[ns], e)
		}
		f.seen[ns] = e.ID
	}
	close(f.news)
	f.news = make(chan struct{})
}

// setFull says whether a namespace is welcome.
func (f *testFeed) setFull(ns string, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full[ns] = full
}

// of are the events of a namespace so far, gaps included.
func (f *testFeed) of(ns string) []*sse.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[ns][:len(f.events[ns]):len(f.events[ns])]
}

// wait waits until what was delivered satisfies done.
func (f *testFeed) wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		f.mu.Lock()
		news := f.news
		f.mu.Unlock()
		if done() {
			return
		}
		select {
		case <-news:
		case <-time.After(50 * time.Millisecond): // for what is not told by a delivery
		case <-timeout:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// waitCount waits for that many events of a namespace, gaps included.
func (f *testFeed) waitCount(t testing.TB, ns string, n int) []*sse.Event {
	t.Helper()
	f.wait(t, fmt.Sprintf("%d events of %s", n, ns), func() bool { return len(f.of(ns)) >= n })
	return f.of(ns)
}

// mustFollow opens and follows.
func mustFollow(t testing.TB, s *Redis, ns string) *redisLog {
	t.Helper()
	l, err := s.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.(Followed).Follow(t.Context()); err != nil {
		t.Fatalf("Follow(%s): %v", ns, err)
	}
	return l.(*redisLog)
}

// wantRising checks the order of what was delivered, and that nothing came twice.
func wantRising(t testing.TB, events []*sse.Event) {
	t.Helper()
	for i := 1; i < len(events); i++ {
		if !events[i-1].ID.Less(events[i].ID) && events[i].Name != sse.GapName {
			t.Fatalf("%v %q was delivered after %v %q", events[i].ID, events[i].Data, events[i-1].ID, events[i-1].Data)
		}
	}
}

// isUnavailable tells whether an error is ErrUnavailable for this reason.
func isUnavailable(err error, reason string) bool {
	var u *UnavailableError
	return errors.As(err, &u) && u.Reason == reason
}

// TestRedis_Contract runs the contract against a real server, and against Valkey's too
// where that is installed.
func TestRedis_Contract(t *testing.T) {
	for _, program := range []string{"redis-server", "valkey-server"} {
		if _, err := exec.LookPath(program); err != nil && program != "redis-server" {
			t.Logf("not against %s: %v", program, err)
			continue
		}
		t.Run(program, func(t *testing.T) {
			srv := startRedis(t, redisproc.Options{Program: program, Config: []string{"stream-node-max-entries 10"}})
			const window = 400 * time.Millisecond
			tr := traits{holes: true, shared: true, windowEnds: func() { time.Sleep(window + 10*time.Millisecond) }}
			testContract(t, tr, func(t *testing.T, c contractLimits) Store {
				do(t, srv, "FLUSHALL")
				return newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) {
					o.EventsMax, o.KeysMax, o.KeyWindow = c.eventsMax, c.keysMax, window
				})
			})
		})
	}
}

// TestRedis_ForeignEntries delivers what any program adds, and skips what is no event.
func TestRedis_ForeignEntries(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	do(t, srv, "XADD", "throng:{a}", "*", "t", "before", "d", "not delivered")
	l := mustFollow(t, s, "a")
	start := l.Last()
	add := func(fields ...string) string {
		return do(t, srv, append([]string{"XADD", "throng:{a}", "*"}, fields...)...)
	}
	add("t", "x", "t", "y", "e", "name", "d", "two\nlines", "other", "field")
	for _, bad := range [][]string{
		{"t", "x"}, {"d", "x"}, {"t", "a/#", "d", "x"}, {"t", "x", "d", "1", "d", "2"}, {"t", "x", "e", "throng.gap", "d", "x"},
		{"t", "x", "d", strings.Repeat("x", 1<<16+1)}, {"t", "x", "t", "", "d", "x"}, {"t", "x", "e", "a\nb", "d", "x"},
	} {
		add(bad...)
	}
	add("t", "x", "d", "")
	last := add("t", "x") // no event, but a position
	got := f.waitCount(t, "a", 2)
	if string(got[0].Data) != "two\nlines" || got[0].Name != "name" || fmt.Sprint(got[0].Topics) != "[x y]" {
		t.Errorf("delivered %q %q %q", got[0].Topics, got[0].Name, got[0].Data)
	}
	f.wait(t, "the position of the last entry", func() bool { return l.Last().String() == last })
	if n := s.Counts().Skipped; n != 9 {
		t.Errorf("%d entries skipped, want 9", n)
	}
	if len(f.of("a")) != 2 {
		t.Errorf("%d events delivered, want 2", len(f.of("a")))
	}
	page := make([]*sse.Event, 1) // Redis itself is asked for what was before
	if n, err := l.After(t.Context(), before(start), l.Last(), page); n != 1 || err != nil || string(page[0].Data) != "not delivered" {
		t.Errorf("After = %d, %v", n, err)
	}
}

// TestRedis_TwoNodes publishes on two nodes at once: both deliver the same events in the
// same order, each once.
func TestRedis_TwoNodes(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	var nodes [2]*Redis
	var feeds [2]*testFeed
	for i := range nodes {
		nodes[i] = newRedis(t, "redis://"+srv.Addr, nil)
		feeds[i] = newTestFeed(nodes[i])
		mustFollow(t, nodes[i], "a")
	}
	const batches, size = 100, 20
	var publishers sync.WaitGroup
	for i, s := range nodes {
		publishers.Go(func() {
			l, _ := s.Open("a")
			for b := range batches {
				batch := newBatch(size)
				batch[3].Key = fmt.Sprint("same on both ", b) // one of the two is a duplicate
				for j := range batch {
					batch[j].Event.Data = fmt.Append(nil, i, " ", b, " ", j)
				}
				if err := l.Append(t.Context(), batch); err != nil {
					t.Errorf("node %d: %v", i, err)
				}
			}
		})
	}
	publishers.Wait()
	const want = 2*batches*size - batches
	a, b := feeds[0].waitCount(t, "a", want), feeds[1].waitCount(t, "a", want)
	if len(a) != want || len(b) != want {
		t.Fatalf("%d and %d events delivered, want %d", len(a), len(b), want)
	}
	for i := range a {
		if a[i].ID != b[i].ID || string(a[i].Data) != string(b[i].Data) {
			t.Fatalf("event %d is %v %q on one node and %v %q on the other", i, a[i].ID, a[i].Data, b[i].ID, b[i].Data)
		}
	}
	wantRising(t, a)
}
