package loops

import (
	"context"
	"errors"
	"math/rand/v2"

	"throng/replay"
	"throng/sse"
)

// cold is a log that is not all in memory, as on a disk or in Redis: Peek gives only the
// newest events, and not always; After may fail, give little, or find that history is gone.
type cold struct {
	replay.Log
	rng    *rand.Rand // nil: nothing is left to chance
	recent uint64     // events that Peek has
	away   bool       // After fails
	cut    sse.ID     // history up to here was removed by others
	tail   *sse.ID    // of a store that nodes share: this one knows the log up to here

	peeked, read, reads int // events given by Peek, by After, and calls of After that gave some
}

func (c *cold) chance(n int) bool { return c.rng != nil && c.rng.IntN(n) == 0 }

// Peek implements replay.Log.
func (c *cold) Peek(after, upTo sse.ID, dst []*sse.Event) (int, error) {
	last := c.Last()
	if c.chance(4) || last.Less(after) && c.tail != nil || last.Minor > c.recent && after.Minor < last.Minor-c.recent || after.Less(c.cut) {
		return 0, replay.ErrNotResident
	}
	n, err := c.Log.Peek(after, upTo, c.less(dst))
	c.peeked += n
	return n, err
}

// less is a part of dst: who asks is not always given all that there is.
func (c *cold) less(dst []*sse.Event) []*sse.Event {
	if len(dst) > 1 && c.chance(3) {
		return dst[:1+c.rng.IntN(len(dst)-1)]
	}
	return dst
}

// After implements replay.Log.
func (c *cold) After(ctx context.Context, after, upTo sse.ID, dst []*sse.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if c.away || c.chance(10) {
		return 0, &replay.UnavailableError{Reason: "unreachable", Err: errors.New("for a test")}
	}
	if after.Less(c.cut) {
		next := c.cut
		if next.Less(c.Log.Last()) {
			next.Minor++
		}
		return 0, &replay.GoneError{Earliest: next, Resume: c.cut}
	}
	n, total := 0, 0
	dst = c.less(dst)
	for {
		var err error
		if n, err = c.Log.After(ctx, after, upTo, dst[total:]); err != nil || n == 0 {
			c.read += total
			if total > 0 {
				c.reads++
			}
			return total, err
		}
		total += n
		after = dst[total-1].ID
	}
}

// First implements replay.Log.
func (c *cold) First() sse.ID { return latest(c.Log.First(), c.cut) }

// Last implements replay.Log.
func (c *cold) Last() sse.ID {
	if c.tail != nil {
		return *c.tail
	}
	return c.Log.Last()
}
