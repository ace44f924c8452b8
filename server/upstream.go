package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"throng/source"
)

// upstream follows a namespace of another node, or of a program that serves throng.v1.Source,
// and publishes here what it gives, in the same namespace and order.
//
// One goroutine runs it. Each event has a key made of the source's address and its ID there,
// so that one which is read again, here or by another node on the same store, is published
// once. The position moves when an event is in the log, and what can't be published waits
// with everything behind it: the source is then not read from.
type upstream struct {
	srv       *Server
	log       *slog.Logger
	url       string
	address   string
	namespace string
	secure    bool
	guard     guard // nil: it may always be dialled

	ctx    context.Context // ends with stop
	cancel context.CancelFunc

	failed  seldom // streams that ended
	waiting seldom // publishes that failed
	skipped seldom // events that are none here

	mu        sync.Mutex // guards the rest
	client    *source.Client
	streaming bool  // a stream is opened or open on client
	at        place // everything up to it is published; without an ID the stream begins now
	place     placeFile
}

// guard says whether a data source should be given work; a breaker.Channel is one.
type guard interface{ Allow() bool }

// Waits between two tries: each is a random part of a limit that doubles (full jitter), so
// that nodes that lost the same source do not come back together.
const (
	upstreamWaitMin = 100 * time.Millisecond
	upstreamWaitMax = 10 * time.Second
	// upstreamAsk is how often the guard is asked by who may not go on.
	upstreamAsk = 200 * time.Millisecond
)

// retreat is how long to wait the next time.
type retreat struct{ limit time.Duration }

func (r *retreat) next() time.Duration {
	r.limit = min(max(2*r.limit, upstreamWaitMin), upstreamWaitMax)
	return rand.N(r.limit)
}

// makeUpstreams prepares what --upstreams names; nothing is dialled yet.
func (s *Server) makeUpstreams() error {
	for _, url := range s.o.Upstreams {
		address, namespace, secure, err := parseUpstream(url)
		if err != nil {
			return fmt.Errorf("--upstreams: %w", err)
		}
		u := &upstream{srv: s, url: url, address: address, namespace: namespace, secure: secure, log: s.log.With("upstream", url)}
		u.ctx, u.cancel = context.WithCancel(context.Background())
		if err := u.remember(); err != nil {
			return err
		}
		s.upstreams = append(s.upstreams, u)
	}
	return nil
}

// name is the upstream's in /api/breakers and in logs.
func (u *upstream) name() string { return "upstream " + u.address + "/" + u.namespace }

// Probe asks for the source's health, on the stream's connection if there is one.
func (u *upstream) Probe(ctx context.Context) error {
	c, err := u.connection(false)
	if err != nil {
		return err
	}
	if err = c.Check(ctx); err != nil {
		u.leave(c, false)
	}
	return err
}

// connection gives the one there is, or a new one.
func (u *upstream) connection(stream bool) (*source.Client, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ctx.Err() != nil {
		return nil, errUpstreamClosed
	}
	if u.client == nil {
		c, err := source.Dial(u.address, u.secure)
		if err != nil {
			return nil, err
		}
		u.client = c
	}
	u.streaming = u.streaming || stream
	return u.client, nil
}

var errUpstreamClosed = errors.New("the upstream is closed")

// leave ends a use of the connection. One that is broken is closed, so that the next use
// dials anew, at a time of its own choosing.
func (u *upstream) leave(c *source.Client, stream bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if stream {
		u.streaming = false
	}
	if u.client == c && !u.streaming && !c.Connected() {
		u.client = nil
		_ = c.Close()
	}
}

// stop ends run and everything on the connection.
func (u *upstream) stop() {
	u.cancel()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client != nil {
		_ = u.client.Close()
		u.client = nil
	}
}

// run follows the source until stop.
func (u *upstream) run() {
	var wait retreat
	for tries := 0; u.allowed(&wait); tries++ {
		if tries > 0 {
			u.srv.table.UpstreamRetries.Inc()
		}
		before := u.position()
		err := u.follow()
		if u.ctx.Err() != nil {
			return
		}
		if u.position() != before { // else what ends the stream may be what comes next on it
			wait = retreat{}
		}
		u.failed.tell(func(times int) {
			u.log.Warn("an upstream's stream has ended", "error", err, "times", times)
		})
		if !sleep(u.ctx, wait.next()) {
			return
		}
	}
}

// allowed waits until the guard lets the source be dialled; false: stop came first. Who comes
// back from an isolation does not wait any longer.
func (u *upstream) allowed(wait *retreat) bool {
	for u.guard != nil && !u.guard.Allow() {
		*wait = retreat{}
		if !sleep(u.ctx, upstreamAsk/2+rand.N(upstreamAsk)) {
			return false
		}
	}
	return u.ctx.Err() == nil
}

// follow opens the stream and takes what it gives, until it ends.
func (u *upstream) follow() error {
	c, err := u.connection(true)
	if err != nil {
		return err
	}
	defer u.leave(c, true)
	came := false
	return c.Subscribe(u.ctx, u.namespace, u.position(), func(events []*source.Event) error {
		if !came {
			came = true
			u.failed.over(func(times int) { u.log.Info("an upstream's stream is back", "after_failures", times) })
		}
		return u.take(events)
	})
}

func (u *upstream) position() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.at.id
}

// reached moves the position to the last ID among these that can be asked for. What is behind
// it may come again, and is known by its key.
func (u *upstream) reached(events []*source.Event) {
	id := ""
	for i := len(events) - 1; i >= 0 && id == ""; i-- {
		if own := events[i].GetId(); len(own) <= upstreamIDBytesMax {
			id = own
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at.count += uint64(len(events))
	if id != "" {
		u.at.id = id
	}
}

// seldom tells of something that happens again and again: the first time at once, then once
// a minute. One goroutine uses it.
type seldom struct {
	times int
	told  time.Time
}

// seldomEvery is how often.
const seldomEvery = time.Minute

func (s *seldom) tell(say func(times int)) {
	s.times++
	if now := time.Now(); now.Sub(s.told) >= seldomEvery {
		s.told = now
		say(s.times)
	}
}

// over says that it is over, if it was told of.
func (s *seldom) over(say func(times int)) {
	if s.times > 0 {
		say(s.times)
	}
	*s = seldom{}
}
