package bench

import (
	"cmp"
	"context"
	"io"
	"time"
)

// Options are the settings of one run. A zero field takes the scenario's default, so the
// Options in a Report are those that were used.
type Options struct {
	// URL is a server that runs already, "http://HOST:PORT"; nothing is started then.
	URL string `json:"url,omitempty"`
	// PID is the process of the server at URL: what it costs is read from /proc, its
	// children included. 0: those figures are left out.
	PID int `json:"pid,omitempty"`
	// Admin is the admin port of the server at URL, "HOST:PORT"; empty: it has none.
	Admin string `json:"admin,omitempty"`
	// Wire is how the server is spoken to, whoever started it.
	Wire

	// Server is the command line of the server under test; "{listen}" and "{admin}"
	// are replaced by free loopback addresses. Without "{admin}" the parts that read
	// metrics are left out.
	Server []string `json:"server"`
	// Peers are the servers to compare with; none: no comparison.
	Peers []PeerSpec `json:"peers,omitempty"`
	// Floor is the command line of the sender in C to compare with; empty: no comparison.
	Floor []string `json:"floor,omitempty"`

	Streams      int           `json:"streams"`                // subscriptions held at once
	StreamsLow   int           `json:"streamsLow,omitempty"`   // density: the first step
	Stalled      int           `json:"stalled,omitempty"`      // stall: readers that never read; slow, soak: slow clients
	Connections  int           `json:"connections,omitempty"`  // handover: in all; batch: at once; connect: that must attach, 0 for all; check, overload: publishers; limits: that the node may have
	Events       int           `json:"events,omitempty"`       // published, a phase
	PayloadBytes int           `json:"payloadBytes,omitempty"` // data of an event
	Pairs        int           `json:"pairs,omitempty"`        // phases with and without, or here and there
	Interval     time.Duration `json:"intervalNs,omitempty"`   // between publishes, open loop
	Duration     time.Duration `json:"durationNs,omitempty"`   // of the measured part
	Pacing       string        `json:"pacing,omitempty"`       // fanout: lockstep, burst or interval
	Rate         float64       `json:"rate,omitempty"`         // a second: connects, events or lines, as the scenario says
	Topics       int           `json:"topics,omitempty"`       // that the streams share
	Depth        int           `json:"depth,omitempty"`        // replay: events that a client has missed
	Lines        int           `json:"lines,omitempty"`        // batch, resume: of one request

	Namespaces    int           `json:"namespaces,omitempty"`      // that events are spread over
	Rounds        int           `json:"rounds,omitempty"`          // check: of faults
	RoundDuration time.Duration `json:"roundDurationNs,omitempty"` // check: length of a round, unless a fault takes longer
	Store         string        `json:"store,omitempty"`           // check, resume: of the nodes: memory, disk, redis or, in check, failover
	Nodes         int           `json:"nodes,omitempty"`           // check, nodes: servers
	Fsync         string        `json:"fsync,omitempty"`           // check: policy of the disk store, or of Redis' AOF
	Spool         string        `json:"spool,omitempty"`           // check: on: nodes keep what Redis can't take
	// ServerCPU is the share of processors that the server gets, by a control group of its
	// own; noQuota: it runs as it is started.
	ServerCPU float64 `json:"serverCPU,omitempty"`
	Load      string  `json:"load,omitempty"`     // overload: connections, publishes, both, or all of them in turn
	Stubborn  string  `json:"stubborn,omitempty"` // overload: on: clients do not care about Retry-After
	// Hold is how long a client that is served keeps its stream.
	Hold time.Duration `json:"holdNs,omitempty"`
	// Keep is a directory to write everything to that check noted; empty: none.
	Keep string `json:"keep,omitempty"`

	// Workers is how many processes hold the streams; 0: this one, or as many as its limit
	// of open files asks for. The program must call WorkerMain.
	Workers int `json:"workers,omitempty"`

	Sources int    `json:"sources"` // client addresses 127.0.0.1, .2, …
	Seed    uint64 `json:"seed"`    // of everything random

	Settle settleRule `json:"settle"` // density: when VmRSS counts as settled
	// Progress is told how far the run is; nil: nobody.
	Progress Progress `json:"-"`

	// window is the length of a look at a server that should be quiet, and of the wait for
	// events that nobody published.
	window time.Duration
	// patience is the longest wait for what is due: deliveries, and the return of what a
	// server holds for clients that have left.
	patience time.Duration
	// memoryMore is what a server's memory may grow by without being called growth, beside a
	// share; bytes.
	memoryMore float64

	Log io.Writer `json:"-"` // progress and the servers' output; nil: discarded
}

