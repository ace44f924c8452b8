package replay

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
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
	for told := false; ; {
		slots, err := guide.ask()
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

// A redisGuide asks Sentinels or the Cluster's nodes, on a connection of its own to the one
// that answered last. It belongs to watch.
type redisGuide struct {
	s      *Redis
	addr   string
	client rueidis.Client
	known  []string // nodes of the Cluster that were told of
}

// close ends the connection.
func (g *redisGuide) close() {
	if g.client != nil {
		g.client.Close()
		g.client = nil
	}
}

// ask gives the masters and their slots, from the first that answers.
func (g *redisGuide) ask() (slots []slotRange, err error) {
	candidates := slices.Concat([]string{g.addr}, g.s.target.addrs, g.known)
	for i, addr := range candidates {
		if addr == "" || slices.Index(candidates, addr) < i && addr != g.addr {
			continue
		}
		if slots, err = g.askOne(addr); err == nil {
			return slots, nil
		}
		g.close()
		if g.s.ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, err
}

// askOne asks one of them.
func (g *redisGuide) askOne(addr string) ([]slotRange, error) {
	o := g.s.clientOption(addr)
	if g.s.target.mode == redisSentinel {
		o.Username, o.Password, o.SelectDB = g.s.target.sentinelUser, g.s.target.sentinelPassword, 0
	}
	if g.client == nil || g.addr != addr {
		g.close()
		client, err := rueidis.NewClient(o)
		if err != nil {
			if client != nil {
				client.Close()
			}
			return nil, err
		}
		g.client, g.addr = client, addr
	}
	ctx, cancel := context.WithTimeout(g.s.ctx, g.s.opts.Timeout)
	defer cancel()
	if g.s.target.mode == redisCluster {
		return g.clusterSlots(ctx, addr)
	}
	cmd := g.client.B().Arbitrary("SENTINEL", "GET-MASTER-ADDR-BY-NAME", g.s.target.master).Build()
	parts, err := g.client.Do(ctx, cmd).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("sentinel %s, master %q: %w", addr, g.s.target.master, err)
	}
	if len(parts) != 2 {
		return nil, fmt.Errorf("sentinel %s, master %q: answered %q", addr, g.s.target.master, parts)
	}
	return []slotRange{{addr: net.JoinHostPort(parts[0], parts[1])}}, nil
}

// clusterSlots asks a node for the slots of all masters. A node that does not know its own
// name is where we reached it.
func (g *redisGuide) clusterSlots(ctx context.Context, addr string) ([]slotRange, error) {
	rows, err := g.client.Do(ctx, g.client.B().Arbitrary("CLUSTER", "SLOTS").Build()).ToArray()
	if err != nil {
		return nil, err
	}
	here, _, _ := net.SplitHostPort(addr)
	slots := make([]slotRange, 0, len(rows))
	g.known = g.known[:0]
	for _, row := range rows {
		fields, err := row.ToArray()
		if err != nil || len(fields) < 3 {
			return nil, fmt.Errorf("CLUSTER SLOTS of %s: a row of %d fields", addr, len(fields))
		}
		from, err1 := fields[0].AsInt64()
		to, err2 := fields[1].AsInt64()
		node, err3 := fields[2].ToArray()
		if err1 != nil || err2 != nil || err3 != nil || len(node) < 2 {
			return nil, fmt.Errorf("CLUSTER SLOTS of %s: a row that can't be read", addr)
		}
		host, _ := node[0].ToString()
		port, err := node[1].AsInt64()
		if err != nil {
			return nil, fmt.Errorf("CLUSTER SLOTS of %s: a port that can't be read", addr)
		}
		if host == "" || host == "?" {
			host = here
		}
		master := net.JoinHostPort(host, strconv.FormatInt(port, 10))
		slots = append(slots, slotRange{from: uint16(from), to: uint16(to), addr: master})
		g.known = append(g.known, master)
	}
	if len(slots) == 0 {
		return nil, fmt.Errorf("CLUSTER SLOTS of %s: no slot has a master", addr)
	}
	slices.SortFunc(slots, func(a, b slotRange) int { return int(a.from) - int(b.from) })
	return slots, nil
}

// keySlot is the hash slot of a namespace, which is the hash tag of its keys: CRC16 as of
// XMODEM, by the Redis Cluster specification.
func keySlot(ns string) uint16 {
	var crc uint16
	for i := range len(ns) {
		crc ^= uint16(ns[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % 16384
}
