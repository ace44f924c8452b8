package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// operator calls the admin port.
func (n *node) operator(method, path string, fields ...string) (status int, body string, header http.Header) {
	n.t.Helper()
	q, err := http.NewRequest(method, "http://"+n.AdminAddr().String()+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	q.Close = true
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		q.Header.Set(name, value)
	}
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return r.StatusCode, string(b), r.Header
}

var (
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"(?:, ?[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*")*\})? (\S+)$`)
	typeLine   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)$`)
)

// scrape reads /metrics as Prometheus would, strictly: each sample has a type that was
// told before it, no series comes twice, every value is a number.
func (n *node) scrape() map[string]float64 {
	n.t.Helper()
	status, body, header := n.operator("GET", "/metrics")
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/plain; version=0.0.4") || !strings.HasSuffix(body, "\n") {
		n.t.Fatalf("/metrics: %d %s", status, header.Get("Content-Type"))
	}
	types, values := map[string]string{}, map[string]float64{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if types[m[1]] != "" {
				n.t.Errorf("the type of %s is told twice", m[1])
			}
			types[m[1]] = m[2]
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			n.t.Errorf("no sample: %q", line)
			continue
		}
		family := m[1]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if cut, ok := strings.CutSuffix(family, suffix); ok && (types[cut] == "histogram" || types[cut] == "summary") {
				family = cut
			}
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if _, twice := values[m[1]+m[2]]; twice || err != nil || types[family] == "" {
			n.t.Errorf("%q: twice %v, type %q, %v", line, twice, types[family], err)
		}
		if strings.HasPrefix(family, "throng_") && (types[family] == "counter") != strings.HasSuffix(family, "_total") || v < 0 {
			n.t.Errorf("the %s %s is %v", types[family], family, v)
		}
		values[m[1]+m[2]] = v
	}
	return values
}

// The figures that dashboards are built on exist from the first scrape, and count.
func TestAdmin_Metrics(t *testing.T) {
	unless(t, "redis", "its tail and its gaps are counted otherwise")
	n := start(t, nil)
	before := n.scrape()
	for _, name := range []string{
		`throng_connections{kind="sse"}`, `throng_connections{kind="poll"}`, `throng_connections{kind="ws"}`, `throng_connections_opened_total`,
		`throng_connections_closed_total{reason="peer"}`, `throng_events_delivered_total`, `throng_delivery_lag_seconds_count`,
		`throng_broadcast_duration_seconds_count`, `throng_ring_fill_ratio{loop="0"}`, `throng_ring_fill_ratio{loop="1"}`, `throng_ring_full_total`,
		`throng_ring_lag_seconds{loop="0"}`, `throng_slow_consumers`, `throng_replay_events_total`, `throng_replay_gaps_total`,
		`throng_shed_total{reason="connections"}`, `throng_loop_turn_seconds_count`,
	} {
		if _, ok := before[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for _, code := range []string{"400", "404", "503"} {
		if v := before[`throng_http_responses_total{code="`+code+`"}`]; v != 0 {
			t.Errorf("%v answers %s before anybody was refused", v, code)
		}
	}
	n.publish("topic=a", "1")
	a, b := n.subscribe("topic=a&since=earliest"), n.subscribe("topic=a", "Last-Event-ID: 1-1")
	n.publish("topic=a", "2")
	n.publish("topic=a&ns=other", "3")
	a.takes("1", "2")
	b.toldGap().requested(t)
	b.takes("1", "2")
	n.pub.send(post("topic=a//", "x"))
	n.pub.answer("POST").refused(t, 400, "bad_topic")
	b.Close()
	until(t, "one stream is closed", func() bool { return n.Stats().Connections == 2 })
	after := n.scrape()
	for name, more := range map[string]float64{
		`throng_connections{kind="sse"}`: 1, `throng_connections_opened_total`: 3, `throng_connections_closed_total{reason="peer"}`: 1,
		`throng_events_delivered_total`: 4, `throng_replay_events_total`: 2, `throng_replay_gaps_total`: 1, `throng_delivery_lag_seconds_count`: 2,
		`throng_events_published_total{ns="default"}`: 2, `throng_events_published_total{ns="other"}`: 1, `throng_namespaces`: 2,
		`throng_retained_events`: 3, `throng_http_responses_total{code="200"}`: 5, `throng_http_responses_total{code="400"}`: 1,
		`throng_http_responses_total{code="503"}`: 0, `throng_publish_refused_total{code="bad_topic"}`: 1,
	} {
		if got := after[name] - before[name]; got != more {
			t.Errorf("%s rose by %v, want %v", name, got, more)
		}
	}
	a.Close()
	n.settles()
	for name := range n.scrape() {
		if strings.Contains(name, "topic=") || strings.Contains(name, "user=") {
			t.Errorf("%s: a label without a bound", name)
		}
	}
}

func TestAdmin_StatsHealthAndProfiles(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	n.publish("topic=a", "x")
	s.takes("x") // on Redis it is in the log when it has come back
	status, body, header := n.operator("GET", "/api/stats")
	var st server.Stats
	if err := json.Unmarshal([]byte(body), &st); err != nil || status != 200 || header.Get("Content-Type") != "application/json" {
		t.Fatalf("/api/stats: %d %v %s", status, err, body)
	}
	if st.Namespaces != 1 || st.Store.Events != 1 || len(st.Loops) != 2 || st.Connections != 2 || st.Limits.Connections != 20000 {
		t.Errorf("/api/stats: %s", body)
	}
	for path, want := range map[string]string{
		"/healthz": `{"status":"alive"}`, "/readyz": `{"status":"ready"}`, "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/cmdline": "test",
	} {
		if status, body, _ := n.operator("GET", path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	for path, want := range map[string]int{"/nowhere": 404, "/api/drain": 405} {
		if status, _, _ := n.operator("GET", path); status != want {
			t.Errorf("GET %s: %d, want %d", path, status, want)
		}
	}
	s.Close()
	n.settles()
}

// The operator drains by a call; a page of another origin, opened by the operator's
// browser, cannot.
func TestAdmin_Drain(t *testing.T) {
	n := start(t, func(o *server.Options) { o.DrainPeriod = 100 * time.Millisecond })
	s := n.subscribe("topic=a")
	if status, _, _ := n.operator("POST", "/api/drain", "Sec-Fetch-Site: cross-site"); status != 403 || n.Stats().Draining {
		t.Fatalf("a foreign page's drain was answered %d", status)
	}
	if status, _, _ := n.operator("POST", "/api/drain", "Sec-Fetch-Site: same-origin"); status != 202 {
		t.Fatalf("the drain was answered %d", status)
	}
	s.ends()
	if status, body, _ := n.operator("GET", "/readyz"); status != 503 || !strings.Contains(body, "draining") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _, _ := n.operator("POST", "/api/drain"); status != 202 {
		t.Errorf("a second drain was answered %d", status)
	}
	s.Close()
	n.settles()
}
