package redisproc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MasterName is what Sentinels call the master of a Replicated.
const MasterName = "throng"

// failoverMs is after how many milliseconds of silence a Sentinel takes the master for dead.
const failoverMs = 1000

// A Replicated is a master with one replica, watched by Sentinels. Which of the two is the
// master may change; Master and Replica say how it began.
type Replicated struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// StartReplicated runs a master and its replica, and that many Sentinels: one decides
// alone, of more the majority has to agree. It waits until they know each other. Dir and
// Port of the options must be empty: each server gets its own.
func StartReplicated(ctx context.Context, o Options, sentinels int) (_ *Replicated, err error) {
	if o.Dir != "" || o.Port != 0 || o.TLS {
		return nil, errors.New("redisproc: a Replicated takes no Dir, Port or TLS")
	}
	r := &Replicated{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Stop())
		}
	}()
	if r.Master, err = Start(ctx, o); err != nil {
		return nil, err
	}
	follow := o
	follow.Config = append([]string{fmt.Sprintf("replicaof 127.0.0.1 %d", r.Master.Port)}, o.Config...)
	if r.Replica, err = Start(ctx, follow); err != nil {
		return nil, err
	}
	if err = r.Replica.waitInfo(ctx, "replication", "master_link_status:up"); err != nil {
		return nil, err
	}
	watch := Options{Config: []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", MasterName, r.Master.Port, sentinels/2+1),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", MasterName, failoverMs),
		fmt.Sprintf("sentinel failover-timeout %s %d", MasterName, 5*failoverMs),
	}}
	for range sentinels {
		s, err := start(ctx, watch, true)
		if err != nil {
			return nil, err
		}
		r.Sentinels = append(r.Sentinels, s)
	}
	want := fmt.Sprintf("address=%s,slaves=1,sentinels=%d", r.Master.Addr, sentinels)
	for _, s := range r.Sentinels {
		if err = s.waitInfo(ctx, "sentinel", want); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// SentinelAddrs are the addresses of the Sentinels.
func (r *Replicated) SentinelAddrs() []string {
	addrs := make([]string, len(r.Sentinels))
	for i, s := range r.Sentinels {
		addrs[i] = s.Addr
	}
	return addrs
}

// WaitSynced waits until the replica has all that the master was given before the call.
func (r *Replicated) WaitSynced(ctx context.Context) error {
	info, err := r.Master.Do(ctx, "INFO", "replication")
	if err != nil {
		return err
	}
	want := offset(info, "master_repl_offset:")
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	return poll(ctx, func() error {
		info, err := r.Replica.Do(ctx, "INFO", "replication")
		if got := offset(info, "slave_repl_offset:"); err == nil && got < want {
			err = fmt.Errorf("redisproc: %s is at offset %d of %d", r.Replica.Addr, got, want)
		}
		return err
	})
}

// offset is the number behind a name in INFO; -1 when it is not there.
func offset(info, name string) int64 {
	_, after, found := strings.Cut(info, name)
	text, _, _ := strings.Cut(after, "\r\n")
	n, err := strconv.ParseInt(text, 10, 64)
	if !found || err != nil {
		return -1
	}
	return n
}

// Stop ends all of them, the Sentinels first, so that none takes it for a failure.
func (r *Replicated) Stop() error { return stopAll(append(r.Sentinels, r.Master, r.Replica)...) }

// WaitPromoted waits until the server is a master.
func (s *Server) WaitPromoted(ctx context.Context) error {
	return s.waitInfo(ctx, "replication", "role:master")
}

// waitInfo waits until a section of INFO has this text.
func (s *Server) waitInfo(ctx context.Context, section, want string) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	return poll(ctx, func() error {
		if s.dead() {
			return fmt.Errorf("redisproc: %s: %w; %s", s.Addr, errDead, logTail(s.Dir))
		}
		info, err := s.Do(ctx, "INFO", section)
		if err == nil && !strings.Contains(info, want) {
			err = fmt.Errorf("redisproc: INFO %s of %s lacks %q: %q", section, s.Addr, want, info)
		}
		return err
	})
}

// stopAll ends servers, of which some may be nil.
func stopAll(servers ...*Server) (err error) {
	for _, s := range servers {
		if s != nil {
			err = errors.Join(err, s.Stop())
		}
	}
	return err
}
