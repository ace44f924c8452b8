package replay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Times between looks at Sentinels or the Cluster.
const (
	redisLookGap    = time.Second           // when all is well: a master that was demoted still answers
	redisLookGapMin = 50 * time.Millisecond // when something is wrong, at most so often
)

// redisRoutes say which master has which namespaces. Guarded by the store's lock.
type redisRoutes struct {
	shards map[string]*redisShard // by address
	slots  []slotRange            // of a Cluster, in order; else nil: the one shard has all
}

// A slotRange is a run of hash slots of one master.
type slotRange struct {
	from, to uint16 // both included
	addr     string
}

// of is the master of a slot; nil when none is known.
func (r *redisRoutes) of(slot uint16) *redisShard {
	if r.slots == nil {
		for _, h := range r.shards {
			return h
		}
		return nil
	}
	i, _ := slices.BinarySearchFunc(r.slots, slot, func(x slotRange, s uint16) int { return int(x.to) - int(s) })
	if i < len(r.slots) && r.slots[i].from <= slot {
		return r.shards[r.slots[i].addr]
	}
	return nil
}

// connect starts everything and waits for the first look at each master.
func (s *Redis) connect() {
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
	defer cancel()
	if s.target.mode == redisSingle {
		s.route([]slotRange{{addr: s.target.addrs[0]}})
	} else {
		first := make(chan struct{})
		s.work.Go(func() { s.watch(first) })
		select {
		case <-first:
		case <-ctx.Done():
		}
	}
	s.mu.RLock()
	shards := slices.Collect(maps.Values(s.routes.shards))
	s.mu.RUnlock()
	for _, h := range shards {
		select {
		case <-h.ready:
		case <-ctx.Done():
		}
	}
}

// look asks watch for a look now.
func (s *Redis) look() { nudge(s.kick) }

// watch keeps the routes true, by asking Sentinels or nodes of the Cluster.
func (s *Redis) watch(first chan struct{}) {
	guide := &redisGuide{s: s}
	defer guide.close()
	ask := guide.ask
	if s.target.mode == redisSentinel {
		ask = s.askMaster
	}
	for told := false; ; {
		slots, err := ask()
		switch {
		case s.ctx.Err() != nil:
			return
		case err == nil:
			s.route(slots)
		case !told:
			s.opts.Log.Warn("Redis: no master is known", "error", err)
		}
		told = err != nil
		if first != nil {
			close(first)
			first = nil
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(redisLookGapMin):
		}
		select {
		case <-s.ctx.Done():
			return
		case <-s.kick:
		case <-time.After(redisLookGap):
		}
	}
}

// route takes over who has which slots: new masters get a shard, others are let go, and
// namespaces move. A moved one is looked at before its tail goes on.
func (s *Redis) route(slots []slotRange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	old := s.routes.shards
	s.routes = redisRoutes{shards: make(map[string]*redisShard)}
	if s.target.mode == redisCluster {
		s.routes.slots = slots
	}
	for _, r := range slots {
		if s.routes.shards[r.addr] == nil {
			h := old[r.addr]
			if h == nil {
				h = newRedisShard(s, r.addr)
			}
			s.routes.shards[r.addr] = h
		}
	}
	for _, l := range s.logs {
		l.move(s.routes.of(l.slot))
	}
	for addr, h := range old {
		if s.routes.shards[addr] == nil {
			s.opts.Log.Info("Redis: a master has gone", "address", addr)
			h.retire()
		}
	}
}

// askSentinels asks all Sentinels at once, and gives what those said that answered in time.
func (s *Redis) askSentinels(ctx context.Context) ([]sentinelSaid, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout/2) // of a publish that waits for it
	defer cancel()
	said, errs := make([]sentinelSaid, len(s.sentinels)), make([]error, len(s.sentinels))
	var asking sync.WaitGroup
	for i, x := range s.sentinels {
		asking.Go(func() { said[i], errs[i] = x.ask(ctx) })
	}
	asking.Wait()
	said = slices.DeleteFunc(said, func(x sentinelSaid) bool { return x.addr == "" })
	if len(said) == 0 {
		return nil, errors.Join(errs...)
	}
	return said, nil
}
