package obs

import (
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"
)

// Kind is what a connection is, the label of throng_connections.
type Kind uint8

// The kinds.
const (
	KindSSE     Kind = iota // an SSE stream
	KindPoll                // a waiting long poll
	KindWS                  // a WebSocket
	KindRequest             // in the request phase, or idle between two requests
	kindCount
)

// String is the label.
func (k Kind) String() string { return [kindCount]string{"sse", "poll", "ws", "request"}[k] }

// publishedMax is how many namespaces have a series of their own in
// throng_events_published_total: what a dashboard can show, and a bound of what a scrape
// costs when namespaces come and go.
const publishedMax = 128

// other is the label of what has no series of its own.
const other = "other"

// Options are the label tables that other rooms own. The index in a table is the index
// in the Table's slice.
type Options struct {
	Loops        int      // loops, numbered from 0
	CloseReasons []string // why connections are closed
	ShedReasons  []string // why connections and requests are turned away
	RefuseCodes  []string // problem codes with which a publish is refused
	Breakers     []Layer  // layers of breakers
	Signals      []string // what makes pressure
	GRPCCodes    []string // status codes of gRPC
}

// Layer is the label of a layer of breakers, with those of its states.
type Layer struct {
	Name   string
	States []string
}

// Table is all the metrics of one server. Any goroutine may count; fields are set by New
// and must not be replaced. A field with a callback (Func) adds it to what was counted.
type Table struct {
	Connections       [kindCount]Gauge // by Kind
	ConnectionsOpened Counter
	ConnectionsClosed []Counter // by Options.CloseReasons
	Shed              []Counter // by Options.ShedReasons

	PublishRefused []Counter // by Options.RefuseCodes
	AppendDuration *Histogram

	EventsDelivered   Counter
	BytesWritten      Counter
	DeliveryLag       *Histogram
	BroadcastDuration *Histogram
	LoopTurn          *Histogram

	RingFill []Gauge // by loop, 0 to 1
	RingLag  []Gauge // by loop, seconds
	RingFull Counter

	SlowConsumers Gauge
	PinnedFrames  Gauge
	Heartbeats    Counter
	ReplayEvents  Counter
	ReplayGaps    Counter

	Namespaces     Gauge
	RetainedEvents Gauge
	RetainedBytes  Gauge

	StoreUp       Gauge
	StoreReads    Counter
	StorePages    Counter
	Scans         Counter
	ScansWaiting  Gauge
	Tails         Gauge
	TailEvents    Counter
	TailSkipped   Counter
	TailRewrites  Counter
	SpooledEvents Gauge
	SpooledBytes  Gauge
	SpoolTaken    Counter
	SpoolSent     Counter
	SpoolDropped  Counter

	BreakerState       []Gauge     // by Options.Breakers
	BreakerTransitions [][]Counter // by Options.Breakers and its states
	Pressure           []Gauge     // by Options.Signals
	Heard              Gauge
	LimitStreams       Gauge
	LimitPublishes     Gauge

	UpstreamEvents  Counter
	UpstreamRetries Counter
	UpstreamGaps    Counter
	GRPCResponses   []Counter // by Options.GRPCCodes

	set *metrics.Set

	responses      [600]*Counter // by status code; many share responsesOther
	responsesOther Counter

	mu             sync.Mutex          // guards published
	published      map[string]*Counter // by namespace, up to publishedMax
	publishedOther Counter
}

// statuses are the codes that the public port is expected to answer.
var statuses = [...]int{
	101, 200, 204, 400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 422, 429, 431, 500, 501, 503, 505,
}

