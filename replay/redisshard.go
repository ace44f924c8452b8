package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Sizes and times of a connection.
const (
	redisClientName = "throng" // CLIENT LIST shows it
	redisBufBytes   = 64 << 10 // each way, a connection: a batch of small events
	redisRingScale  = 9        // 512 pipelines under way: see redisplace.go
	redisBackOffMin = 10 * time.Millisecond
	redisBackOffMax = time.Second
	redisRefusedGap = 250 * time.Millisecond // between looks whether Redis takes writes again
)

// A redisShard is one master: two connections, one for commands of everybody and one for
// the tail, and some that wait for replicas. Any goroutine may use it. Its keeper finds out whether the master can be
// reached again, so that nobody else has to wait to find that it can't.
type redisShard struct {
	s    *Redis
	addr string
	tail redisTail

	ctx    context.Context // done when the master is not ours any more
	cancel context.CancelFunc
	kick   chan struct{}
	ready  chan struct{}  // closed when the first look is over
	client rueidis.Client // set before away is nil for the first time

	away     atomic.Pointer[UnavailableError] // why nobody should ask; nil: ask
	refusing atomic.Pointer[refusal]          // Redis answers, but does not store
	scripted atomic.Bool                      // the server knows keyedScript
	waiters  chan struct{}                    // a place for each connection that waits for replicas
	places   chan struct{}                    // a place for each pipeline on the connection for commands
}

// A refusal is why a write was refused, and a key that says whether it still would be.
type refusal struct {
	fault *UnavailableError
	key   string
}

// errNotYet: nobody has connected yet.
var errNotYet = errors.New("not connected yet")

// newRedisShard starts the keeper of a master, which starts the tail.
func newRedisShard(s *Redis, addr string) *redisShard {
	h := &redisShard{s: s, addr: addr, kick: make(chan struct{}, 1), ready: make(chan struct{}), waiters: make(chan struct{}, redisWaitersMax), places: make(chan struct{}, redisPlacesMax)}
	h.ctx, h.cancel = context.WithCancel(s.ctx)
	h.away.Store(&UnavailableError{Reason: reasonUnreachable, Err: errNotYet})
	h.tail.init(h)
	s.work.Go(h.keep)
	return h
}

// retire ends the shard's goroutines, which close its connections.
func (h *redisShard) retire() { h.cancel() }

// fault is why the master can't take events now; nil: it can.
func (h *redisShard) fault() *UnavailableError {
	if f := h.away.Load(); f != nil {
		return f
	}
	if r := h.refusing.Load(); r != nil {
		return r.fault
	}
	return nil
}

// keep connects and then watches: it sleeps while all is well.
func (h *redisShard) keep() {
	option := h.s.clientOption(h.addr)
	option.DialCtxFn = h.dial
	client, err := rueidis.NewClient(option)
	if client == nil {
		h.s.opts.Log.Error("Redis: the options are refused", "address", h.addr, "error", err)
		close(h.ready)
		return
	}
	h.client = client
	defer client.Close()
	var tail sync.WaitGroup
	defer tail.Wait()
	tail.Go(h.tail.run)
	tail.Go(h.tail.interrupts)
	for failures, first, told := 0, true, false; ; first = false {
		fault := h.look()
		if h.ctx.Err() != nil {
			return
		}
		if before := h.away.Swap(fault.forOthers()); before != nil && fault == nil {
			nudge(h.tail.wake)
		}
		if first {
			close(h.ready)
		}
		told = h.report(fault, told, first)
		var again <-chan time.Time
		switch {
		case fault != nil:
			failures++
			again = time.After(redisBackOff(failures))
		case h.refusing.Load() != nil:
			failures = 0
			again = time.After(redisRefusedGap)
		default:
			failures = 0
		}
		select {
		case <-h.ctx.Done():
			return
		case <-h.kick:
		case <-again:
		}
	}
}

// report says once that Redis is away, or back, and gives whether it was said to be away.
func (h *redisShard) report(fault *UnavailableError, told, first bool) bool {
	switch {
	case fault != nil && !told:
		h.s.opts.Log.Warn("Redis is away", "address", h.addr, "reason", fault.Reason, "error", fault.Err)
	case fault == nil && (told || first):
		h.s.opts.Log.Info("Redis answers", "address", h.addr)
	}
	return fault != nil
}

