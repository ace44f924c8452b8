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
	// Server is the command line of the server under test; "{listen}" and "{admin}"
	// are replaced by free loopback addresses. Without "{admin}" the parts that read
	// metrics are left out.
	Server []string `json:"server"`
	// Peer is the command line of the net/http server to compare with; empty: no comparison.
	Peer []string `json:"peer,omitempty"`
	// Floor is the command line of the sender in C to compare with; empty: no comparison.
	Floor []string `json:"floor,omitempty"`

	Streams      int           `json:"streams"`                // subscriptions held at once
	StreamsLow   int           `json:"streamsLow,omitempty"`   // density: the first step
	Stalled      int           `json:"stalled,omitempty"`      // stall: readers that never read
	Connections  int           `json:"connections,omitempty"`  // handover: in all
	Events       int           `json:"events,omitempty"`       // published, a phase
	PayloadBytes int           `json:"payloadBytes,omitempty"` // data of an event
	Pairs        int           `json:"pairs,omitempty"`        // phases with and without, or here and there
	Interval     time.Duration `json:"intervalNs,omitempty"`   // between publishes, open loop
	Duration     time.Duration `json:"durationNs,omitempty"`   // of the measured part
	Pacing       string        `json:"pacing,omitempty"`       // fanout: lockstep, burst or interval

	Sources int    `json:"sources"` // client addresses 127.0.0.1, .2, …
	Seed    uint64 `json:"seed"`    // of everything random

	Settle settleRule `json:"settle"` // density: when VmRSS counts as settled
	Log    io.Writer  `json:"-"`      // progress and the servers' output; nil: discarded
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
	o.Sources = cmp.Or(o.Sources, sourcesDefault)
	o.Seed = cmp.Or(o.Seed, seedDefault)
	o.Settle = cmp.Or(o.Settle, rssSettled)
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

const (
	// sourcesDefault gives 8 × 28,232 ports: phases that follow each other at once do
	// not run into the ports that the last one left in TIME_WAIT.
	sourcesDefault = 8
	seedDefault    = 1
)

// Scenario is one load and what it measures.
type Scenario struct {
	Name     string
	About    string
	Defaults Options
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
	return r.end(s.body(r))
}

// Scenarios lists all scenarios in the order of the documentation.
func Scenarios() []Scenario {
	return []Scenario{density, fanout, device, fair, stall, handover, storm}
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
