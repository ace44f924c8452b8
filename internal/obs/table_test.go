package obs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// newTable is a table with small label tables.
func newTable() *Table {
	return New(Options{
		Loops:        2,
		CloseReasons: []string{"peer", "drain"},
		ShedReasons:  []string{"connections"},
		RefuseCodes:  []string{"bad_topic", "overload"},
		Breakers:     []Layer{{"queue", []string{"closed", "half-open", "open"}}, {"source", []string{"healthy", "degraded", "isolated"}}},
		Signals:      []string{"cpu", "memory"},
		GRPCCodes:    []string{"OK", "Unavailable"},
	})
}

// read scrapes and parses.
func read(t *testing.T, table *Table) *scrape {
	t.Helper()
	var out strings.Builder
	if err := table.WritePrometheus(&out); err != nil {
		t.Fatal(err)
	}
	s, err := parse(out.String())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// want compares values by series.
func want(t *testing.T, s *scrape, values map[string]float64) {
	t.Helper()
	for series, value := range values {
		if got, ok := s.values[series]; !ok || got != value {
			t.Errorf("%s is %v (there: %v), want %v", series, got, ok, value)
		}
	}
}

// TestTable_EverythingIsThereFromTheStart: each family is in the first scrape, described
// by its own words, and nothing else is.
func TestTable_EverythingIsThereFromTheStart(t *testing.T) {
	s := read(t, newTable())
	for _, f := range Families() {
		if s.types[f.Name] != f.Type || s.helps[f.Name] != f.Help || !slices.Contains(s.order, f.Name) {
			t.Errorf("%s: type %q, help %q; in the table %+v", f.Name, s.types[f.Name], s.helps[f.Name], f)
		}
	}
	if len(s.types) != len(Families()) {
		t.Errorf("%d families written, %d in the table", len(s.types), len(Families()))
	}
	for _, p := range s.samples {
		if strings.HasPrefix(p.name, "throng_") && p.value != 0 {
			t.Errorf("%s{%s} begins at %v", p.name, p.labels, p.value)
		}
	}
	want(t, s, map[string]float64{
		`throng_connections{kind="sse"}`:                  0,
		`throng_connections{kind="request"}`:              0,
		`throng_connections_closed_total{reason="drain"}`: 0,
		`throng_events_published_total{ns="other"}`:       0,
		`throng_http_responses_total{code="200"}`:         0,
		`throng_ring_fill_ratio{loop="1"}`:                0,
	})
	for _, f := range families {
		if f.Type == typeHistogram {
			if err := s.histogram(f.Name); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestTable_EachFieldIsItsSeries counts something different into every field.
func TestTable_EachFieldIsItsSeries(t *testing.T) {
	m := newTable()
	m.Connections[KindSSE].Add(5)
	m.Connections[KindSSE].Add(-2)
	m.Connections[KindPoll].Set(4)
	m.Connections[KindWS].Func(func() float64 { return 5 })
	m.Connections[KindRequest].Add(6)
	m.ConnectionsOpened.Add(7)
	m.ConnectionsClosed[0].Add(8)
	m.ConnectionsClosed[1].Inc()
	m.Shed[0].Add(10)
	m.PublishRefused[1].Add(11)
	m.EventsDelivered.Add(12)
	m.EventsDelivered.Func(func() uint64 { return 100 })
	m.BytesWritten.Add(1 << 52)
	m.RingFill[0].Func(func() float64 { return 0.25 })
	m.RingLag[1].Func(func() float64 { return 1.5 })
	m.RingFull.Add(13)
	m.SlowConsumers.Set(14)
	m.PinnedFrames.Set(15)
	m.Heartbeats.Add(16)
	m.ReplayEvents.Add(17)
	m.ReplayGaps.Add(18)
	m.Namespaces.Set(19)
	m.RetainedEvents.Set(20)
	m.RetainedBytes.Set(1 << 40)
	m.BreakerState[1].Set(2)
	m.BreakerTransitions[0][1].Add(22)
	m.BreakerTransitions[1][2].Add(23)
	m.Pressure[1].Func(func() float64 { return 0.5 })
	m.Heard.Func(func() float64 { return 0.25 })
	m.LimitStreams.Set(24)
	m.LimitPublishes.Set(25)
	m.UpstreamEvents.Add(26)
	m.UpstreamRetries.Add(27)
	m.UpstreamGaps.Add(28)
	m.GRPCResponses[1].Add(29)
	m.AppendDuration.Observe(time.Millisecond)
	m.DeliveryLag.ObserveNs(2e6, 2)
	m.BroadcastDuration.ObserveNs(1, 3)
	m.LoopTurn.ObserveNs(1, 4)
	s := read(t, m)
	want(t, s, map[string]float64{
		`throng_connections{kind="sse"}`:                                 3,
		`throng_connections{kind="poll"}`:                                4,
		`throng_connections{kind="ws"}`:                                  5,
		`throng_connections{kind="request"}`:                             6,
		`throng_connections_opened_total`:                                7,
		`throng_connections_closed_total{reason="peer"}`:                 8,
		`throng_breaker_state{layer="source"}`:                           2,
		`throng_breaker_transitions_total{layer="queue",to="half-open"}`: 22,
		`throng_breaker_transitions_total{layer="source",to="isolated"}`: 23,
		`throng_pressure_ratio{signal="memory"}`:                         0.5,
		`throng_limit_streams`:                                           24,
		`throng_limit_publishes`:                                         25,
		`throng_upstream_events_total`:                                   26,
		`throng_upstream_reconnects_total`:                               27,
		`throng_upstream_gaps_total`:                                     28,
		`throng_grpc_responses_total{code="Unavailable"}`:                29,
		`throng_connections_closed_total{reason="drain"}`:                1,
		`throng_shed_total{reason="connections"}`:                        10,
		`throng_publish_refused_total{code="bad_topic"}`:                 0,
		`throng_publish_refused_total{code="overload"}`:                  11,
		`throng_events_delivered_total`:                                  112,
		`throng_bytes_written_total`:                                     1 << 52,
		`throng_ring_fill_ratio{loop="0"}`:                               0.25,
		`throng_ring_lag_seconds{loop="1"}`:                              1.5,
		`throng_ring_full_total`:                                         13,
		`throng_slow_consumers`:                                          14,
		`throng_pinned_frames`:                                           15,
		`throng_heartbeats_total`:                                        16,
		`throng_replay_events_total`:                                     17,
		`throng_replay_gaps_total`:                                       18,
		`throng_namespaces`:                                              19,
		`throng_retained_events`:                                         20,
		`throng_retained_bytes`:                                          1 << 40,
		`throng_append_duration_seconds_bucket{le="0.001"}`:              1,
		`throng_append_duration_seconds_bucket{le="0.0005"}`:             0,
		`throng_append_duration_seconds_sum`:                             0.001,
		`throng_delivery_lag_seconds_count`:                              2,
		`throng_delivery_lag_seconds_sum`:                                0.004,
		`throng_broadcast_duration_seconds_count`:                        3,
		`throng_loop_turn_seconds_count`:                                 4,
	})
}

// TestTable_ResponsesByCode: expected codes have their own series, others share one.
func TestTable_ResponsesByCode(t *testing.T) {
	m := newTable()
	m.HTTPResponse(200).Add(2)
	m.HTTPResponse(503).Inc()
	for _, odd := range []int{418, 0, -1, 599, 600, 1 << 40} {
		m.HTTPResponse(odd).Inc()
	}
	want(t, read(t, m), map[string]float64{
		`throng_http_responses_total{code="200"}`:   2,
		`throng_http_responses_total{code="503"}`:   1,
		`throng_http_responses_total{code="404"}`:   0,
		`throng_http_responses_total{code="other"}`: 6,
	})
}

// TestTable_NamespacesAreBounded: however many there are, the scrape stays the same size.
func TestTable_NamespacesAreBounded(t *testing.T) {
	m := newTable()
	m.Published("other").Inc()
	for i := range publishedMax + 50 {
		m.Published(fmt.Sprint("ns", i)).Add(2)
		m.Published(fmt.Sprint("ns", i)).Inc()
	}
	s := read(t, m)
	want(t, s, map[string]float64{
		`throng_events_published_total{ns="ns0"}`:                               3,
		fmt.Sprintf(`throng_events_published_total{ns="ns%d"}`, publishedMax-1): 3,
		`throng_events_published_total{ns="other"}`:                             151,
	})
	n := 0
	for _, p := range s.samples {
		if p.name == nameEventsPublished {
			n++
		}
	}
	if n != publishedMax+1 {
		t.Errorf("%d series, want %d", n, publishedMax+1)
	}
}

// TestTable_HostileLabelIsEscaped: a label cannot end its line, whoever chose it.
func TestTable_HostileLabelIsEscaped(t *testing.T) {
	m := newTable()
	m.Published("a\"} 1\n\\x").Inc()
	want(t, read(t, m), map[string]float64{`throng_events_published_total{ns="a\"} 1\n\\x"}`: 1})
}

// TestTable_TwoServersCountApart: nothing is global but the process.
func TestTable_TwoServersCountApart(t *testing.T) {
	a, b := newTable(), newTable()
	a.Heartbeats.Inc()
	want(t, read(t, a), map[string]float64{nameHeartbeats: 1})
	want(t, read(t, b), map[string]float64{nameHeartbeats: 0})
}

// TestTable_CountingDuringScrapes: counters never fall from one scrape to the next, and
// each histogram agrees with itself at any moment.
func TestTable_CountingDuringScrapes(t *testing.T) {
	m := newTable()
	const each = 2000
	var counting sync.WaitGroup
	for i := range 3 {
		counting.Go(func() {
			for j := range each {
				m.EventsDelivered.Inc()
				m.DeliveryLag.ObserveNs(int64(j)*1e4, 1)
				m.Published(fmt.Sprint(i, j%100)).Inc()
			}
		})
	}
	last := 0.0
	for range 20 {
		s := read(t, m)
		if err := s.histogram(nameDeliveryLag); err != nil {
			t.Error(err)
		}
		if now := s.values[nameEventsDelivered]; now < last {
			t.Errorf("fell from %v to %v", last, now)
		} else {
			last = now
		}
	}
	counting.Wait()
	want(t, read(t, m), map[string]float64{nameEventsDelivered: 3 * each, nameDeliveryLag + "_count": 3 * each})
}

// TestTable_WriteErrorIsTold: a scraper that is gone is not a success.
func TestTable_WriteErrorIsTold(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := newTable().WritePrometheus(brokenWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// TestFamilies_NamesKeepTheConvention: throng_<subsystem>_<what>_<unit>[_total] in base
// units, and labels that cannot grow with users or topics.
func TestFamilies_NamesKeepTheConvention(t *testing.T) {
	name := regexp.MustCompile(`^throng(_[a-z]+)+$`)
	labels := []string{"", "kind", "reason", "code", "ns", "loop", "layer", "layer to", "signal"}
	scaled := regexp.MustCompile(`_(ms|us|ns|milliseconds|microseconds|nanoseconds|minutes|kb|mb|kilobytes|megabytes|percent)(_|$)`)
	for i, f := range families {
		total := strings.HasSuffix(f.Name, "_total")
		switch {
		case !name.MatchString(f.Name) || scaled.MatchString(f.Name):
			t.Errorf("%s: not the pattern, or not a base unit", f.Name)
		case total != (f.Type == typeCounter):
			t.Errorf("%s is a %s", f.Name, f.Type)
		case f.Type == typeHistogram && !strings.HasSuffix(f.Name, "_seconds"):
			t.Errorf("%s: histograms count seconds", f.Name)
		case f.Type == typeGauge && !regexp.MustCompile(`(s|_ratio|_up|_state)$`).MatchString(f.Name):
			t.Errorf("%s: a gauge is a ratio, a state, says what is up, or ends with what it counts", f.Name)
		case !slices.Contains(labels, f.Label):
			t.Errorf("%s: label %s is not in the list", f.Name, f.Label)
		case !strings.HasSuffix(f.Help, ".") || strings.ContainsAny(f.Help, "\\\n"):
			t.Errorf("%s: help %q is not a plain sentence", f.Name, f.Help)
		}
		for _, g := range families[:i] {
			if g.Name == f.Name || g.Help == f.Help {
				t.Errorf("%s and %s are the same", f.Name, g.Name)
			}
		}
	}
}
