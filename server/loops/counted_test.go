package loops

import (
	"throng/replay"
	"throng/sse"
)

// counted is a log that counts what is read of it.
type counted struct {
	replay.Log
	events int
}

func (c *counted) Peek(id, upTo sse.ID, dst []*sse.Event) (int, error) {
	n, err := c.Log.Peek(id, upTo, dst)
	c.events += n
	return n, err
}
