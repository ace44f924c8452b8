package server

import (
	"throng/breaker"
	"throng/internal/obs"
	"throng/replay"
	"throng/server/loops"
	"throng/source"
)

// Reasons why connections in the request phase are closed; they follow the loops'.
const (
	closeIdle     = iota // nothing came in time
	closeTimeout         // the rest of a request did not come in time
	closeAnswered        // the last answer was sent
	closePeer            // the client's doing; counted with the loops' own
)

var requestReasons = []string{"idle", "timeout", "done"}

// Reasons why connections, streams and events are shed.
const (
	shedConnections      = iota // --connections-max is reached
	shedRequests                // --requests-max is reached
	shedDescriptors             // no descriptor was left
	shedAddress                 // --address-connections-max is reached
	shedNamespaceStreams        // --namespace-streams-max is reached
	shedStreamsRate             // the load lets no more new streams in
	shedPublishRate             // nor publishes
	shedConnectionBreaker
	shedGatewayBreaker
	shedQueueRefused   // events: the policy refuses at once
	shedQueueShed      // events: shed by priority
	shedQueueConflated // events: replaced by newer ones
	shedQueueTimeout   // events: waited for as long as they may
)

var shedReasons = []string{
	"connections", "requests", "descriptors", "address", "namespace_streams", "streams_rate", "publish_rate",
	"connection_breaker", "gateway_breaker", "queue_refused", "queue_shed", "queue_conflated", "queue_timeout",
}

// Signals of pressure, by the index of their gauge.
const (
	signalCPU         = iota // of the processors that this process may use
	signalHost               // of all of them, where the scheduler is late as well
	signalDelay              // of a request that waits for its reactor
	signalEntry              // of a new stream: to be accepted, for its reactor, for its loop
	signalLateness           // of the scheduler
	signalLag                // of the loop that is the most behind with its events
	signalMemory             // of what this process may have
	signalDescriptors        // of those that this process may open
)

var signalNames = []string{"cpu", "host", "delay", "entry", "lateness", "lag", "memory", "descriptors"}

func newTable(n int) *obs.Table {
	var codes []string
	for _, p := range problems {
		codes = append(codes, p.code)
	}
	return obs.New(obs.Options{
		Loops:        n,
		CloseReasons: append(loops.Reasons(), requestReasons...),
		ShedReasons:  shedReasons,
		RefuseCodes:  codes,
		Breakers:     breakerLabels(),
		Signals:      signalNames,
		GRPCCodes:    source.Codes(),
	})
}

func breakerLabels() []obs.Layer {
	var all []obs.Layer
	for i, name := range breaker.Layers() {
		all = append(all, obs.Layer{Name: name, States: breaker.Layer(i).Names()})
	}
	return all
}

// countClosed counts the end of a connection in the request phase.
func (s *Server) countClosed(reason int) {
	if reason == closePeer {
		s.table.ConnectionsClosed[loops.ReasonPeer].Inc()
		return
	}
	s.table.ConnectionsClosed[len(loops.Reasons())+reason].Inc()
}

// countRefusal counts a publish that was refused.
func (s *Server) countRefusal(r *route, refused *refusal) {
	if r != nil && r.post != nil {
		s.countRefused(refused, 1)
	}
}

// countRefused counts events that were refused for the same reason.
func (s *Server) countRefused(refused *refusal, events uint64) {
	if events == 0 {
		return
	}
	for i, p := range problems {
		if p.code == refused.code {
			s.table.PublishRefused[i].Add(events)
			return
		}
	}
}

// sum adds a figure up over the loops, for a scrape.
func sum[T int | uint64](s *Server, of func(*loops.Figures) T) func() T {
	return func() T {
		var total T
		for _, l := range s.group.Loops() {
			f := l.Figures()
			total += of(&f)
		}
		return total
	}
}

func gauge(of func() int) func() float64 { return func() float64 { return float64(of()) } }

