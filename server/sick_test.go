package server_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"throng/internal/redisproc"
	"throng/server"
)

// A sickness is one way in which Redis fails and comes back.
type sickness struct {
	name    string
	begins  func(w *ward)
	worsens func(w *ward) // when the nodes find it weak; nil: nothing
	ends    func(w *ward)
	meets   func(w *ward) // what else is looked at while it is isolated; nil: nothing
}

var sicknesses = []sickness{
	{
		name:   "stopped",
		begins: func(w *ward) { w.must(w.redis.Pause()) },
		ends:   func(w *ward) { w.must(w.redis.Resume()) },
		meets:  (*ward).lookAround,
	},
	{
		name:   "killed",
		begins: func(w *ward) { w.must(w.redis.Kill()) },
		ends:   func(w *ward) { w.must(w.redis.Restart(w.t.Context())) },
	},
	{
		name:    "slow",
		begins:  func(w *ward) { w.proxy.Delay((w.o.RedisSlow + w.o.ProbeTimeout) / 2) },
		worsens: func(w *ward) { w.proxy.Delay(2 * w.o.ProbeTimeout) },
		ends:    func(w *ward) { w.proxy.Delay(0) },
	},
	{
		name:   "full",
		begins: func(w *ward) { w.must(w.redis.Fill(w.t.Context())) },
		ends:   func(w *ward) { w.must(w.redis.Empty(w.t.Context())) },
		meets:  (*ward).readWhatIsFull,
	},
}

// sickTimes are the options that say how fast all goes: the defaults' shape, in less time.
// THRONG_SICK_DEFAULTS=1 takes the defaults.
func sickTimes(o *server.Options) {
	o.Heartbeat = time.Second
	if os.Getenv("THRONG_SICK_DEFAULTS") != "" {
		return
	}
	o.ProbeInterval, o.ProbeTimeout = 100*time.Millisecond, 250*time.Millisecond
	o.RedisSlow, o.RedisTimeout = 100*time.Millisecond, 250*time.Millisecond
	o.Ramp = 500 * time.Millisecond
}

// A real Redis fails in four ways under load and comes back. Two nodes are on it, one with a
// spool. Each finds it degraded, then isolated, then healthy; nothing that was acknowledged
// is lost, or comes twice, or out of its publisher's order.
func TestSick_RedisFailsAndComesBack(t *testing.T) {
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprintln(columns, "Redis\tnode\tfirst not 200\tdegraded\tisolated\t|\thealthy\tfirst 200\tlast not 200\t|\t200\t202\trefused\tgoroutines")
	for _, s := range sicknesses {
		t.Run(s.name, func(t *testing.T) {
			w := newWard(t)
			w.suffer(s)
			for _, n := range w.nodes {
				fmt.Fprintln(columns, s.name+"\t"+n.row(w))
			}
		})
	}
	_ = columns.Flush()
	t.Logf("times since the failure, and since its end:\n%s", table.String())
}

// A ward is a Redis, the nodes on it, and their publishers and readers.
type ward struct {
	t     *testing.T
	o     server.Options // of all
	redis *redisproc.Server
	proxy *redisproc.Proxy
	nodes []*patient

	before, most int       // goroutines
	failed, well time.Time // when the sickness began, and ended
}

// patience of the ward: as long as the defaults take, and a loaded machine.
const wardPatience = 2 * time.Minute

func newWard(t *testing.T) *ward {
	w := &ward{t: t, redis: startRedis(t)}
	var err error
	if w.proxy, err = redisproc.NewProxy(w.redis.Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.must(w.proxy.Close()) })
	for _, spool := range []string{"", t.TempDir()} {
		w.o = options(func(o *server.Options) {
			sickTimes(o)
			o.Store, o.Spool = "redis://"+w.proxy.Addr, spool
		})
		w.nodes = append(w.nodes, admitPatient(t, w.o))
	}
	return w
}

