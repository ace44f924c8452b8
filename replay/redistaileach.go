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

// readEach reads each of these streams alone, without waiting, and looks at what was removed
// from those that lag. One that is refused is left alone for a while; when all are, the
// connection is of no use.
func (t *redisTail) readEach(conn rueidis.DedicatedClient, list []*tailed) error {
	var bad error
	good := len(list) == 0
	count := t.count(tailReadsAtOnce)
	for page := range slices.Chunk(list, tailReadsAtOnce) {
		cmds := make([]rueidis.Completed, 0, 2*len(page))
		lagging := make([]bool, len(page))
		for i, x := range page {
			cmds = append(cmds, xreadCmd(conn, page[i:i+1], count, 0))
			if lagging[i] = t.anyLagging(page[i : i+1]); lagging[i] {
				cmds = append(cmds, t.h.infoCmd(x.log.key))
			}
		}
		ctx, cancel := context.WithTimeout(t.h.ctx, t.h.s.opts.Timeout)
		results := conn.DoMulti(ctx, cmds...)
		cancel()
		for i, x := range page {
			var info *rueidis.RedisResult
			read := results[0]
			results = results[1:]
			if lagging[i] {
				info, results = &results[0], results[1:]
			}
			err := t.settleEach(x, read, info, count)
			_, refused := rueidis.IsRedisErr(err)
			switch {
			case err == nil:
				good = true
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

// settleEach hands over what was read of one stream; info is the answer behind it of one
// that lags, else nil. Who may have been trimmed meanwhile is to be read again.
func (t *redisTail) settleEach(x *tailed, read rueidis.RedisResult, info *rueidis.RedisResult, count int) error {
	reply, err := read.AsXReadSlices()
	if err != nil && !rueidis.IsRedisNil(err) {
		return err
	}
	entries := reply[x.log.key]
	if len(entries) > 0 {
		t.measure(entries)
	}
	full := len(entries) >= t.doubt(count)
	switch {
	case info != nil:
		state, err := parseStreamInfo(*info)
		if err != nil {
			if refusal, ok := rueidis.IsRedisErr(info.Error()); ok {
				return refusal
			}
			return err
		}
		again := x.log.overtake(entries, state)
		t.setLagging(x, again || full)
	case full:
		t.setLagging(x, true)
	case len(entries) > 0:
		x.log.take(entries)
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
