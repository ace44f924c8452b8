package replay

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"throng/sse"
)

// A pipeline's limits: it has to be through within Timeout, and other namespaces on the
// connection wait for it.
const (
	redisBatchMax      = 256     // records
	redisBatchBytesMax = 1 << 20 // data of the records, but for a single larger one
)

// Append implements Log: one pipeline for up to 256 records or 1 MiB. A record that fails alone has
// its Err, also when the answer was lost; all others are as Redis says. Behind a pipeline of
// which nothing was taken nothing is sent: it would come before what is tried again.
func (l *redisLog) Append(ctx context.Context, batch []Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.closed.Load() {
		return ErrClosed
	}
	if err := l.s.mayWrite(); err != nil {
		return err
	}
	return l.appendAllowed(ctx, batch)
}

// appendAllowed implements leaveAsked.
func (l *redisLog) appendAllowed(ctx context.Context, batch []Record) error {
	for i := range batch {
		batch[i].Duplicate, batch[i].Err, batch[i].Spooled = false, nil, 0
	}
	for rest := batch; len(rest) > 0; {
		n, bytes := 0, 0
		for n < min(len(rest), redisBatchMax) && (n == 0 || bytes+len(rest[n].Event.Data) <= redisBatchBytesMax) {
			bytes += len(rest[n].Event.Data)
			n++
		}
		l.appendPage(ctx, rest[:n])
		err := allAway(rest[:n])
		if rest = rest[n:]; err != nil {
			setErr(rest, unsent(err))
			break
		}
	}
	return allAway(batch)
}

