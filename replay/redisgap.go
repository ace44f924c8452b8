package replay

import (
	"slices"
	"time"

	"github.com/redis/rueidis"

	"throng/sse"
)

// checksAtOnce is how many namespaces are looked at in one pipeline.
const checksAtOnce = 128

// checkAll looks whether the history up to the position of each unchecked namespace is
// still there: after every new connection, since it may be to a server that forgot some.
func (t *redisTail) checkAll() error {
	t.mu.Lock()
	var list []*tailed
	if t.unchecked > 0 {
		t.unchecked = 0
		for _, x := range t.set {
			if x.unchecked {
				t.unchecked++
				if !time.Now().Before(x.bad) {
					list = append(list, x)
				}
			}
		}
	}
	t.mu.Unlock()
	for page := range slices.Chunk(list, checksAtOnce) {
		at, acked := make([]sse.ID, len(page)), make([]sse.ID, len(page))
		cmds := make([]rueidis.Completed, 0, 3*len(page))
		for i, x := range page {
			at[i], acked[i] = x.log.claims()
			for _, id := range []string{at[i].String(), acked[i].String()} {
				cmds = append(cmds, t.h.client.B().Arbitrary("XRANGE").Keys(x.log.key).Args(id, id, "COUNT", "1").Build())
			}
			cmds = append(cmds, t.h.infoCmd(x.log.key))
		}
		results, err := t.h.do(t.h.ctx, cmds...)
		if err != nil {
			return err
		}
		for i, x := range page {
			if err := t.check(x, claim{at[i], acked[i]}, results[3*i:3*i+3]); err != nil {
				return err
			}
		}
	}
	return nil
}

// A claim is what Redis must have had: entries up to the position of the tail, and up to
// the highest ID acknowledged here, which the tail may not have read yet.
type claim struct{ at, acked sse.ID }

// check looks at one namespace: the entries at the two IDs, and the state of the stream.
func (t *redisTail) check(x *tailed, c claim, results []rueidis.RedisResult) error {
	found, err := results[0].AsXRangeSlices()
	if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
		return err
	}
	acked, _ := results[1].AsXRangeSlices()
	info, infoErr := parseStreamInfo(results[2])
	if err != nil || infoErr != nil {
		if infoErr != nil {
			err = infoErr
		}
		t.setBad(x, err)
		return nil
	}
	if looked, err := t.settle(x.log, c, len(found) > 0, len(acked) > 0, info); err != nil || !looked {
		return err // when not: once more, before the next read
	}
	t.mu.Lock()
	x.unchecked = false
	t.mu.Unlock()
	return nil
}

// settle compares what Redis has with what was delivered, and tells a gap where the one is
// not what the other became. looked is false when the position has moved on meanwhile, by the
// tail of the master that the namespace came from.
func (t *redisTail) settle(l *redisLog, c claim, found, ackedFound bool, info streamInfo) (looked bool, _ error) {
	at := c.at
	l.delivering.Lock()
	defer l.delivering.Unlock()
	if !l.followed.Load() || l.Last() != at {
		return !l.followed.Load(), nil
	}
	switch {
	case info.last.Less(c.acked), l.entry && !found && info.forgot(at), at.Less(c.acked) && !ackedFound && info.forgot(c.acked):
		// Writes were lost. IDs must not go back below what was given.
		if err := t.h.raise(t.h.ctx, l.key, c.acked); err != nil {
			return false, err
		}
		info, err := t.h.info(t.h.ctx, l.key)
		if err != nil {
			return false, err
		}
		l.mu.Lock()
		l.acked = sse.ID{} // told once
		l.mu.Unlock()
		l.goOn(at, at, info)
		return true, nil
	case !info.first.IsZero() && at.Less(info.first) && l.added >= 0 && info.added-l.added == info.length:
		return true, nil // all that was added since is held
	}
	if info.gone(at) != nil {
		l.goOn(at, maxID(at, info.floor()), info) // what is held from there on is still to be delivered
		return true, nil
	}
	if info.last == at {
		l.added = info.added
	}
	return true, nil
}

// forgot tells whether an entry that was there, and is not, can't simply have been trimmed:
// something older is still held, or it was removed by name, as raise does on behalf of
// another node. In doubt it was forgotten.
func (i *streamInfo) forgot(id sse.ID) bool {
	return !i.deleted.Less(id) || !i.first.IsZero() && !id.Less(i.first)
}

// goOn tells a gap after which the tail reads on from a position in the stream as it is.
func (l *redisLog) goOn(requested, at sse.ID, info streamInfo) {
	l.entry, l.added = false, -1
	switch {
	case at == info.last:
		l.added = info.added
	case info.first.IsZero() || at.Less(info.first):
		l.added = info.added - info.length // all that is held is yet to be read
	}
	l.tellGap(requested, at, info)
}

// tellGap tells all streams of a namespace that what followed a position is not all here,
// and goes on from another. The Log is being delivered to.
func (l *redisLog) tellGap(requested, at sse.ID, info streamInfo) {
	l.s.lost(l, requested)
	earliest := info.first
	if earliest.IsZero() {
		earliest = at
	}
	l.recent.reset(at)
	l.setLast(at)
	l.learn(info)
	l.s.feed.Deliver(l.ns, []*sse.Event{sse.NewGap(requested.String(), earliest, at)})
}

// lost counts history that this node had seen, or had yet to see, and Redis has not.
func (s *Redis) lost(l *redisLog, at sse.ID) {
	s.counts.gaps.Add(1)
	s.opts.Log.Warn("Redis has lost events of a namespace", "ns", l.ns, "position", at)
}
