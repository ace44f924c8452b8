package replay

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/redis/rueidis"
)

// A redisGuide asks the Cluster's nodes, on a connection of its own to the one that answered
// last. It belongs to watch.
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
	if g.client == nil || g.addr != addr {
		g.close()
		client, err := rueidis.NewClient(g.s.clientOption(addr))
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
	return g.clusterSlots(ctx, addr)
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