// allAway is the first error of records of which none was taken, or refused for good.
func allAway(batch []Record) error {
	for i := range batch {
		if _, away := batch[i].Err.(*UnavailableError); !away {
			return nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return batch[0].Err
}

// unsent is the error of records that were not sent because those before them failed.
func unsent(err error) error {
	if surelyNotStored(err) {
		return err
	}
	return &UnavailableError{Reason: reasonUnreachable, Err: err}
}

// appendPage sends a page of records and gives each its ID or its Err.
func (l *redisLog) appendPage(ctx context.Context, page []Record) {
	h, err := l.master()
	if err != nil {
		setErr(page, err)
		return
	}
	if fault := h.unreplicated(); fault != nil {
		setErr(page, fault)
		return
	}
	_, known := l.claims()
	redirects := l.send(ctx, h, page, all(len(page)), "")
	if len(redirects) > 0 {
		l.redirect(ctx, page, redirects)
	}
	l.refuseBehind(ctx, h, page, known)
	var fresh [redisBatchMax]*sse.Event
	n := 0
	var last sse.ID
	for i := range page {
		if r := &page[i]; r.Err == nil && !r.Duplicate {
			fresh[n], last = r.Event, r.Event.ID
			n++
		}
	}
	if n > 0 {
		sse.SealAll(fresh[:n])
		l.ack(last)
		h.refusing.Store(nil)
	}
}

// refuseBehind does not acknowledge events with IDs that are not above one which was given
// before the batch was sent: Redis has lost that one, as in a failover, and its clock is
// behind. The next ones are above it.
func (l *redisLog) refuseBehind(ctx context.Context, h *redisShard, page []Record, known sse.ID) {
	behind := false
	for i := range page {
		if r := &page[i]; r.Err == nil && !r.Duplicate && !known.Less(r.Event.ID) {
			r.Err = &UnavailableError{Reason: reasonBehind, Err: errBehind}
			behind = true
		}
	}
	if !behind {
		return
	}
	h.tail.recheck(l)
	if err := h.raise(ctx, l.key, known); err != nil {
		l.s.opts.Log.Warn("Redis: a stream can't be raised", "ns", l.ns, "to", known, "error", err)
	}
}

// errBehind: the ID is not above one that was given before.
var errBehind = errors.New("later events were lost by Redis")

// setErr gives all records of a page the same error.
func setErr(page []Record, err error) {
	for i := range page {
		page[i].Err = err
	}
}

// all are the indexes below n.
func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// A redirect is a record that another node of the Cluster has to take; it was not stored.
type redirect struct {
	index int
	addr  string
	ask   bool // only this once: the slot is on its way there
}

// send sends the records with these indexes, in their order. asking is put before each one.
func (l *redisLog) send(ctx context.Context, h *redisShard, page []Record, indexes []int, asking string) []redirect {
	cmds := make([]rueidis.Completed, 0, 2*len(indexes)+1)
	scripted := h.scripted.Load()
	keyed := false
	for _, i := range indexes {
		if asking != "" {
			cmds = append(cmds, h.client.B().Arbitrary(asking).Build())
		}
		if r := &page[i]; r.Key == "" {
			cmds = append(cmds, l.addCmd(h, r.Event))
		} else {
			// The first one carries the script, so that Redis can't lack it for those behind:
			// a record that had to be sent again would come after later ones. Alone it may.
			cmds = append(cmds, l.keyedCmd(h, r, !keyed && (!scripted || len(indexes) > 1)))
			keyed = true
		}
	}
	ask, replicas := h.do, h.s.opts.Replicas
	if replicas > 0 {
		ask = h.doAlone
		cmds = append(cmds, h.waitCmd())
	}
	results, err := ask(ctx, cmds...)
	if err != nil {
		for _, i := range indexes {
			page[i].Err = err
		}
		return nil
	}
	if keyed {
		h.scripted.Store(true)
	}
	step := 1
	if asking != "" {
		step = 2
	}
	var redirects []redirect
	for n, i := range indexes {
		if to := l.settle(h, &page[i], results[n*step+step-1]); to != nil {
			to.index = i
			redirects = append(redirects, *to)
		}
	}
	if replicas > 0 {
		l.settleWait(h, page, indexes, results[len(results)-1])
	}
	return redirects
}

// settle reads what became of one record.
func (l *redisLog) settle(h *redisShard, r *Record, result rueidis.RedisResult) *redirect {
	var text string
	var err error
	code := int64(keyedAdded)
	if r.Key == "" {
		text, err = result.ToString()
	} else {
		var parts []rueidis.RedisMessage
		if parts, err = result.ToArray(); err == nil && len(parts) == 2 {
			code, _ = parts[0].AsInt64()
			text, err = parts[1].ToString()
		}
	}
	if err != nil {
		return l.refused(h, r, err)
	}
	id, err := sse.ParseID(text)
	switch {
	case code == keyedTooSoon:
		r.Err = errTooSoon
	case err != nil:
		r.Err = &UnavailableError{Reason: reasonRefused, Err: err}
	case code == keyedReused:
		r.Err = ErrKeyReused
	default:
		r.Event.ID, r.Duplicate = id, code == keyedKnown
	}
	return nil
}

// refused gives a record its Err, unless another node has to be asked.
func (l *redisLog) refused(h *redisShard, r *Record, err error) *redirect {
	fault := redisFault(err)
	if fault == nil {
		fault = &UnavailableError{Reason: reasonRefused, Err: err}
	}
	r.Err = fault
	if refusal, ok := rueidis.IsRedisErr(err); ok {
		if refusal.IsNoScript() {
			h.scripted.Store(false)
			return &redirect{addr: h.addr}
		}
		if addr, ok := refusal.IsMoved(); ok {
			h.s.look()
			return &redirect{addr: addr}
		}
		if addr, ok := refusal.IsAsk(); ok {
			return &redirect{addr: addr, ask: true}
		}
	}
	h.failed(fault, l.nobody)
	return nil
}

// redirect sends refused records once more, to where the first of them was sent; all of a
// namespace are in one slot.
func (l *redisLog) redirect(ctx context.Context, page []Record, redirects []redirect) {
	l.s.counts.redirects.Add(uint64(len(redirects)))
	to := redirects[0]
	l.s.mu.RLock()
	h := l.s.routes.shards[to.addr]
	l.s.mu.RUnlock()
	if h == nil || h.away.Load() != nil {
		return // they keep their Err; the routes are being looked at
	}
	indexes := make([]int, len(redirects))
	for n, r := range redirects {
		indexes[n], page[r.index].Err = r.index, nil
	}
	asking := ""
	if to.ask {
		asking = "ASKING"
	}
	l.send(ctx, h, page, indexes, asking) // who redirects again leaves its Err
}
