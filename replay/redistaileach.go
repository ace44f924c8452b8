package replay

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// Times of a tail in a Cluster.
const (
	markedGap     = time.Second           // all streams are read so often, in case a word of Redis was lost
	markedGapPoll = 10 * time.Millisecond // the same where Redis tells us nothing
)

// readMarked is readBlocking for many streams, and for a Cluster, where one XREAD may name
// streams of one slot only. Redis tells us on the same connection which streams have changed
// (client tracking in broadcast mode), and those are read, each alone but in one pipeline.
// That costs Redis by the event and not by the stream.
func (t *redisTail) readMarked(conn rueidis.DedicatedClient) error {
	lost := conn.SetOnInvalidations(t.changed)
	ctx, cancel := context.WithTimeout(t.h.ctx, t.h.s.opts.Timeout)
	err := conn.Do(ctx, conn.B().Arbitrary("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "throng:{").Build()).Error()
	cancel()
	gap := markedGap
	if _, refused := rueidis.IsRedisErr(err); refused && t.h.s.target.mode != redisCluster {
		t.untold = true // the next session names all in one XREAD
		return err
	} else if refused {
		t.h.s.opts.Log.Warn("Redis does not tell of changes: all streams are asked again and again", "address", t.h.addr, "error", err)
		gap = markedGapPoll
	} else if err != nil {
		return err
	}
	t.changed(nil)
	sweep := time.NewTicker(gap)
	defer sweep.Stop()
	for t.h.ctx.Err() == nil {
		list, left, _, err := t.pick(true)
		if err != nil {
			return err
		}
		if err := t.readEach(conn, list); err != nil {
			return err
		}
		if len(list) > 0 {
			continue
		}
		var again <-chan time.Time
		if left {
			again = time.After(tailRoomGap)
		}
		select {
		case <-t.h.ctx.Done():
		case err := <-lost:
			if err == nil {
				err = rueidis.ErrClosing
			}
			return err
		case <-t.wake:
		case <-again:
		case <-sweep.C:
			t.changed(nil)
		}
	}
	return t.h.ctx.Err()
}

// changed marks streams as having news; all of them when Redis names none.
func (t *redisTail) changed(keys []rueidis.RedisMessage) {
	t.mu.Lock()
	for i := range keys {
		name, _ := keys[i].ToString()
		if x := t.set[name]; x != nil {
			t.mark(x)
		}
	}
	if keys == nil {
		for _, x := range t.set {
			t.mark(x)
		}
	}
	t.mu.Unlock()
	nudge(t.wake)
}

// readEach reads each of these streams alone, without waiting. One that is refused is left
// alone for a while; when all are, the connection is of no use.
func (t *redisTail) readEach(conn rueidis.DedicatedClient, list []*tailed) error {
	var bad error
	good := len(list) == 0
	count := t.count(tailReadsAtOnce)
	for page := range slices.Chunk(list, tailReadsAtOnce) {
		cmds := make([]rueidis.Completed, len(page))
		for i := range page {
			cmds[i] = xreadCmd(conn, page[i:i+1], count, 0)
		}
		ctx, cancel := context.WithTimeout(t.h.ctx, t.h.s.opts.Timeout)
		results := conn.DoMulti(ctx, cmds...)
		cancel()
		for i, x := range page {
			reply, err := results[i].AsXReadSlices()
			_, refused := rueidis.IsRedisErr(err)
			switch {
			case err == nil, rueidis.IsRedisNil(err):
				good = true
				entries := reply[x.log.key]
				if len(entries) > 0 {
					t.measure(entries)
					x.log.take(entries)
				}
				if len(entries) >= count {
					t.mu.Lock()
					t.mark(x)
					t.mu.Unlock()
				}
			case !refused:
				return err
			default:
				bad = err
				t.setBad(x, err)
			}
		}
	}
	if !good {
		return errors.Join(errTailRefused, bad)
	}
	return nil
}

// errTailRefused: every stream was.
var errTailRefused = errors.New("no followed stream can be read")

// setBad leaves a stream alone for a while. In a Cluster it may have moved.
func (t *redisTail) setBad(x *tailed, err error) {
	t.h.s.opts.Log.Warn("Redis: a stream can't be read", "stream", x.log.key, "error", err)
	t.mu.Lock()
	x.bad = time.Now().Add(tailBadGap)
	t.mark(x)
	t.mu.Unlock()
	t.h.s.look()
}
