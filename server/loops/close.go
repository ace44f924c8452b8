package loops

import (
	"runtime"
	"time"

	"throng/poller"
)

// close ends a row, in one order: the reason is counted, it leaves topics, namespace and
// wheel, then the descriptor is closed and the slot's generation goes on. Nothing is in
// flight: writes are made by this goroutine. Closing the last reference takes the
// descriptor out of epoll by itself (epoll(7)), and events that were already reported
// carry a stale generation.
func (l *Loop) close(slot uint32, reason Reason) {
	r := &l.table.rows[slot]
	l.counts.closed[reason].Add(1)
	l.judged(slot, false)
	l.leave(slot)
	if r.state != stateLingering {
		l.index.Leave(r.chain)
		l.joined(l.ns[r.ns], -1)
	}
	if r.state == stateLagging {
		l.counts.lagging.Add(-1)
	}
	l.wheel.remove(slot)
	_ = l.net.Close(int(r.fd))
	l.table.put(slot)
	l.counts.rows.Add(-1)
}

// closeFailed closes a row whose socket reported err.
func (l *Loop) closeFailed(slot uint32, err error) {
	switch {
	case poller.PeerGone(err):
		l.close(slot, ReasonPeer)
	case poller.TimedOut(err): // the kernel's time-out is the same: whichever comes first
		l.fails(slot, ReasonStalled, err)
	default:
		l.o.Log.Warn("a write to a stream failed", "loop", l.id, "error", err)
		l.fails(slot, ReasonWrite, err)
	}
}

func (l *Loop) closeAll(reason Reason) {
	for {
		m, ok := l.leaves()
		if !ok {
			break
		}
		l.deferred.push(m)
	}
	for l.deferred.len() > 0 {
		m := l.deferred.pop()
		if m.attach != nil {
			l.tried(m.attach.NS, m.attach.Trial, false)
		}
		_ = l.net.Close(m.fd)
		l.counts.rows.Add(-1)
	}
	for slot := uint32(1); slot < l.table.used; slot++ {
		if l.table.rows[slot].state != stateFree {
			l.close(slot, reason)
		}
	}
	for _, st := range l.ns {
		if st != nil && st.scan != nil {
			l.endScan(st.scan)
		}
	}
}

// drain is the walk through the table that closes everything.
type drain struct {
	period int64 // ns; 0: not draining
	begun  int64
	closed int
	total  int
	at     uint32
}

// drainSome closes the streams whose share of the period has come. Refused requests end
// by their own time-out.
func (l *Loop) drainSome(quantum int) int {
	d := &l.drain
	if l.drainOver.Load() != 0 {
		period := l.drainOver.Swap(0)
		*d = drain{period: period, begun: l.now, total: int(l.counts.streams.Load()), at: 1}
	}
	if d.period == 0 {
		return 0
	}
	streams := int(l.counts.streams.Load())
	allowed := streams
	if share := float64(l.now-d.begun) / float64(d.period); share < 1 {
		allowed = min(streams, int(share*float64(d.total))-d.closed)
	}
	used := 0
	for looked := uint32(0); used < quantum && allowed > 0 && looked < l.table.used; looked++ {
		if d.at >= l.table.used {
			d.at = 1
		}
		if s := l.table.rows[d.at].state; s != stateFree && s != stateLingering {
			l.close(d.at, ReasonDrain)
			d.closed++
			allowed--
			used++
		}
		d.at++
	}
	return used
}

// due is the tick at which the wheel must look at a row.
func (l *Loop) due(slot uint32) uint32 {
	due := l.ends(slot)
	if r := &l.table.rows[slot]; r.trial != 0 && int32(r.since+trialTicks-due) < 0 {
		due = r.since + trialTicks
	}
	return due
}

// ends is the tick at which a row's time is over: for being silent, or for being.
func (l *Loop) ends(slot uint32) uint32 {
	r := &l.table.rows[slot]
	switch r.state {
	case stateLingering:
		return r.since + l.linger
	case stateLive:
		return r.quiet + l.heartbeat - l.early(slot)
	default:
		return r.quiet + min(l.stall, l.heartbeat)
	}
}

// early spreads heartbeats over the last fifth of the interval: rows that got the same
// broadcast would otherwise all be due in the same tick.
func (l *Loop) early(slot uint32) uint32 {
	return (slot * 2654435761 >> 16) % (l.heartbeat/5 + 1)
}

// expire looks at the rows whose time in the wheel has come.
func (l *Loop) expire(quantum int) int {
	used := 0
	for ; used < quantum; used++ {
		slot := l.wheel.next(l.tick)
		if slot == 0 {
			break
		}
		l.overdue(slot)
	}
	l.flushBeats()
	return used
}

// overdue does what a row's time asks for, and files it again.
func (l *Loop) overdue(slot uint32) {
	r := &l.table.rows[slot]
	token := l.table.token(slot)
	if r.trial != 0 {
		l.judge(slot)
	}
	if int32(l.ends(slot)-l.tick) <= 0 {
		switch r.state {
		case stateLingering:
			l.close(slot, ReasonLinger)
		case stateLive:
			l.beat(slot)
		default:
			l.waiting(slot)
		}
	}
	if l.table.find(token) != nil {
		l.wheel.remove(slot)
		l.wheel.add(slot, l.due(slot))
	}
}

// waiting looks at a row that is not live: stalled, or in want of a sign of life. One that
// waits for history gets a comment: an ID would say that it has what it still waits for.
func (l *Loop) waiting(slot uint32) {
	r := &l.table.rows[slot]
	if r.blocked && l.tick-r.quiet >= l.stall {
		l.fails(slot, ReasonStalled, errStalled)
		return
	}
	switch {
	case r.blocked:
	case r.state == stateCatchUp && l.table.sides[r.side].in != queueNone:
		if l.tick-r.quiet >= l.heartbeat {
			l.beatWith(slot, comment)
		}
	default:
		l.enqueue(slot)
	}
}

func yield() { runtime.Gosched() }

// ClockFrom gives a monotonic clock in ns that starts at 0.
func ClockFrom(start time.Time) func() int64 {
	return func() int64 { return int64(time.Since(start)) }
}
