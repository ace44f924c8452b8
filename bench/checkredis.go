package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"throng/bench/check"
	"throng/internal/redisproc"
)

// redisStore is the Redis under check: alone, with an AOF; or with a replica and
// Sentinels, where the master of the moment is killed and comes back as a replica.
type redisStore struct {
	url    string
	alone  *redisproc.Server     // nil: replicated
	both   *redisproc.Replicated // nil: alone
	master int                   // of both, by index
}

// server is the Redis to look at.
func (s *redisStore) server() *redisproc.Server {
	switch {
	case s.both == nil:
		return s.alone
	case s.master == 0:
		return s.both.Master
	}
	return s.both.Replica
}

// checkSentinels decide by majority.
const checkSentinels = 3

// redisPolicies are the appendfsync of the AOF by --fsync. With everysec Redis puts off the
// write itself while a flush is on its way, for two seconds at most: then a kill -9 takes
// what was acknowledged. Always and no write before the answer.
var redisPolicies = map[string]string{"": "always", fsyncAlways: "always", fsyncInterval: "everysec", fsyncNever: "no"}

func startRedisStore(ctx context.Context, failover bool, fsync string) (*redisStore, error) {
	// The clients of a swarm come from other addresses of loopback, which protected mode refuses.
	o := redisproc.Options{Fsync: redisPolicies[fsync], Config: []string{"protected-mode no"}}
	if failover {
		both, err := redisproc.StartReplicated(ctx, o, checkSentinels)
		if err != nil {
			return nil, err
		}
		return &redisStore{both: both, url: "redis-sentinel://" + strings.Join(both.SentinelAddrs(), ",") + "/" + redisproc.MasterName}, nil
	}
	alone, err := redisproc.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &redisStore{alone: alone, url: "redis://" + alone.Addr}, nil
}

func (s *redisStore) stop() error {
	if s.both != nil {
		return s.both.Stop()
	}
	return s.alone.Stop()
}

func (s *redisStore) faults() []check.Fault {
	if s.both != nil {
		return []check.Fault{{Name: "failover", Weight: 2, Do: s.failover}}
	}
	return []check.Fault{{Name: "Redis killed", Weight: 3, Do: s.kill}, {Name: "Redis paused", Weight: 2, Do: s.pause}}
}

// kill kills Redis as a crash would, and starts it again after a while.
func (s *redisStore) kill(ctx context.Context, rng *rand.Rand) (string, error) {
	down := time.Duration(rng.Int64N(int64(downMax)))
	if err := s.alone.Kill(); err != nil {
		return "", err
	}
	time.Sleep(down)
	return fmt.Sprintf("kill -9 of Redis, away for %v", down.Round(time.Millisecond)), s.alone.Restart(ctx)
}

// pauseMax is the longest pause of Redis: beyond the time-outs of nodes and publishers.
const pauseMax = 4 * time.Second

// pause stops Redis in its tracks for a while.
func (s *redisStore) pause(_ context.Context, rng *rand.Rand) (string, error) {
	// Cubed, so that most pauses are short.
	part := rng.Float64()
	away := time.Duration(float64(pauseMax) * part * part * part)
	if err := s.alone.Pause(); err != nil {
		return "", err
	}
	time.Sleep(away)
	return fmt.Sprintf("Redis paused for %v", away.Round(time.Millisecond)), s.alone.Resume()
}

// failover kills the master, waits until the replica was promoted, and starts the old
// master again, which becomes its replica.
func (s *redisStore) failover(ctx context.Context, rng *rand.Rand) (string, error) {
	servers := [...]*redisproc.Server{s.both.Master, s.both.Replica}
	old, next := servers[s.master], servers[1-s.master]
	if err := old.Kill(); err != nil {
		return "", err
	}
	if err := next.WaitPromoted(ctx); err != nil {
		return "", err
	}
	s.master = 1 - s.master
	// It would come back as a master: to whom a Sentinel that has not heard yet sends nodes.
	if err := s.awaitAgreed(ctx, next); err != nil {
		return "", err
	}
	time.Sleep(time.Duration(rng.Int64N(int64(pauseMax))))
	if err := old.Restart(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("failover from %s to %s", old.Addr, next.Addr), s.awaitReplica(ctx, old)
}

// awaitAgreed waits until all Sentinels name the same master.
func (s *redisStore) awaitAgreed(ctx context.Context, master *redisproc.Server) error {
	for _, sentinel := range s.both.Sentinels {
		err := awaitReply(ctx, sentinel, fmt.Sprint(master.Port), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", redisproc.MasterName)
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitReplica waits until a server that came back follows the master: before that, the
// next failover would have nobody to turn to.
func (s *redisStore) awaitReplica(ctx context.Context, r *redisproc.Server) error {
	return awaitReply(ctx, r, "master_link_status:up", "INFO", "replication")
}

// awaitReply asks until the answer has a text.
func awaitReply(ctx context.Context, s *redisproc.Server, want string, command ...string) error {
	ctx, cancel := context.WithTimeout(ctx, replyMax)
	defer cancel()
	for {
		reply, err := s.Do(ctx, command...)
		if err == nil && strings.Contains(reply, want) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("bench: %s answers %q to %q after %v, want %q: %w", s.Addr, reply, command, replyMax, want, errors.Join(err, ctx.Err()))
		case <-time.After(replyPoll):
		}
	}
}

const (
	// replyMax is how long servers may take to agree: Sentinels look at one that came back
	// every ten seconds.
	replyMax  = time.Minute
	replyPoll = 20 * time.Millisecond
)
