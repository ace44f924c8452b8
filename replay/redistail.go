package replay

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Times and sizes of a tail.
const (
	tailBlock       = 2 * time.Second        // one XREAD waits so long: how late a silent end of the connection is noticed
	tailBlockShort  = 20 * time.Millisecond  // where Redis does not let us interrupt one
	tailRoomGap     = 2 * time.Millisecond   // between looks whether a namespace has room again
	tailBadGap      = time.Second            // between tries of a stream that can't be read
	tailCutGap      = 500 * time.Microsecond // before an interruption, so that several changes share one
	tailBlockKeys   = 64                     // streams in one XREAD, which costs Redis by the stream; with more, Redis is asked to tell
	tailPaceEach    = 2 * time.Microsecond   // where it does not: a pause for each stream, so that events gather
	tailPaceMax     = 2 * time.Millisecond   // the longest pause
	tailReplyBytes  = 4 << 20                // aim for one answer
	tailCountMax    = 256                    // entries of one stream in one answer
	tailEntryBytes  = 256                    // size of an entry, at the least
	tailEntryFirst  = 8 << 10                // the same after a new connection, when much may wait
	tailReadsAtOnce = 64                     // streams in one pipeline, where each is read alone
)

// A redisTail reads the followed namespaces of one master, on a connection of its own, and
// delivers. Any goroutine may call join and leave.
type redisTail struct {
	h       *redisShard
	wake    chan struct{} // the set has changed, or Redis is back
	cut     chan struct{} // the set has changed: interrupt the XREAD under way
	version atomic.Uint64 // of the set; rises with every change
	reading atomic.Uint64 // version of the set that an XREAD waits for; 0: none waits
	short   atomic.Bool   // Redis does not let us interrupt

	entryBytes int  // size of a large entry of late; the run's own
	untold     bool // Redis does not tell us of changes; the run's own

	mu        sync.Mutex // guards the rest
	set       map[string]*tailed
	unchecked int                     // how many of the set are, or were and have left
	news      []*tailed               // those that are dirty, and some that have left
	conn      rueidis.DedicatedClient // nil: none
	id        string                  // of the connection, for CLIENT UNBLOCK
}

// init makes the tail of a master.
func (t *redisTail) init(h *redisShard) {
	t.h, t.set, t.entryBytes = h, make(map[string]*tailed), tailEntryFirst
	t.wake, t.cut = make(chan struct{}, 1), make(chan struct{}, 1)
	t.version.Store(1)
}

// run reads until the shard is retired: one session after the other.
func (t *redisTail) run() {
	for failures := 0; t.h.ctx.Err() == nil; {
		if t.h.away.Load() != nil {
			t.pause(redisBackOffMax) // the keeper wakes us
			continue
		}
		began := time.Now()
		err := t.session()
		t.setConn(nil, "")
		if t.h.ctx.Err() != nil {
			return
		}
		if time.Since(began) > redisBackOffMax {
			failures = 0
		}
		failures++
		if errors.Is(err, context.DeadlineExceeded) {
			t.entryBytes = min(8*t.entryBytes, tailReplyBytes) // it may have asked for too much
		}
		t.h.s.counts.reconnects.Add(1)
		t.h.s.opts.Log.Debug("Redis: a tail lost its connection", "address", t.h.addr, "error", err)
		nudge(t.h.kick) // the keeper finds out whether it is more than that
		t.pause(redisBackOff(failures))
	}
}

// pause waits, for a change of the set or Redis to be back at most.
func (t *redisTail) pause(d time.Duration) {
	select {
	case <-t.h.ctx.Done():
	case <-t.wake:
	case <-time.After(d):
	}
}

// setConn takes over a connection and closes the one before.
func (t *redisTail) setConn(c rueidis.DedicatedClient, id string) {
	t.mu.Lock()
	old := t.conn
	t.conn, t.id = c, id
	t.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// session connects, looks whether all positions still stand, and reads until that fails.
func (t *redisTail) session() error {
	conn, _ := t.h.client.Dedicate()
	t.setConn(conn, "")
	t.entryBytes = max(t.entryBytes, tailEntryFirst)
	ctx, cancel := context.WithTimeout(t.h.ctx, t.h.s.opts.Timeout)
	defer cancel()
	id, err := conn.Do(ctx, conn.B().Arbitrary("CLIENT", "ID").Build()).AsInt64()
	if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
		return err
	}
	if err != nil {
		t.short.Store(true)
	}
	t.setID(conn, itoa(id))
	t.mu.Lock()
	t.unchecked = len(t.set)
	for _, x := range t.set {
		x.unchecked, x.lagging = true, true
	}
	t.mu.Unlock()
	if t.h.s.target.mode != redisCluster {
		if err := t.readBlocking(conn); !errors.Is(err, errTailMany) {
			return err
		}
	}
	return t.readMarked(conn)
}