// or fills zero fields from the scenario's defaults d.
func (o Options) or(d Options) Options {
	o.Streams = cmp.Or(o.Streams, d.Streams)
	o.StreamsLow = cmp.Or(o.StreamsLow, d.StreamsLow)
	o.Stalled = cmp.Or(o.Stalled, d.Stalled)
	o.Connections = cmp.Or(o.Connections, d.Connections)
	o.Events = cmp.Or(o.Events, d.Events)
	o.PayloadBytes = max(cmp.Or(o.PayloadBytes, d.PayloadBytes), payloadBytesMin)
	o.Pairs = cmp.Or(o.Pairs, d.Pairs)
	o.Interval = cmp.Or(o.Interval, d.Interval)
	o.Duration = cmp.Or(o.Duration, d.Duration)
	o.Pacing = cmp.Or(o.Pacing, d.Pacing)
	o.Rate = cmp.Or(o.Rate, d.Rate)
	o.Topics = cmp.Or(o.Topics, d.Topics)
	o.Depth = cmp.Or(o.Depth, d.Depth)
	o.Lines = cmp.Or(o.Lines, d.Lines)
	o.Namespaces = cmp.Or(o.Namespaces, d.Namespaces)
	o.Rounds = cmp.Or(o.Rounds, d.Rounds)
	o.RoundDuration = cmp.Or(o.RoundDuration, d.RoundDuration)
	o.Store = cmp.Or(o.Store, d.Store)
	o.Nodes = cmp.Or(o.Nodes, d.Nodes)
	o.ServerCPU = cmp.Or(o.ServerCPU, d.ServerCPU)
	o.Load = cmp.Or(o.Load, d.Load)
	o.Stubborn = cmp.Or(o.Stubborn, d.Stubborn)
	o.Hold = cmp.Or(o.Hold, d.Hold)
	o.Sources = cmp.Or(o.Sources, d.Sources, min(max(sourcesDefault, o.Streams/sourceStreams+1), sourcesMax))
	o.Seed = cmp.Or(o.Seed, seedDefault)
	o.Settle = cmp.Or(o.Settle, rssSettled)
	o.window = cmp.Or(o.window, quietWindow)
	o.patience = cmp.Or(o.patience, deliveryLimit)
	o.memoryMore = cmp.Or(o.memoryMore, flatRSS)
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

const (
	// sourcesDefault gives 8 × 28,232 ports: phases that follow each other at once do
	// not run into the ports that the last one left in TIME_WAIT.
	sourcesDefault = 8
	// sourceStreams is how many streams have an address by default: half the ports.
	sourceStreams = 14000
	seedDefault   = 1
)

// Scenario is one load and what it measures.
type Scenario struct {
	Name     string
	About    string
	Defaults Options
	spreads  bool // its streams may be held by workers
	body     func(r *run) error
}

// Run starts the servers, runs the load and stops them. The error says that the run could
// not be made; a count that is wrong is a failed Check of the Report. It keeps the calling
// goroutine busy until it is done or ctx is cancelled.
func (s Scenario) Run(ctx context.Context, o Options) (Report, error) {
	r, err := begin(ctx, s, o)
	if err != nil {
		return Report{}, err
	}
	if err := r.recruit(s); err != nil {
		return r.end(err)
	}
	return r.end(s.body(r))
}

// Scenarios lists all scenarios in the order of the documentation.
func Scenarios() []Scenario {
	return []Scenario{density, fanout, device, fair, stall, handover, storm, connect, batch, slow, replay, resume, churn, soak, million, nodes, overload, limits, checker}
}

// Lookup finds a scenario by name.
func Lookup(name string) (Scenario, bool) {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}
