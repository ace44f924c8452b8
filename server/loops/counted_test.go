package loops

import (
	"context"

	"throng/replay"
	"throng/sse"
)

// counted is a log that counts what is read of it.
type counted struct {
	replay.Log
	events int
}

func (c *counted) After(ctx context.Context, id, upTo sse.ID, dst []*sse.Event) (int, error) {
	n, err := c.Log.After(ctx, id, upTo, dst)
	c.events += n
	return n, err
}
