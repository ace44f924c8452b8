package replay

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"
)

// redisReasons are the reasons of UnavailableError by how Redis begins its refusal.
var redisReasons = []struct{ prefix, reason string }{
	{"OOM", "memory_full"},
	{"READONLY", "read_only"},
	{"MASTERDOWN", "read_only"},
	{"LOADING", "loading"},
	{"MISCONF", "io"},
	{"CLUSTERDOWN", "cluster_down"},
	{"MOVED", "cluster_down"},
	{"ASK", "cluster_down"},
	{"TRYAGAIN", "cluster_down"},
	{"NOREPLICAS", reasonNoReplicas},
	{"NOAUTH", "forbidden"},
	{"NOPERM", "forbidden"},
	{"WRONGPASS", "forbidden"},
	{"BUSY", "busy"},
}

// Reasons that are not, or not only, refusals of Redis.
const (
	reasonUnreachable   = "unreachable"    // surely not stored: nothing was sent
	reasonAnswerLost    = "answer_lost"    // perhaps stored: the answer did not come
	reasonNotReplicated = "not_replicated" // stored by the master, but not by as many replicas as wanted
	reasonNoReplicas    = "no_replicas"    // surely not stored: too few replicas are there
	reasonBehind        = "behind"         // stored, but below IDs that were given before: readers do not get it
	reasonRefused       = "refused"        // Redis said no in words that are not in the table
)

// errTooSoon: a record that was to be stored behind another one, which was not stored.
var errTooSoon = &UnavailableError{Reason: reasonRefused, Err: errors.New("the event before it was not stored")}

// A dialError is a connection that was never made, so nothing was sent.
type dialError struct{ err error }

// Error gives the cause.
func (e dialError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e dialError) Unwrap() error { return e.err }

// redisFault makes an UnavailableError of what rueidis answered; nil stays nil.
func redisFault(err error) *UnavailableError {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	if refusal, ok := rueidis.IsRedisErr(err); ok {
		for _, r := range redisReasons {
			if strings.HasPrefix(refusal.Error(), r.prefix) {
				return &UnavailableError{Reason: r.reason, Err: err}
			}
		}
		return &UnavailableError{Reason: reasonRefused, Err: err}
	}
	var dial dialError
	if errors.As(err, &dial) || errors.Is(err, rueidis.ErrClosing) {
		return &UnavailableError{Reason: reasonUnreachable, Err: err}
	}
	return &UnavailableError{Reason: reasonAnswerLost, Err: err}
}

// isAway tells whether a failure means that asking again is in vain until Redis is seen to
// be back. A refusal comes at once and costs nobody's time, but for those of a server that
// serves nobody yet, or not us; too few replicas are no matter of the master's.
func (e *UnavailableError) isAway() bool {
	if _, refused := rueidis.IsRedisErr(e.Err); refused {
		return e.Reason == "loading" || e.Reason == "forbidden"
	}
	return e.Reason != reasonNotReplicated && e.Reason != reasonNoReplicas
}

// isCallers tells whether a failure is the caller's impatience and says nothing of Redis.
func isCallers(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// forOthers is the failure as those are told it who do not ask for that reason: of an answer
// that was lost, they have lost none. nil stays nil.
func (e *UnavailableError) forOthers() *UnavailableError {
	if e == nil || e.Reason != reasonAnswerLost {
		return e
	}
	return &UnavailableError{Reason: reasonUnreachable, Err: e.Err}
}