// bindMetrics lets scrapes read what the rooms count themselves.
func (s *Server) bindMetrics() {
	t := s.table
	t.Connections[obs.KindSSE].Func(gauge(sum(s, func(f *loops.Figures) int { return f.Streams })))
	t.Connections[obs.KindRequest].Func(func() float64 { return float64(s.edge.Open()) })
	t.ConnectionsOpened.Func(func() uint64 { return uint64(s.opened.Load()) })
	for i := range loops.Reasons() {
		t.ConnectionsClosed[i].Func(sum(s, func(f *loops.Figures) uint64 { return f.Closed[i] }))
	}
	t.EventsDelivered.Func(sum(s, func(f *loops.Figures) uint64 { return f.Events }))
	t.BytesWritten.Func(sum(s, func(f *loops.Figures) uint64 { return f.Bytes }))
	t.Heartbeats.Func(sum(s, func(f *loops.Figures) uint64 { return f.Heartbeats }))
	t.ReplayEvents.Func(sum(s, func(f *loops.Figures) uint64 { return f.Replayed }))
	t.ReplayGaps.Func(sum(s, func(f *loops.Figures) uint64 { return f.Gaps }))
	t.SlowConsumers.Func(gauge(sum(s, func(f *loops.Figures) int { return f.Lagging })))
	t.PinnedFrames.Func(gauge(sum(s, func(f *loops.Figures) int { return f.Pinned })))
	for i, l := range s.group.Loops() {
		t.RingFill[i].Func(func() float64 { return l.Figures().RingFill })
		t.RingLag[i].Func(func() float64 { return l.Figures().RingLagSeconds })
	}
	t.Namespaces.Func(gauge(s.hub.namespaces))
	t.RetainedEvents.Func(func() float64 { return float64(s.store.Stats().Events) })
	t.RetainedBytes.Func(func() float64 { return float64(s.store.Stats().Bytes) })
	for i := range t.BreakerState {
		t.BreakerState[i].Func(func() float64 { return float64(s.board.State(breaker.Layer(i))) })
	}
	s.bindStoreMetrics()
}

// bindStoreMetrics lets scrapes read what the store counts.
func (s *Server) bindStoreMetrics() {
	t := s.table
	t.StoreUp.Func(func() float64 {
		if s.store.Health() != nil {
			return 0
		}
		return 1
	})
	gauge := func(of func(*replay.Stats) int) func() float64 {
		return func() float64 { st := s.store.Stats(); return float64(of(&st)) }
	}
	count := func(of func(*replay.Stats) uint64) func() uint64 {
		return func() uint64 { st := s.store.Stats(); return of(&st) }
	}
	reads := sum(s, func(f *loops.Figures) uint64 { return f.Reads })
	t.StoreReads.Func(func() uint64 { return reads() + s.group.Paging().Events })
	t.StorePages.Func(func() uint64 { return s.group.Paging().Pages })
	t.Scans.Func(sum(s, func(f *loops.Figures) uint64 { return f.Scans }))
	t.ScansWaiting.Func(func() float64 { return float64(sum(s, func(f *loops.Figures) int { return f.Waiting })()) })
	t.Tails.Func(gauge(func(st *replay.Stats) int { return st.Followed }))
	t.TailEvents.Func(count(func(st *replay.Stats) uint64 { return st.TailEvents }))
	t.TailSkipped.Func(count(func(st *replay.Stats) uint64 { return st.TailSkipped }))
	t.TailRewrites.Func(count(func(st *replay.Stats) uint64 { return st.Rewrites }))
	t.SpooledEvents.Func(gauge(func(st *replay.Stats) int { return st.Spooled }))
	t.SpooledBytes.Func(gauge(func(st *replay.Stats) int { return int(st.SpooledBytes) }))
	t.SpoolTaken.Func(count(func(st *replay.Stats) uint64 { return st.SpoolTaken }))
	t.SpoolSent.Func(count(func(st *replay.Stats) uint64 { return st.SpoolSent }))
	t.SpoolDropped.Func(count(func(st *replay.Stats) uint64 { return st.SpoolDropped }))
}
