package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

var _ Prober = (*Redis)(nil)

// guard implements guarded.
func (s *Redis) guard() Guard { return s.opts.Guard }

// mayWrite asks the Guard for a publish.
func (s *Redis) mayWrite() error {
	if g := s.opts.Guard; g != nil && !g.Allow() {
		return errIsolated
	}
	return nil
}

// mayRead asks the Guard for a read. A master that answers, and only stores nothing (it is
// full, or a replica), can be read as ever.
func (s *Redis) mayRead(h *redisShard) error {
	if h.refusing.Load() != nil {
		return nil
	}
	return s.mayWrite()
}

// Probe implements Prober: PING to all masters at once, on the connection that publishes and
// reads use, behind what waits there. In a Cluster one master that takes events is enough,
// as for Health; those that are away are refused by themselves, and the others' namespaces
// would be lost with them.
func (s *Redis) Probe(ctx context.Context) error {
	s.mu.RLock()
	shards := slices.Collect(maps.Values(s.routes.shards))
	closed := s.closed
	s.mu.RUnlock()
	switch {
	case closed:
		return ErrClosed
	case len(shards) == 0:
		return &UnavailableError{Reason: reasonUnreachable, Err: errNoShard}
	case len(shards) == 1:
		return shards[0].probe(ctx)
	}
	errs := make([]error, len(shards))
	var asking sync.WaitGroup
	for i, h := range shards {
		asking.Go(func() { errs[i] = h.probe(ctx) })
	}
	asking.Wait()
	if slices.Contains(errs, nil) {
		return nil
	}
	return errors.Join(errs...)
}

// probe asks one master.
func (h *redisShard) probe(ctx context.Context) error {
	if f := h.fault(); f != nil {
		return f // the keeper finds out when it is over
	}
	if len(h.places) == redisPlacesMax {
		return fmt.Errorf("%s: %w", h.addr, errPlaces)
	}
	if len(h.waiters) == redisWaitersMax {
		return fmt.Errorf("%s: %w", h.addr, errWaiters)
	}
	if fault := redisFault(h.ping(ctx)); fault != nil {
		nudge(h.kick) // it has its own measure
		return fault
	}
	if f := h.fault(); f != nil {
		return f
	}
	return nil
}

// ping waits for an answer for as long as ctx allows. A question that was given up lives on
// for as long as a publish may take: the client closes the connection when one comes to its
// end, or moves all commands to slower ways when one may be cancelled.
func (h *redisShard) ping(ctx context.Context) error {
	limit := h.s.opts.Timeout
	if end, ok := ctx.Deadline(); ok {
		limit = max(limit, time.Until(end))
	}
	asking, cancel := context.WithTimeout(h.ctx, limit)
	answer := make(chan error, 1)
	go func() {
		defer cancel()
		answer <- h.client.Do(asking, h.client.B().Ping().Build()).Error()
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
