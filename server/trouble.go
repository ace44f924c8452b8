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
	if errors.Is(err, errTooManyNamespaces) {
		return manyNamespaces.because(fmt.Sprintf("%d namespaces are open, and none has been idle for long", s.o.NamespacesMax))
	}
	if refused := queueRefusal(err); refused != nil {
		return refused
	}
	s.hub.trouble.note(err)
	return storeProblem(err).because(storeDetail(err))
}

// recordRefusal is what the publisher of one event of a batch is told.
func (s *Server) recordRefusal(err error) *refusal {
	if errors.Is(err, replay.ErrKeyReused) {
		return keyReused.because("this Idempotency-Key came before with other topics, another name or other data")
	}
	if refused := queueRefusal(err); refused != nil {
		return refused
	}
	s.hub.trouble.note(err)
	return storeProblem(err).because(storeDetail(err))
}

// trouble tells the log about failures of the store: the first at once, then at most one
// line a minute, however many requests met it, and when it is over. Any goroutine may use
// it.
type trouble struct {
	log *slog.Logger

	mu     sync.Mutex
	since  time.Time // the first failure; zero: the store is well
	latest time.Time // the last one
	told   time.Time
	count  int
}

const (
	// troubleEvery is how often a store that goes on failing is told of.
	troubleEvery = time.Minute
	// troubleOver is for how long nothing must have failed until it counts as over: some
	// failures are those of one request, and the store is well besides.
	troubleOver = 5 * time.Second
)

// note takes a failure that a client is told of.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	now := time.Now()
	t.latest = now
	if t.since.IsZero() {
		t.since = now
	}
	if now.Sub(t.told) >= troubleEvery {
		t.told = now
		t.log.Error("the store failed requests", "requests", t.count, "error", err)
	}
}

// look is called once a second with the store's health: it tells the end.
func (t *trouble) look(health error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if health != nil || t.since.IsZero() || time.Since(t.latest) < troubleOver {
		return
	}
	t.log.Info("the store is well again", "after", t.latest.Sub(t.since).Round(time.Millisecond), "failed_requests", t.count)
	t.since, t.count = time.Time{}, 0
}
