package replay

import (
	"context"
	"errors"
)

// redisPlacesMax is how many pipelines may be under way on the connection for commands. The
// client has room for 512 and lets who comes then wait without any limit; the rest is for
// those who find out whether the server lives.
const redisPlacesMax = 1<<redisRingScale - 32

// errPlaces: nothing was sent.
var errPlaces = errors.New("too many commands wait for an answer")

// enter waits for a place, which is given back by leave. Who waited looks again: those that
// had a place may have found out meanwhile that the server is away.
func (h *redisShard) enter(ctx context.Context) error {
	if f := h.away.Load(); f != nil {
		return f
	}
	select {
	case h.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case h.places <- struct{}{}:
	case <-ctx.Done():
		return &UnavailableError{Reason: reasonUnreachable, Err: errPlaces}
	}
	if f := h.away.Load(); f != nil {
		h.leave()
		return f
	}
	return nil
}

func (h *redisShard) leave() { <-h.places }