// New makes a table whose series all exist and are zero. Labels in o must differ from
// each other within their table.
func New(o Options) *Table {
	t := &Table{
		ConnectionsClosed: make([]Counter, len(o.CloseReasons)),
		Shed:              make([]Counter, len(o.ShedReasons)),
		PublishRefused:    make([]Counter, len(o.RefuseCodes)),
		BreakerState:      make([]Gauge, len(o.Breakers)),
		Pressure:          make([]Gauge, len(o.Signals)),
		GRPCResponses:     make([]Counter, len(o.GRPCCodes)),
		AppendDuration:    NewHistogram(),
		DeliveryLag:       NewHistogram(),
		BroadcastDuration: NewHistogram(),
		LoopTurn:          NewHistogram(),
		RingFill:          make([]Gauge, o.Loops),
		RingLag:           make([]Gauge, o.Loops),
		set:               metrics.NewSet(),
		published:         make(map[string]*Counter),
	}
	t.registerLabelled(o)
	for name, c := range map[string]*Counter{
		nameConnectionsOpened: &t.ConnectionsOpened,
		nameEventsDelivered:   &t.EventsDelivered,
		nameBytesWritten:      &t.BytesWritten,
		nameRingFull:          &t.RingFull,
		nameHeartbeats:        &t.Heartbeats,
		nameReplayEvents:      &t.ReplayEvents,
		nameReplayGaps:        &t.ReplayGaps,
		nameStoreReads:        &t.StoreReads,
		nameStorePages:        &t.StorePages,
		nameScans:             &t.Scans,
		nameTailEvents:        &t.TailEvents,
		nameTailSkipped:       &t.TailSkipped,
		nameTailRewrites:      &t.TailRewrites,
		nameSpoolTaken:        &t.SpoolTaken,
		nameSpoolSent:         &t.SpoolSent,
		nameSpoolDropped:      &t.SpoolDropped,
		nameUpstreamEvents:    &t.UpstreamEvents,
		nameUpstreamRetries:   &t.UpstreamRetries,
		nameUpstreamGaps:      &t.UpstreamGaps,
	} {
		t.counter(name, c)
	}
	for name, g := range map[string]*Gauge{
		nameSlowConsumers:  &t.SlowConsumers,
		namePinnedFrames:   &t.PinnedFrames,
		nameNamespaces:     &t.Namespaces,
		nameRetainedEvents: &t.RetainedEvents,
		nameRetainedBytes:  &t.RetainedBytes,
		nameStoreUp:        &t.StoreUp,
		nameScansWaiting:   &t.ScansWaiting,
		nameTails:          &t.Tails,
		nameSpooledEvents:  &t.SpooledEvents,
		nameSpooledBytes:   &t.SpooledBytes,
		nameHeard:          &t.Heard,
		nameLimitStreams:   &t.LimitStreams,
		nameLimitPublishes: &t.LimitPublishes,
	} {
		t.gauge(name, g)
	}
	t.set.RegisterMetricsWriter(func(w io.Writer) {
		t.AppendDuration.write(w, nameAppendDuration)
		t.BroadcastDuration.write(w, nameBroadcastDuration)
		t.DeliveryLag.write(w, nameDeliveryLag)
		t.LoopTurn.write(w, nameLoopTurn)
	})
	return t
}

// registerLabelled registers the families with a label.
func (t *Table) registerLabelled(o Options) {
	for k := range t.Connections {
		t.gauge(nameConnections, &t.Connections[k], Kind(k).String())
	}
	for i := range o.Loops {
		t.gauge(nameRingFill, &t.RingFill[i], strconv.Itoa(i))
		t.gauge(nameRingLag, &t.RingLag[i], strconv.Itoa(i))
	}
	for i, reason := range o.CloseReasons {
		t.counter(nameConnectionsClosed, &t.ConnectionsClosed[i], reason)
	}
	for i, reason := range o.ShedReasons {
		t.counter(nameShed, &t.Shed[i], reason)
	}
	for i, code := range o.RefuseCodes {
		t.counter(namePublishRefused, &t.PublishRefused[i], code)
	}
	for i, l := range o.Breakers {
		t.gauge(nameBreakerState, &t.BreakerState[i], l.Name)
		t.BreakerTransitions = append(t.BreakerTransitions, make([]Counter, len(l.States)))
		for j, state := range l.States {
			t.counter(nameTransitions, &t.BreakerTransitions[i][j], l.Name, state)
		}
	}
	for i, signal := range o.Signals {
		t.gauge(namePressure, &t.Pressure[i], signal)
	}
	for i, code := range o.GRPCCodes {
		t.counter(nameGRPCResponses, &t.GRPCResponses[i], code)
	}
	for i := range t.responses {
		t.responses[i] = &t.responsesOther
	}
	t.counter(nameHTTPResponses, &t.responsesOther, other)
	for _, status := range statuses {
		c := &Counter{}
		t.responses[status] = c
		t.counter(nameHTTPResponses, c, strconv.Itoa(status))
	}
	t.counter(nameEventsPublished, &t.publishedOther, other)
}

// counter registers one series. The library's gauge prints any number; the type that a
// scrape sees is the family's.
func (t *Table) counter(family string, c *Counter, labels ...string) {
	t.set.NewGauge(series(family, labels), func() float64 { return float64(c.Value()) })
}

// gauge registers one series.
func (t *Table) gauge(family string, g *Gauge, labels ...string) {
	t.set.NewGauge(series(family, labels), g.Value)
}

// labelEscape is what the text format asks for in a label's value.
var labelEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// series is the full name of a series of a family.
func series(family string, values []string) string {
	var b strings.Builder
	b.WriteString(family)
	for i, name := range strings.Fields(familyOf[family].Label) {
		b.WriteString([]string{"{", ","}[min(i, 1)] + name + `="` + labelEscape.Replace(values[i]) + `"`)
	}
	if len(values) > 0 {
		b.WriteByte('}')
	}
	return b.String()
}

// HTTPResponse is the counter of a status code.
func (t *Table) HTTPResponse(status int) *Counter {
	if status < 0 || status >= len(t.responses) {
		return &t.responsesOther
	}
	return t.responses[status]
}

// Published is the counter of a namespace, made at its first use; namespaces after the
// first publishedMax, and one called other, share one. Keep it: it takes a lock to find.
func (t *Table) Published(ns string) *Counter {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.published[ns]
	switch {
	case c != nil:
		return c
	case ns == other || len(t.published) >= publishedMax:
		return &t.publishedOther
	}
	c = &Counter{}
	t.published[ns] = c
	t.counter(nameEventsPublished, c, ns)
	return c
}