// errTailMany: there are too many streams for one XREAD.
var errTailMany = errors.New("too many streams for one XREAD")

// setID is setConn for what is found out later.
func (t *redisTail) setID(c rueidis.DedicatedClient, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == c {
		t.id = id
	}
}

// readBlocking reads all namespaces with one XREAD, which waits for news of any.
func (t *redisTail) readBlocking(conn rueidis.DedicatedClient) error {
	for t.h.ctx.Err() == nil {
		list, left, version, err := t.pick(false)
		if err != nil {
			return err
		}
		block := tailBlock
		switch {
		case left:
			block = tailRoomGap
		case t.short.Load():
			block = tailBlockShort
		}
		if len(list) == 0 {
			t.pause(block)
			continue
		}
		if len(list) > tailBlockKeys && !t.untold {
			return errTailMany
		}
		if t.anyLagging(list) {
			if err := t.readEach(conn, list); err != nil {
				return err
			}
			continue
		}
		count := t.count(len(list))
		cmd := xreadCmd(conn, list, count, block)
		t.reading.Store(version)
		if t.version.Load() != version {
			t.reading.Store(0)
			continue // who changed it may have looked before we said so
		}
		ctx, cancel := context.WithTimeout(t.h.ctx, block+t.h.s.opts.Timeout)
		reply, err := conn.Do(ctx, cmd).AsXReadSlices()
		cancel()
		t.reading.Store(0)
		full, err := t.deliver(conn, list, reply, count, err)
		if err != nil {
			return err
		}
		if len(list) > tailBlockKeys && len(reply) > 0 && !full {
			time.Sleep(min(time.Duration(len(list))*tailPaceEach, tailPaceMax))
		}
	}
	return t.h.ctx.Err()
}

// deliver hands over what one XREAD gave; full says that there is more of some stream. One
// that may have been trimmed is left to be read again, alone. A refusal is of some stream
// only: each is then read alone.
func (t *redisTail) deliver(conn rueidis.DedicatedClient, list []*tailed, reply map[string][]rueidis.XRangeSlice, count int, err error) (full bool, _ error) {
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	if refusal, ok := rueidis.IsRedisErr(err); ok && !strings.HasPrefix(refusal.Error(), "UNBLOCKED") {
		return false, t.readEach(conn, list)
	}
	if err != nil {
		return false, err
	}
	for _, x := range list {
		if entries := reply[x.log.key]; len(entries) > 0 {
			t.measure(entries)
			if len(entries) >= t.doubt(count) {
				full = true
				t.setLagging(x, true)
				continue
			}
			x.log.take(entries)
		}
	}
	return full, nil
}

// xreadCmd reads these streams from their positions. block 0 does not wait.
func xreadCmd(conn rueidis.CoreClient, list []*tailed, count int, block time.Duration) rueidis.Completed {
	keys, ids := make([]string, len(list)), make([]string, len(list))
	for i, x := range list {
		keys[i] = x.log.key
		x.log.mu.RLock()
		ids[i] = x.log.lastText
		x.log.mu.RUnlock()
	}
	cmd := conn.B().Arbitrary("XREAD", "COUNT", itoa(count))
	if block == 0 {
		return cmd.Args("STREAMS").Keys(keys...).Args(ids...).Build()
	}
	return cmd.Args("BLOCK", itoa(block.Milliseconds()), "STREAMS").Keys(keys...).Args(ids...).Blocking()
}

// count is how many entries of each of n streams to ask for, so that the answer stays in
// bounds.
func (t *redisTail) count(n int) int {
	return min(max(tailReplyBytes/(n*t.entryBytes), 1), tailCountMax)
}

// measure keeps entryBytes true: at once upwards, slowly downwards.
func (t *redisTail) measure(entries []rueidis.XRangeSlice) {
	t.entryBytes = max(entryBytes(entries), t.entryBytes-t.entryBytes/16, tailEntryBytes)
}

// entryBytes is the mean size of some entries.
func entryBytes(entries []rueidis.XRangeSlice) int {
	bytes := 0
	for _, e := range entries {
		for _, f := range e.FieldValues {
			bytes += len(f.Field) + len(f.Value)
		}
	}
	return bytes / len(entries)
}
