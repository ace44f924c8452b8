package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"throng/sse"
)

// RedisOptions say which Redis, and the limits of what is kept there. Start from
// RedisDefaults and set URL.
type RedisOptions struct {
	URL string      // see redisurl.go: redis://, rediss://, redis-sentinel://, ?cluster=true, ?sentinel=NAME
	TLS *tls.Config // whom to trust and who we are, for rediss://; nil: the system's roots

	EventsMax     int           // events kept, a namespace (MAXLEN ~: up to one node of the stream more); 0: no limit
	AgeMax        time.Duration // age of what is kept (MINID ~, by Sweep); 0: no limit
	KeysMax       int           // idempotency keys known, a namespace
	KeyWindow     time.Duration // how long an idempotency key is known
	NamespacesMax int           // namespaces open at once on this node

	Timeout  time.Duration // longest wait for an answer of Redis
	Replicas int           // replicas that must have a batch before it is acknowledged (WAIT); 0: none. With fewer, the master keeps it and readers get it, but its records answer not_replicated; the next ones are not sent until replicas are back (no_replicas)

	RecentEventsMax     int   // newest events kept in memory here, a followed namespace
	RecentBytesMax      int64 // the same in bytes (sse.Event.Size)
	RecentTotalBytesMax int64 // bytes, all followed namespaces

	Guard Guard                  // asked before each Append, Follow and read that needs Redis (UnavailableError "isolated"); the tail has its own back-off. nil: all may call
	Check func(*sse.Event) error // refuses events of other programs (topics, name, size); nil: takes all
	Log   *slog.Logger           // nil: none
	Now   func() time.Time       // the clock, by which AgeMax is counted; nil: time.Now
}

// RedisDefaults are limits for a Redis that has a gigabyte or more for throng.
func RedisDefaults() RedisOptions {
	return RedisOptions{
		EventsMax:     65536,                  // as in memory: 18 events a second over AgeMax
		AgeMax:        time.Hour,              // longer than a laptop lid or a tunnel; after that a page reloads
		KeysMax:       65536,                  // 218 keyed publishes a second over KeyWindow
		KeyWindow:     5 * time.Minute,        // longer than any publisher retries
		NamespacesMax: 1024,                   // what one XREAD of a tail can name without hurting Redis
		Timeout:       800 * time.Millisecond, // a publisher waits a second at most, and Redis answers in less than one ms

		RecentEventsMax:     4096,      // who was away for a moment
		RecentBytesMax:      4 << 20,   // one namespace cannot take all
		RecentTotalBytesMax: 128 << 20, // what a small host can spare
	}
}

// Redis is the Store in Redis Streams, which many nodes share. Any goroutine may use it.
// It goes on without Redis: calls answer ErrUnavailable until it is back.
//
// A namespace is the stream throng:{NS}; the stream's IDs are the events' IDs, and any
// program may add to it. What is evicted here stays there. The position before the first
// event of a namespace that never had one is 0-1. Idempotency keys are in throng:{NS}:keys
// and throng:{NS}:keyorder, which expire by themselves.
//
// There are two connections to each master, one for commands and one for the tail, with
// Replicas up to 32 more, and one to each Sentinel or to a node of the Cluster. A user of Redis needs these rights:
//
//	~throng:* +xadd +xrange +xread +xtrim +xdel +xinfo|stream +eval +evalsha +hget +hset +hdel
//	+rpush +lpop +lindex +pexpire +time +ping +client|id +client|unblock +client|tracking
//	+client|setname, with Replicas +wait, in a Cluster +cluster|slots +asking
//
// Without client|unblock a namespace that is followed anew waits 20 ms for the tail; without
// client|tracking more than 64 namespaces cost Redis more, and a Cluster is polled.
type Redis struct {
	opts   RedisOptions
	target redisTarget
	recent *recentPool

	sentinels []*sentinel // where they tell who is the master
	feed      Feed        // set by Feed, before any Follow

	ctx    context.Context // done when the store is closed
	cancel context.CancelFunc
	work   sync.WaitGroup // all goroutines of the store
	kick   chan struct{}  // asks for a look at Sentinel or Cluster now
	counts redisCounts

	trimAt atomic.Int64 // when Sweep trims next, in unix nanoseconds

	mu     sync.RWMutex // guards the rest
	logs   map[string]*redisLog
	routes redisRoutes
	closed bool
}

