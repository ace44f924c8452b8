package replay

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"throng/sse"
)

// Limits of one XRANGE, whose answer stands before those to publishers.
const (
	redisPageMax    = 256      // entries
	redisPageBytes  = 1 << 20  // aim for one answer
	redisEntryBytes = 32 << 10 // size of an entry before any was seen: a first page of 32
)

// A streamInfo is what XINFO STREAM tells. Without a stream it is that of an empty one.
type streamInfo struct {
	last        sse.ID // last-generated-id; never zero
	first       sse.ID // of the first entry; zero: there is none
	deleted     sse.ID // the highest ID that XDEL removed
	lastIsEntry bool   // last is an entry's
	length      int64  // entries held
	added       int64  // entries ever added
	whole       bool   // nothing was ever removed
}

// floor is the position after which everything is held.
func (i *streamInfo) floor() sse.ID {
	switch {
	case i.first.IsZero():
		return i.last
	case i.whole && i.deleted.IsZero():
		return redisStart
	}
	return before(i.first)
}

// gone says what a reader at an ID must be told, nil if nothing after it was removed, as
// far as Redis can tell: when in doubt, something was.
func (i *streamInfo) gone(after sse.ID) *GoneError {
	g := &GoneError{Earliest: i.first, Resume: i.floor()}
	if i.first.IsZero() {
		g.Earliest = i.last
	}
	switch {
	case i.last.Less(after):
		g.Resume = i.last // of the future, or of a history that is lost
		return g
	case after.Less(g.Resume), after.Less(redisStart):
		return g
	case after == redisStart && i.whole:
		return nil
	case i.hole(after):
		g.Resume = i.deleted // but for what is held below it, which After gives first
		return g
	case !i.first.IsZero() && after.Next().Less(i.first):
		return g // below the first entry there is nothing that this stream gave
	}
	return nil
}

// hole tells whether something was removed from behind an ID that is not below what is
// held, as XDEL does. Redis tells where the last such removal was, and not how many there were.
func (i *streamInfo) hole(after sse.ID) bool {
	return !after.Less(i.floor()) && after.Less(i.deleted)
}

// below are the entries up to an ID.
func below(entries []rueidis.XRangeSlice, upTo sse.ID) []rueidis.XRangeSlice {
	for n := range entries {
		if id, err := sse.ParseID(entries[n].ID); err != nil || upTo.Less(id) {
			return entries[:n]
		}
	}
	return entries
}

// maxID is the later of two.
func maxID(a, b sse.ID) sse.ID {
	if a.Less(b) {
		return b
	}
	return a
}

// parseStreamInfo reads the answer of XINFO STREAM.
func parseStreamInfo(r rueidis.RedisResult) (streamInfo, error) {
	info := streamInfo{last: redisStart, whole: true}
	m, err := r.AsMap()
	if err != nil {
		if refusal, ok := rueidis.IsRedisErr(err); ok && strings.Contains(refusal.Error(), "no such key") {
			return info, nil
		}
		return info, redisFault(err)
	}
	id := func(name string) (id sse.ID) {
		v := m[name]
		if text, err := v.ToString(); err == nil {
			id, _ = sse.ParseID(text)
		}
		return id
	}
	number := func(name string) int64 {
		v := m[name]
		n, err := v.AsInt64()
		if err != nil {
			return -1
		}
		return n
	}
	entry := func(name string) sse.ID {
		v := m[name]
		x, err := v.AsXRangeSlice()
		if err != nil {
			return sse.ID{}
		}
		id, _ := sse.ParseID(x.ID)
		return id
	}
	info.last = maxID(id("last-generated-id"), redisStart)
	info.deleted = id("max-deleted-entry-id")
	info.first = entry("first-entry")
	info.lastIsEntry = entry("last-entry") == info.last
	info.added, info.length = number("entries-added"), number("length")
	info.whole = info.added >= 0 && info.added == info.length
	return info, nil
}