func (w *ward) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// each waits until something is true of all nodes.
func (w *ward) each(what string, ok func(*patient) bool) {
	w.t.Helper()
	for end := time.Now().Add(wardPatience); ; time.Sleep(5 * time.Millisecond) {
		w.most = max(w.most, runtime.NumGoroutine())
		left := ""
		for _, n := range w.nodes {
			if !ok(n) {
				left += fmt.Sprintf("\n%s: %v", n.name, n.changes())
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain: %s%s", what, left)
		}
	}
}

// suffer goes through one sickness under load.
func (w *ward) suffer(s sickness) {
	var publishers []*publisher
	for _, n := range w.nodes {
		n.read()
	}
	for _, n := range w.nodes {
		n.begin()
		publishers = append(publishers, n.publishers...)
	}
	w.before = runtime.NumGoroutine()
	w.each("events are published", (*patient).isCalm)

	w.failed = time.Now()
	s.begins(w)
	if s.worsens != nil {
		w.each("degraded", func(n *patient) bool { return n.passed(w.failed, "degraded") })
		s.worsens(w)
	}
	w.each("isolated", func(n *patient) bool { return n.passed(w.failed, "degraded", "isolated") })
	time.Sleep(3 * w.o.ProbeInterval) // and stays so
	if s.meets != nil {
		s.meets(w)
	}
	for _, n := range w.nodes {
		if n.passed(w.failed, "isolated", "healthy") {
			w.t.Errorf("%s: healthy, while Redis was not: %v", n.name, n.changes())
		}
	}
	w.well = time.Now()
	s.ends(w)
	w.each("healthy", func(n *patient) bool { return n.passed(w.failed, "degraded", "isolated", "healthy") })
	w.each("all is taken again", (*patient).isCalm)
	for _, n := range w.nodes {
		n.checkPath(w.failed)
	}
	for _, p := range publishers {
		p.end()
	}
	for _, n := range w.nodes {
		n.reader.hasAll(publishers)
	}
}

// lookAround: a node without its store serves what it has, says what it has not, and fast.
func (w *ward) lookAround() {
	n := w.nodes[0]
	c := n.dial()
	c.send(get("/readyz"))
	if a := c.answer("GET"); a.StatusCode != 503 || !strings.Contains(a.body, "source_isolated") {
		w.t.Errorf("ready: %d %s", a.StatusCode, a.body)
	}
	c.send(post("topic=a", "no"))
	a := c.answer("POST")
	a.refused(w.t, 503, "store_unavailable")
	if !strings.Contains(a.body, "(isolated)") || a.Header.Get("Retry-After") == "" {
		w.t.Errorf("a publish is refused so: %s", a.body)
	}
	c.send(get("/events?topic=a&ns=new"))
	c.answer("GET").refused(w.t, 503, "store_unavailable")
	c.send(get("/events?topic=a&ns=new", "Accept: text/event-stream"))
	if a := c.answer("GET"); a.StatusCode != 200 || !strings.HasPrefix(a.body, "retry: ") {
		w.t.Errorf("an EventSource got %d %q", a.StatusCode, a.body)
	}
	c.Close()

	back := n.subscribe("topic=a&since=" + n.reader.firstID())
	if e := back.next(); e.data == "" {
		w.t.Errorf("history from memory begins with %+v", e)
	}
	back.Close()
	quiet := n.subscribe("topic=quiet")
	if b := quiet.block(); !strings.HasPrefix(b, "id: ") {
		w.t.Errorf("the heartbeat is %q", b)
	}
	quiet.Close()

	spools := w.nodes[1].dial()
	spools.send(get("/readyz"))
	if a := spools.answer("GET"); a.StatusCode != 200 {
		w.t.Errorf("ready with a spool: %d %s", a.StatusCode, a.body)
	}
	spools.Close()
}

// readWhatIsFull: a Redis that is full can be read.
func (w *ward) readWhatIsFull() {
	_, err := w.redis.Do(context.Background(), "EXISTS", "throng:{default}")
	w.must(err)
	for _, n := range w.nodes {
		s := n.subscribe("topic=a&ns=never")
		s.Close()
		s = n.subscribe("topic=a&since=earliest")
		if e := s.next(); e.data == "" {
			w.t.Errorf("history begins with %+v", e)
		}
		s.Close()
	}
}