var _ Shared = (*Redis)(nil)

// redisCounts are what RedisCounts is read from.
type redisCounts struct{ delivered, skipped, gaps, reconnects, redirects atomic.Uint64 }

// RedisCounts are totals since the store was made.
type RedisCounts struct {
	Skipped    uint64 // entries of other programs that are no events
	Gaps       uint64 // times that history which a followed namespace had seen, or had yet to see, was lost
	Reconnects uint64 // connections of tails made anew
	Redirects  uint64 // publishes that a Cluster sent to another node
}

// Counts gives the totals.
func (s *Redis) Counts() RedisCounts {
	c := &s.counts
	return RedisCounts{Skipped: c.skipped.Load(), Gaps: c.gaps.Load(), Reconnects: c.reconnects.Load(), Redirects: c.redirects.Load()}
}

// NewRedis connects, waiting for Timeout at most: a Redis that is away is no error, Health
// tells. Errors: the URL, a Timeout of 0.
func NewRedis(o RedisOptions) (*Redis, error) {
	target, err := parseRedisURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		return nil, fmt.Errorf("replay: Redis timeout %v; more than 0 is needed", o.Timeout)
	}
	if target.tls && o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if !target.tls {
		o.TLS = nil
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Redis{opts: o, target: target, kick: make(chan struct{}, 1), logs: make(map[string]*redisLog)}
	s.recent = newRecentPool(recentLimits{eventsMax: o.RecentEventsMax, bytesMax: o.RecentBytesMax}, o.RecentTotalBytesMax)
	if target.mode == redisSentinel {
		for _, addr := range target.addrs {
			s.sentinels = append(s.sentinels, &sentinel{s: s, addr: addr})
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.connect()
	return s, nil
}

// Feed implements Shared.
func (s *Redis) Feed(f Feed) { s.feed = f }

// Open implements Store. It asks Redis nothing: a Log learns its position by Follow, After
// or Append.
func (s *Redis) Open(ns string) (Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := s.logs[ns]; {
	case s.closed:
		return nil, ErrClosed
	case l != nil:
		return l, nil
	case len(s.logs) >= s.opts.NamespacesMax:
		return nil, ErrNamespaces
	}
	l := newRedisLog(s, ns)
	l.shard.Store(s.routes.of(l.slot))
	s.logs[ns] = l
	return l, nil
}

// Evict implements Store: what is known here goes, Redis keeps everything, keys included.
func (s *Redis) Evict(ns string) error {
	s.mu.Lock()
	l := s.logs[ns]
	delete(s.logs, ns)
	s.mu.Unlock()
	if l != nil {
		l.close()
	}
	return nil
}

// Resident implements Store: never, Redis is asked for all but the newest events.
func (s *Redis) Resident() bool { return false }

// Health implements Store. In a Cluster, one master that takes events is enough: others
// would have to be asked for by namespace, and a node that is taken out of service for a
// third of its namespaces would be lost to all of them.
func (s *Redis) Health() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	var ill error = &UnavailableError{Reason: "unreachable", Err: errNoShard}
	for _, h := range s.routes.shards {
		fault := h.fault()
		if fault == nil {
			return nil
		}
		ill = fault
	}
	return ill
}

// errNoShard: neither Sentinel nor Cluster has told of a master yet.
var errNoShard = errors.New("no master is known for the namespace")

// Stats implements Store: events and bytes are those in memory here, keys are in Redis
// alone and not counted.
func (s *Redis) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := &s.counts
	st := Stats{Namespaces: len(s.logs), Bytes: s.recent.bytes.Load(),
		TailEvents: c.delivered.Load(), TailSkipped: c.skipped.Load(), Rewrites: c.gaps.Load()}
	for _, l := range s.logs {
		st.Events += l.held()
		if l.followed.Load() {
			st.Followed++
		}
	}
	return st
}

// Close implements Store. It waits for the tails to end, and so for a Deliver under way.
func (s *Redis) Close() error {
	s.mu.Lock()
	logs, shards := s.logs, s.routes.shards
	s.closed, s.logs, s.routes = true, nil, redisRoutes{}
	s.mu.Unlock()
	s.cancel()
	for _, l := range logs {
		l.close()
	}
	for _, h := range shards {
		h.retire()
	}
	s.work.Wait()
	for _, x := range s.sentinels {
		x.close()
	}
	return nil
}