// info asks for the state of a stream.
func (h *redisShard) info(ctx context.Context, key string) (streamInfo, error) {
	results, err := h.do(ctx, h.infoCmd(key))
	if err != nil {
		return streamInfo{}, err
	}
	return parseStreamInfo(results[0])
}

// infoCmd is the command for it.
func (h *redisShard) infoCmd(key string) rueidis.Completed {
	return h.client.B().Arbitrary("XINFO", "STREAM").Keys(key).Build()
}

// raise makes a stream's next ID come after this one.
func (h *redisShard) raise(ctx context.Context, key string, id sse.ID) error {
	cmd := h.client.B().Arbitrary("EVAL", raiseScript, "1").Keys(key).Args(id.String()).Build()
	results, err := h.do(ctx, cmd)
	if err != nil {
		return err
	}
	if fault := redisFault(results[0].Error()); fault != nil {
		return fault
	}
	return nil
}

// Peek implements Log: what the tail has read lately.
func (l *redisLog) Peek(after, upTo sse.ID, dst []*sse.Event) (int, error) {
	if !l.followed.Load() || l.Last().Less(after) {
		return 0, ErrNotResident
	}
	n, ok := l.recent.after(after, upTo, dst)
	if !ok {
		return 0, ErrNotResident
	}
	return n, nil
}

// After implements Log. What is in memory needs no Redis, also while Redis is away. Behind a
// hole in the stream the gap is told when all that is held below it was given.
func (l *redisLog) After(ctx context.Context, after, upTo sse.ID, dst []*sse.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if n, err := l.Peek(after, upTo, dst); !errors.Is(err, ErrNotResident) {
		return n, err
	}
	h, err := l.master()
	if err != nil {
		return 0, err
	}
	if err := l.s.mayRead(h); err != nil {
		return 0, err
	}
	return l.readPage(ctx, h, after, upTo, dst)
}

// readPage is After for what Redis has to be asked for.
func (l *redisLog) readPage(ctx context.Context, h *redisShard, after, upTo sse.ID, dst []*sse.Event) (int, error) {
	for from := after; ; {
		size := int(l.entryBytes.Load())
		want := min(len(dst), redisPageMax, max(redisPageBytes/size, 1))
		if upTo.Compare(after) <= 0 {
			want = 0
		}
		var cmds [2]rueidis.Completed
		n := 0
		if want > 0 {
			cmds[n] = h.client.B().Arbitrary("XRANGE").Keys(l.key).Args("("+from.String(), upTo.String(), "COUNT", itoa(want)).Build()
			n++
		}
		cmds[n] = h.infoCmd(l.key) // behind it: what is removed in between counts as removed
		results, late, err := h.read(ctx, cmds[:n+1]...)
		if late && ctx.Err() == nil {
			l.entryBytes.Store(int32(min(8*size, redisPageBytes))) // who asks again gets less
		}
		if err != nil {
			return 0, err
		}
		info, err := parseStreamInfo(results[n])
		if err != nil {
			return 0, err
		}
		l.learn(info)
		gone := info.gone(from)
		hole := gone != nil && info.hole(from)
		if gone != nil && !hole {
			return 0, gone
		}
		if want == 0 {
			if !hole {
				return 0, nil
			}
			var first [1]*sse.Event // reading can go on if anything is held below the hole
			_, err := l.readPage(ctx, h, from, info.deleted, first[:])
			return 0, err
		}
		entries, err := results[0].AsXRangeSlices()
		if err != nil && !rueidis.IsRedisNil(err) {
			return 0, redisFault(err)
		}
		if len(entries) > 0 {
			l.entryBytes.Store(int32(min(max(entryBytes(entries), size/2, tailEntryBytes), redisPageBytes)))
		}
		whole := len(entries) < want
		if hole {
			if entries = below(entries, info.deleted); len(entries) == 0 {
				return 0, gone
			}
			whole = false
		}
		events, last, _ := l.s.decodeEntries(dst[:0], entries, from)
		if len(events) > 0 || whole {
			return len(events), nil
		}
		from = last // a page of entries that are no events
	}
}
