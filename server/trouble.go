package server

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"throng/replay"
)

// storeProblem is the row of the error table for what a store says.
func storeProblem(err error) *problem {
	var away *replay.UnavailableError
	if !errors.As(err, &away) {
		return &storeFailed
	}
	switch away.Reason {
	case "disk_full", "memory_full", "spool_full":
		return &storeFull
	case "answer_lost", "not_replicated", "behind":
		return &storeSilent
	}
	return &storeUnavailable
}

// storeDetail is what a client may know of a store's failure: not the paths and addresses
// that the node's log has.
func storeDetail(err error) string {
	var away *replay.UnavailableError
	if errors.As(err, &away) {
		return fmt.Sprintf("the store takes no events now (%s)", away.Reason)
	}
	return "the store failed; the node's log says how"
}

// unavailable is what a client is told when the node can't do it now.
func (s *Server) unavailable(err error) *refusal {
	switch {
	case errors.Is(err, errTooManyNamespaces):
		return manyNamespaces.because(fmt.Sprintf("%d namespaces are open, and none has been idle for long", s.o.NamespacesMax))
	case errors.Is(err, errMailboxFull), errors.Is(err, errPublishTimeout):
		return overloaded.because(err.Error())
	}
	s.hub.trouble.note(err)
	return storeProblem(err).because(storeDetail(err))
}

// recordRefusal is what the publisher of one event of a batch is told.
func (s *Server) recordRefusal(err error) *refusal {
	if errors.Is(err, replay.ErrKeyReused) {
		return keyReused.because("this Idempotency-Key came before with other topics, another name or other data")
	}
	s.hub.trouble.note(err)
	return storeProblem(err).because(storeDetail(err))
}

// trouble tells the log about failures of the store: the first at once, then at most one
// line a minute, however many publishes met it, and when it is over. Any goroutine may
// use it.
type trouble struct {
	log *slog.Logger

	mu    sync.Mutex
	since time.Time // the first failure; zero: the store is well
	told  time.Time
	count int
}

// troubleEvery is how often a store that goes on failing is told of.
const troubleEvery = time.Minute

// note takes a failure.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	}
	if now.Sub(t.told) >= troubleEvery {
		t.told = now
		t.log.Error("the store does not take events", "refused", t.count, "error", err)
	}
}

// look is called once a second with the store's health: it tells the end.
func (t *trouble) look(health error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if health != nil || t.since.IsZero() || time.Since(t.since) < time.Second {
		return
	}
	t.log.Info("the store takes events again", "after", time.Since(t.since).Round(time.Millisecond), "refused", t.count)
	t.since, t.told, t.count = time.Time{}, time.Time{}, 0
}