// look asks whether the master can be reached, and where it refused to store, whether it
// still does: by an XADD to a stream that does not exist, and shall not.
func (h *redisShard) look() *UnavailableError {
	ctx, cancel := context.WithTimeout(h.ctx, h.s.opts.Timeout)
	defer cancel()
	if fault := redisFault(h.client.Do(ctx, h.client.B().Ping().Build()).Error()); fault != nil {
		h.scripted.Store(false)
		h.s.look()
		return fault
	}
	if h.away.Load() != nil { // it may have slept, with its connections, while another took its place
		if err := h.s.confirm(ctx, h.addr); err != nil {
			h.s.look()
			return &UnavailableError{Reason: reasonUnreachable, Err: err}
		}
	}
	if r := h.refusing.Load(); r != nil {
		cmd := h.client.B().Arbitrary("XADD").Keys(r.key).Args("NOMKSTREAM", "*", "probe", "1").Build()
		fault := redisFault(h.client.Do(ctx, cmd).Error())
		if fault == nil {
			fault = h.lookReplicas()
		}
		switch {
		case fault == nil:
			h.refusing.CompareAndSwap(r, nil)
		case fault.isAway():
			return fault
		default:
			h.refusing.CompareAndSwap(r, &refusal{fault, r.key})
			h.s.look()
		}
	}
	return nil
}

// failed notes what went wrong with a command. key is one that nobody has, in the slot of
// the command; "" when it was no write.
func (h *redisShard) failed(fault *UnavailableError, key string) {
	switch {
	case fault.isAway():
		h.scripted.Store(false)
		h.away.CompareAndSwap(nil, fault.forOthers())
	case fault.Reason == reasonRefused || key == "":
		return // of this command, not of the server; or for the next write to find
	default:
		h.refusing.CompareAndSwap(nil, &refusal{fault, key})
	}
	nudge(h.kick)
	h.s.look()
}

// do sends commands in one pipeline and waits for Timeout at most. The error is why Redis
// was not asked, or did not answer; refusals are in the results.
func (h *redisShard) do(ctx context.Context, cmds ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	limited, cancel := context.WithTimeout(ctx, h.s.opts.Timeout)
	defer cancel()
	if err := h.enter(limited); err != nil {
		return nil, err
	}
	defer h.leave()
	return h.judge(ctx, h.client.DoMulti(limited, cmds...))
}

// read is do for what may be large: that it takes too long need not be Redis' fault, so the
// keeper finds out. late says that it was so.
func (h *redisShard) read(ctx context.Context, cmds ...rueidis.Completed) (_ []rueidis.RedisResult, late bool, _ error) {
	limited, cancel := context.WithTimeout(ctx, h.s.opts.Timeout)
	defer cancel()
	if err := h.enter(limited); err != nil {
		return nil, false, err
	}
	defer h.leave()
	results := h.client.DoMulti(limited, cmds...)
	for i := range results {
		if err := results[i].NonRedisError(); errors.Is(err, context.DeadlineExceeded) {
			nudge(h.kick)
			return nil, true, redisFault(err)
		}
	}
	results, err := h.judge(ctx, results)
	return results, false, err
}

// judge finds out whether a pipeline got through, for whom ctx is.
func (h *redisShard) judge(ctx context.Context, results []rueidis.RedisResult) ([]rueidis.RedisResult, error) {
	err := results[0].NonRedisError()
	if err == nil {
		return results, nil
	}
	fault := redisFault(err)
	if isCallers(ctx, err) {
		return nil, fault
	}
	if h.ctx.Err() != nil {
		return nil, &UnavailableError{Reason: fault.Reason, Err: ErrClosed}
	}
	h.failed(fault, "")
	return nil, fault
}

// clientOption is how we connect: nothing is ever sent twice, nothing is cached.
func (s *Redis) clientOption(addr string) rueidis.ClientOption {
	timeout := s.opts.Timeout
	return rueidis.ClientOption{
		InitAddress: []string{addr}, ForceSingleClient: true,
		Username: s.target.user, Password: s.target.password, SelectDB: s.target.db,
		TLSConfig:  s.opts.TLS,
		Dialer:     net.Dialer{Timeout: timeout},
		DialCtxFn:  redisDial,
		ClientName: redisClientName, ClientSetInfo: rueidis.DisableClientSetInfo,
		DisableRetry: true, DisableCache: true,
		PipelineMultiplex: -1, BlockingPipeline: -1,
		BlockingPoolSize: 2 + redisWaitersMax, BlockingPoolCleanup: redisWaiterIdle, // for the tail, and the one it had before
		ReadBufferEachConn: redisBufBytes, WriteBufferEachConn: redisBufBytes, RingScaleEachConn: redisRingScale,
		ConnWriteTimeout: 2 * timeout,
	}
}

// redisDial connects and marks a failure as one: nothing was sent.
func redisDial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	var c net.Conn
	var err error
	if t != nil {
		c, err = (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
	} else {
		c, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, dialError{err}
	}
	return c, nil
}

// redisBackOff is how long to wait after so many failures in a row: doubled each time, and
// anything from half of it to all of it, so that nodes do not come back in step.
func redisBackOff(failures int) time.Duration {
	d := min(redisBackOffMin<<min(failures-1, 10), redisBackOffMax)
	return d/2 + rand.N(d/2+1)
}

// nudge signals without waiting: one signal is as good as several.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
