package replay

import (
	"context"
	"time"
)

// spoolTurnMin is the shortest wait for leave of the other store's Guard.
const spoolTurnMin = 10 * time.Millisecond

// Probe implements Prober: it asks the other store, be there room in the spool or not.
func (s *Spool) Probe(ctx context.Context) error {
	if p, ok := s.Store.(Prober); ok {
		return p.Probe(ctx)
	}
	return s.Store.Health()
}

// turn waits for leave to send a page; false: the spool is closed. A turn that is refused is
// sat out for as long as the last page took, so that a sender that gets a tenth of its turns
// works a tenth of the time. Nothing overtakes what waits: all of its namespace queues behind.
func (s *Spool) turn() bool {
	for s.guard != nil && !s.guard.Allow() {
		if !s.sleep(min(max(s.took, spoolTurnMin), s.opts.RetryMin)) {
			return false
		}
	}
	return s.ctx.Err() == nil
}
