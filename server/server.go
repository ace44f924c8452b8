package server

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"throng/breaker"
	"throng/httpparse"
	"throng/internal/obs"
	"throng/poller"
	"throng/replay"
	"throng/ringbuf"
	"throng/server/loops"
	"throng/source"
)

// Server is one node. Its methods may be called by any goroutine; New, then Serve, then
// Close, each once.
type Server struct {
	o        Options
	log      *slog.Logger
	table    *obs.Table
	board    *breaker.Board
	queue    *queue
	gateways *gateways // nil without breakers
	store    replay.Store
	guard    storeGuard  // of the store
	source   dataSources // the store and the upstreams, probed
	group    *loops.Group
	hub      *hub
	ln       *poller.Listener
	edge     *poller.Edge
	admin    *admin
	grpc     *source.Server // nil without --grpc
	limits   httpparse.Limits
	cors     cors
	date     dateLine
	head     atomic.Pointer[[]byte] // of a stream's answer, where it is the same for all
	away     [awayReasons]away      // the answers to those that are not let in
	writes   StatsWrites

	publishes  *breaker.Limiter // lets publishes in as the load allows
	shedReport shedReport
	door       *door
	addresses  *addresses // nil: any number of connections an address
	entering   entering
	atDoor     httpparse.Request // of a connection that is shed; of the reactor that accepts
	load       load
	watch      *watch
	streams    *breaker.Limiter // lets new streams in as the load allows
	upstreams  []*upstream

	connectionsMax int
	requestsMax    int
	inputMax       int // bytes of input a session deals with at once
	opened         atomic.Int64
	buffered       atomic.Int64
	draining       atomic.Bool
	exchanges      sync.Pool
	stop           chan struct{}
	mu             sync.Mutex // guards served and closed
	served         bool
	closed         bool
	background     sync.WaitGroup
	feeders        sync.WaitGroup // of upstreams: they end before what they feed
}

// lingerBytesMax is how much of a refused request is read and thrown away: enough for a
// body that was under way when it was refused, not for one that never ends.
const lingerBytesMax = 16 << 20

// New checks the options, binds both ports and prepares everything. It starts nothing.
func New(o Options, log *slog.Logger) (*Server, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	s := &Server{o: o, log: log, stop: make(chan struct{}), cors: newCORS(o.CORSOrigins)}
	if err := s.setLimits(); err != nil {
		return nil, err
	}
	s.date.set(time.Now())
	var err error
	if s.ln, err = poller.Listen(o.Listen, poller.ListenOptions{
		SendBufferBytes: o.SendBufferBytes, UserTimeout: o.StallTimeout, Addresses: o.AddressConnectionsMax > 0}); err != nil {
		return nil, err
	}
	if err = s.build(); err != nil {
		s.release()
		return nil, err
	}
	s.prebuild()
	s.ln.Admit, s.ln.Shed, s.ln.Exhausted, s.ln.Refusal = s.admit, s.shedConnection, s.exhausted, s.notEnough
	return s, nil
}

func (s *Server) setLimits() error {
	s.connectionsMax = s.o.ConnectionsMax
	available, err := poller.DescriptorsMax()
	if err != nil {
		return err
	}
	available -= s.storeDescriptors(available) + s.grpcDescriptors(available)
	if s.connectionsMax == 0 {
		s.connectionsMax = available
	} else if s.connectionsMax > available {
		s.log.Warn("fewer descriptors than --connections-max may be opened; raise the limit (ulimit -n)",
			"connections_max", s.connectionsMax, "available", available)
	}
	s.requestsMax = s.o.RequestsMax
	if s.requestsMax == 0 {
		s.requestsMax = max(s.connectionsMax/4, 1024)
	}
	s.limits = httpparse.DefaultLimits()
	s.limits.HeadBytesMax, s.limits.HeadersMax = s.o.HeadBytesMax, s.o.HeadersMax
	s.limits.TargetBytesMax = min(s.limits.TargetBytesMax, s.o.HeadBytesMax)
	s.inputMax = s.o.HeadBytesMax + max(s.o.BatchBytesMax, s.o.EventBytesMax) + 1<<20
	return s.limits.Check()
}

