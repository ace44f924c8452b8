package replay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"throng/internal/redisproc"
	"throng/sse"
)

// benchBatch makes n records of 200 bytes.
func benchBatch(n int) []Record {
	batch := make([]Record, n)
	for i := range batch {
		batch[i].Event = &sse.Event{Topics: []string{"bench/topic"}, Data: make([]byte, 200)}
		for j := range batch[i].Event.Data {
			batch[i].Event.Data[j] = 'x'
		}
	}
	return batch
}

// BenchmarkRedisAppend is events of 200 bytes through Append, one namespace, one publisher
// at a time; "keyed" is the script.
func BenchmarkRedisAppend(b *testing.B) {
	srv := startRedis(b, redisproc.Options{})
	for _, size := range []int{1, 64, 1024} {
		for _, kind := range []string{"plain", "keyed"} {
			b.Run(fmt.Sprintf("batch=%d/%s", size, kind), func(b *testing.B) {
				s := newRedis(b, "redis://"+srv.Addr, nil)
				l, err := s.Open("a")
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for b.Loop() {
					batch := benchBatch(size)
					for i := range batch {
						if kind == "keyed" {
							batch[i].Key = fmt.Sprint(b.N, "-", n)
						}
						n++
					}
					if err := l.Append(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// A benchKey names an event: two namespaces may give the same ID.
type benchKey struct {
	ns string
	id sse.ID
}

// A countFeed counts and remembers when each event came.
type countFeed struct {
	mu   sync.Mutex
	came map[benchKey]time.Time
	n    int
	want int
	done chan struct{}
}

func (f *countFeed) Room(string) bool { return true }

func (f *countFeed) Deliver(ns string, events []*sse.Event) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		if len(e.Topics) == 0 {
			continue
		}
		if f.came != nil {
			f.came[benchKey{ns, e.ID}] = now
		}
		if f.n++; f.n == f.want {
			close(f.done)
		}
	}
}

// BenchmarkRedisTail reads what was in the stream before: how fast a node catches up.
func BenchmarkRedisTail(b *testing.B) {
	srv := startRedis(b, redisproc.Options{})
	const events = 50_000
	for b.Loop() {
		b.StopTimer()
		if _, err := srv.Do(b.Context(), "FLUSHALL"); err != nil {
			b.Fatal(err)
		}
		s := newRedis(b, "redis://"+srv.Addr, nil)
		f := &countFeed{want: events, done: make(chan struct{})}
		s.Feed(&gate{countFeed: f})
		l := mustFollow(b, s, "a")
		for range events / 1000 {
			if err := l.Append(b.Context(), benchBatch(1000)); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		s.feed.(*gate).open()
		<-f.done
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}

// A gate is a feed that has no room at first.
type gate struct {
	*countFeed
	opened bool
}

func (g *gate) Room(string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = true
}

// BenchmarkRedisLatency publishes 2,000 events a second, open loop, to 1,000 followed
// namespaces in turn, on one node, and measures until another node delivers them; then the
// same with nothing but XADD on one connection and XREAD BLOCK of one stream on another.
func BenchmarkRedisLatency(b *testing.B) {
	const namespaces, rate, seconds = 1000, 2000, 5
	srv := startRedis(b, redisproc.Options{})
	for b.Loop() {
		publishing, reading := newRedis(b, "redis://"+srv.Addr, nil), newRedis(b, "redis://"+srv.Addr, nil)
		f := &countFeed{want: rate * seconds, done: make(chan struct{}), came: map[benchKey]time.Time{}}
		reading.Feed(f)
		logs := make([]Log, namespaces)
		for i := range logs {
			ns := fmt.Sprint("ns", i)
			mustFollow(b, reading, ns)
			logs[i], _ = publishing.Open(ns)
		}
		cpu := redisCPU(b, srv)
		sent := pace(b, rate, rate*seconds, func(n int) benchKey {
			batch := benchBatch(1)
			if err := logs[n%namespaces].Append(b.Context(), batch); err != nil {
				b.Error(err)
			}
			return benchKey{fmt.Sprint("ns", n%namespaces), batch[0].Event.ID}
		})
		<-f.done
		report(b, "throng", sent, f.came)
		b.ReportMetric((redisCPU(b, srv)-cpu)/seconds*100, "redis-cpu-%")
		bareSent, bareCame := bareLatency(b, srv.Addr, rate, rate*seconds)
		report(b, "bare", bareSent, bareCame)
	}
}

// redisCPU is how many seconds of processor time a server has used.
func redisCPU(b *testing.B, srv *redisproc.Server) (seconds float64) {
	for line := range strings.Lines(do(b, srv, "INFO", "cpu")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			seconds += n
		}
	}
	return seconds
}

// pace calls publish n times, rate a second, from as many goroutines as it takes, and
// gives when each ID was due.
func pace(b *testing.B, rate, n int, publish func(n int) benchKey) map[benchKey]time.Time {
	sent := make(map[benchKey]time.Time, n)
	var mu sync.Mutex
	var callers sync.WaitGroup
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		callers.Go(func() {
			key := publish(i)
			mu.Lock()
			defer mu.Unlock()
			sent[key] = due
		})
	}
	callers.Wait()
	return sent
}

// bareLatency is the same without us.
func bareLatency(b *testing.B, addr string, rate, n int) (sent, came map[benchKey]time.Time) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true, PipelineMultiplex: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	came = make(map[benchKey]time.Time, n)
	var reader sync.WaitGroup
	reader.Go(func() {
		for last := "0"; len(came) < n; {
			cmd := client.B().Xread().Count(256).Block(1000).Streams().Key("bare").Id(last).Build()
			reply, err := client.Do(context.Background(), cmd).AsXReadSlices()
			if err != nil && !rueidis.IsRedisNil(err) {
				b.Error(err)
				return
			}
			now := time.Now()
			for _, e := range reply["bare"] {
				id, _ := sse.ParseID(e.ID)
				came[benchKey{id: id}], last = now, e.ID
			}
		}
	})
	data := string(benchBatch(1)[0].Event.Data)
	sent = pace(b, rate, n, func(int) benchKey {
		cmd := client.B().Xadd().Key("bare").Id("*").FieldValue().FieldValue("t", "bench/topic").FieldValue("d", data).Build()
		text, err := client.Do(context.Background(), cmd).ToString()
		if err != nil {
			b.Error(err)
		}
		id, _ := sse.ParseID(text)
		return benchKey{id: id}
	})
	reader.Wait()
	return sent, came
}

// report gives the percentiles from due to delivered.
func report(b *testing.B, name string, sent, came map[benchKey]time.Time) {
	var took []time.Duration
	for key, at := range sent {
		if when, ok := came[key]; ok {
			took = append(took, when.Sub(at))
		}
	}
	slices.Sort(took)
	if len(took) == 0 {
		b.Fatal("nothing was delivered")
	}
	for _, p := range []int{50, 99} {
		d := took[(len(took)-1)*p/100]
		b.ReportMetric(float64(d.Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", name, p))
	}
}
