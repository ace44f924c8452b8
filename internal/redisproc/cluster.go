package redisproc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// slots is how many hash slots a Redis Cluster has.
const slots = 16384

// A Cluster is three masters that share the slots evenly, in their order.
type Cluster struct{ Masters [3]*Server }

// StartCluster runs three masters and waits until each of them takes the Cluster for
// whole. Losing one does not stop the others: cluster-require-full-coverage is off. Dir
// and Port of the options must be empty.
func StartCluster(ctx context.Context, o Options) (_ *Cluster, err error) {
	if o.Dir != "" || o.Port != 0 || o.TLS {
		return nil, errors.New("redisproc: a Cluster takes no Dir, Port or TLS")
	}
	c := &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	for i := range c.Masters {
		bus, err := FreePort()
		if err != nil {
			return nil, err
		}
		one := o
		one.Config = append([]string{"cluster-enabled yes", "cluster-node-timeout 2000",
			"cluster-require-full-coverage no", fmt.Sprint("cluster-port ", bus)}, o.Config...)
		if c.Masters[i], err = Start(ctx, one); err != nil {
			return nil, err
		}
		if err = c.introduce(ctx, i, bus); err != nil {
			return nil, err
		}
	}
	for _, s := range c.Masters {
		if err := s.waitCluster(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// introduce gives a master its slots and makes it known to the first one.
func (c *Cluster) introduce(ctx context.Context, i, bus int) error {
	s, n := c.Masters[i], len(c.Masters)
	from, to := i*slots/n, (i+1)*slots/n-1
	if _, err := s.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)); err != nil {
		return fmt.Errorf("redisproc: slots of %s: %w", s.Addr, err)
	}
	if _, err := s.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
		return fmt.Errorf("redisproc: epoch of %s: %w", s.Addr, err)
	}
	if i == 0 {
		return nil
	}
	if _, err := c.Masters[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(s.Port), strconv.Itoa(bus)); err != nil {
		return fmt.Errorf("redisproc: meeting %s: %w", s.Addr, err)
	}
	return nil
}

// waitCluster waits until a node takes the Cluster for whole and knows all its nodes.
func (s *Server) waitCluster(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	return poll(ctx, func() error {
		info, err := s.Do(ctx, "CLUSTER", "INFO")
		for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"} {
			if err == nil && !strings.Contains(info, want) {
				err = fmt.Errorf("redisproc: CLUSTER INFO of %s lacks %q: %q", s.Addr, want, info)
			}
		}
		return err
	})
}

// Of is the master that has the slot of a key when nothing was moved.
func (c *Cluster) Of(ctx context.Context, key string) (*Server, error) {
	text, err := c.Masters[0].Do(ctx, "CLUSTER", "KEYSLOT", key)
	if err != nil {
		return nil, err
	}
	slot, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("redisproc: CLUSTER KEYSLOT answered %q", text)
	}
	for i, s := range c.Masters {
		if slot < (i+1)*slots/len(c.Masters) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("redisproc: slot %d is beyond %d", slot, slots)
}

// Addrs are the addresses of the masters.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Masters))
	for i, s := range c.Masters {
		addrs[i] = s.Addr
	}
	return addrs
}

// Stop ends all of them.
func (c *Cluster) Stop() error { return stopAll(c.Masters[:]...) }