// release gives back what was bound and reserved by a server that never ran.
func (s *Server) release() {
	_ = s.ln.Close()
	if s.admin != nil {
		_ = s.admin.ln.Close()
	}
	s.closeGRPC()
	if s.group != nil {
		s.group.Stop()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}

// build makes the rooms and joins them.
func (s *Server) build() error {
	clock := loops.ClockFrom(time.Now())
	n := loopsOf(s.o.Loops)
	s.table = newTable(n)
	s.board = breaker.NewBoard(s.log, func(l breaker.Layer, to breaker.State) { s.table.BreakerTransitions[l][to].Inc() })
	s.door = newDoor(s)
	if s.o.AddressConnectionsMax > 0 {
		s.addresses = newAddresses(s.o.AddressConnectionsMax)
	}
	var err error
	if s.store, err = s.openStore(); err != nil {
		return err
	}
	s.gateways = newGateways(&s.o, s.board)
	options, err := s.loopOptions(n, clock)
	if err != nil {
		return err
	}
	s.gateways.listen(&options)
	if s.group, err = loops.New(options); err != nil {
		return err
	}
	s.queue = newQueue(&s.o, s.board, clock, s.eachLoop)
	s.publishes = breaker.NewLimiter(breaker.LimiterOptions{Min: float64(s.o.PublishRateMin), Burst: publishBurst, Clock: clock, AtOnce: true, ShareOver: refusedOver})
	s.hub = newHub(&s.o, s.store, s.group, s.table, s.queue, s.log, clock)
	s.hub.gates = s.gateways
	if shared, is := s.store.(replay.Shared); is {
		shared.Feed(feed{s.hub})
	}
	s.edge, err = poller.NewEdge(s.ln, poller.EdgeOptions{
		Reactors: s.reactors(), HeadTimeout: s.o.HeadTimeout, BodyTimeout: s.o.BodyTimeout,
		IdleTimeout: s.o.IdleTimeout, WriteTimeout: s.o.WriteTimeout, LingerTimeout: s.o.LingerTimeout, AheadBytesMax: s.inputMax,
		AheadTotalBytesMax: int64(s.o.BufferedBytesMax), NewSession: s.newSession, HandedOver: s.group.Nudge,
		Log: logWriter{s.log},
	})
	if err != nil {
		return err
	}
	if err = s.makeUpstreams(); err != nil {
		return err
	}
	s.watchSources()
	s.bindMetrics()
	s.watchNext()
	if s.o.Admin != "" {
		if s.admin, err = newAdmin(s); err != nil {
			return err
		}
	}
	return s.listenGRPC()
}

func loopsOf(n int) int {
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return n
}

func (s *Server) reactors() int {
	if s.o.Reactors == 0 {
		return max(1, runtime.GOMAXPROCS(0)/8)
	}
	return s.o.Reactors
}

func (s *Server) loopOptions(n int, clock func() int64) (loops.Options, error) {
	wait, err := ringbuf.ParseStrategy(s.o.Wait)
	if err != nil {
		return loops.Options{}, err
	}
	policy, ok := loops.ParseLagPolicy(s.o.LagPolicy)
	if !ok {
		return loops.Options{}, fmt.Errorf("--lag-policy %q: catchup, skip or close is expected", s.o.LagPolicy)
	}
	newPoller, err := s.chooseWrites()
	if err != nil {
		return loops.Options{}, err
	}
	return loops.Options{
		Loops: n, NewPoller: newPoller, Net: s.loopsNet(),
		Clock: clock, Random: rand.Uint32, Wait: wait, Log: s.log,
		RowsMax: s.connectionsMax + shedRowsMax, RingEvents: s.o.RingEvents, MailboxMax: mailboxMax, PinnedMax: s.o.PinnedMax,
		ScansMax: s.o.ScansMax, PagersMax: s.o.PagersMax, TurnWritesMax: s.o.TurnWritesMax, ClientBytesMax: s.o.ClientBytesMax, LingerBytesMax: lingerBytesMax,
		Heartbeat: s.o.Heartbeat, StallTimeout: s.o.StallTimeout, LingerTimeout: s.o.LingerTimeout,
		RetryMs: int(s.o.Retry.Milliseconds()), Lag: policy,
		Lags: s.table.DeliveryLag, Broadcasts: s.table.BroadcastDuration, Turns: s.table.LoopTurn,
	}, nil
}

// shedRowsMax is how many connections over the limit may be lingering with their answer.
const shedRowsMax = 1024

// mailboxMax is how many hand-overs may wait for one loop; more wait before its door.
const mailboxMax = 4096

func (s *Server) random() uint32 { return rand.Uint32() }

// Addr is the public port's address.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// AdminAddr is the admin port's address, or nil without one.
func (s *Server) AdminAddr() net.Addr {
	if s.admin == nil {
		return nil
	}
	return s.admin.ln.Addr()
}
