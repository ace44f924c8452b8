package replay

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// Limits of batches that replicas are waited for. Redis answers nothing that stands behind a
// WAIT on its connection, so each has one of its own meanwhile.
const (
	redisWaitersMax = 32          // batches that wait at once, a master: each is a connection
	redisWaiterIdle = time.Minute // how long a connection is kept for the next one
)

// errReplicas: WAIT counted too few.
var errReplicas = errors.New("fewer replicas than wanted have it")

// errWaiters: nothing was sent.
var errWaiters = errors.New("too many batches wait for replicas")

// unreplicated tells that too few replicas are there, as was found out lately: then nothing
// is sent, so that nothing is stored which is not acknowledged.
func (h *redisShard) unreplicated() *UnavailableError {
	if r := h.refusing.Load(); r != nil && h.s.opts.Replicas > 0 && r.fault.Reason == reasonNoReplicas {
		return r.fault
	}
	return nil
}

// waitCmd counts the replicas that have all that the master had been told, by anybody, when
// it answered the command before on the same connection: a duplicate's first copy too.
func (h *redisShard) waitCmd() rueidis.Completed {
	limit := h.s.opts.Timeout * 3 / 4 // the answer has to be here within Timeout
	return h.client.B().Arbitrary("WAIT", itoa(h.s.opts.Replicas), itoa(limit.Milliseconds())).Build()
}

// doAlone is do on a connection that nobody else uses meanwhile.
func (h *redisShard) doAlone(ctx context.Context, cmds ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	if f := h.away.Load(); f != nil {
		return nil, f
	}
	limited, cancel := context.WithTimeout(ctx, h.s.opts.Timeout)
	defer cancel()
	select {
	case h.waiters <- struct{}{}:
	case <-limited.Done():
		return nil, &UnavailableError{Reason: reasonUnreachable, Err: errWaiters}
	}
	defer func() { <-h.waiters }()
	return h.judge(ctx, h.alone(limited, cmds...))
}

// alone sends commands on a connection of their own.
func (h *redisShard) alone(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	conn, release := h.client.Dedicate()
	results := conn.DoMulti(ctx, cmds...)
	for i := range results {
		if results[i].NonRedisError() != nil {
			conn.Close() // an answer may still come
			return results
		}
	}
	release()
	return results
}

// settleWait refuses to acknowledge what too few replicas have: the master has it and
// readers will get it, but it may be lost with the master.
func (l *redisLog) settleWait(h *redisShard, page []Record, indexes []int, result rueidis.RedisResult) {
	err := h.tooFew(result)
	if err == nil {
		return
	}
	for _, i := range indexes {
		if page[i].Err == nil {
			page[i].Err = &UnavailableError{Reason: reasonNotReplicated, Err: err}
		}
	}
	h.failed(&UnavailableError{Reason: reasonNoReplicas, Err: err}, l.nobody)
}

// tooFew reads the answer of WAIT; nil: enough replicas have it.
func (h *redisShard) tooFew(result rueidis.RedisResult) error {
	n, err := result.AsInt64()
	if err == nil && n < int64(h.s.opts.Replicas) {
		return errReplicas
	}
	return err
}

// lookReplicas waits for replicas to have what was stored so far.
func (h *redisShard) lookReplicas() *UnavailableError {
	if h.s.opts.Replicas <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.ctx, h.s.opts.Timeout)
	defer cancel()
	results := h.alone(ctx, h.client.B().Ping().Build(), h.waitCmd())
	if fault := redisFault(results[0].Error()); fault != nil {
		return fault
	}
	if err := h.tooFew(results[1]); err != nil {
		return &UnavailableError{Reason: reasonNoReplicas, Err: err}
	}
	return nil
}
