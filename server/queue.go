package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"throng/breaker"
	"throng/server/loops"
)

// queue is the breaker before the ring: it opens when a loop is too far behind, when the
// ring stays nearly full, or when publishes are refused and none is stored. Any goroutine
// may use it, but look is called by one.
//
// While it is closed it costs a publish an atomic load or two. While it is not, a namespace
// brings more only when the loops have dealt with all that it brought before; what its
// publishers are told until then is its policy. So it is who made the loops late that waits,
// and loops that recover are not idle. Half-open, what is let in is a probe.
type queue struct {
	circuit *breaker.Circuit // nil: with --breakers=off
	clock   func() int64     // monotonic, ns
	figures func(func(loops.Figures))

	lag     time.Duration // a loop may be behind
	fill    float64       // of the ring may be unread, 0 to 1
	fillFor time.Duration // for so long
	apart   time.Duration // two refusals that count both, at least
	wait    time.Duration // a publish may wait while it is not closed

	refusedAt atomic.Int64 // the last refusal that counted, ns
	fullSince time.Time    // when the ring was nearly full first; zero: it is not
}

// eachLoop shows how the loops stand.
func (s *Server) eachLoop(do func(loops.Figures)) {
	for _, l := range s.group.Loops() {
		do(l.Figures())
	}
}

// queueLook is how often the loops are measured: the shortest lag that opens the breaker by
// default is seen before it has doubled.
const queueLook = 100 * time.Millisecond

// queueEase is what a loop may be behind for a probe to be good, of what opens the breaker:
// one that closes at the very edge would open again at once.
const queueEase = 0.5

func newQueue(o *Options, board *breaker.Board, clock func() int64, figures func(func(loops.Figures))) *queue {
	q := &queue{
		clock: clock, figures: figures,
		lag: o.QueueLag, fill: float64(o.QueueFill) / 100, fillFor: o.QueueFillFor, wait: o.QueueWait,
		apart: o.QueueLag / time.Duration(o.QueueRefusals),
	}
	q.refusedAt.Store(clock() - int64(q.apart))
	if o.Breakers != "off" {
		q.circuit = board.Circuit(breaker.Queue, "", breaker.Rule{
			InARow: o.QueueRefusals, OpenFor: o.QueueOpen, Probes: o.QueueProbes,
			Trips: fmt.Sprintf("a loop %v behind, or %d %% of what may be unread for %v", o.QueueLag, o.QueueFill, o.QueueFillFor),
		})
	}
	return q
}

// shut says whether publishes need leave.
func (q *queue) shut() bool { return q.circuit != nil && q.circuit.State() != breaker.Closed }

// open says whether none gets it.
func (q *queue) open() bool { return q.circuit != nil && q.circuit.State() == breaker.Open }

// look measures the loops.
func (q *queue) look(now time.Time) {
	if q.circuit == nil {
		return
	}
	behind, fill := q.measure()
	switch {
	case fill <= q.fill:
		q.fullSince = time.Time{}
	case q.fullSince.IsZero():
		q.fullSince = now
	}
	switch {
	case behind >= q.lag:
		q.circuit.Trip(q.behindBy(behind))
	case !q.fullSince.IsZero() && now.Sub(q.fullSince) >= q.fillFor:
		q.circuit.Trip(fmt.Errorf("%.0f %% of the ring are unread for %v; more than %.0f %% for %v open it",
			100*fill, now.Sub(q.fullSince).Round(time.Millisecond), 100*q.fill, q.fillFor))
	}
}

func (q *queue) behindBy(behind time.Duration) error {
	return fmt.Errorf("a loop is %v behind; %v open it", behind.Round(time.Millisecond), q.lag)
}

// measure gives the worst of the loops.
func (q *queue) measure() (behind time.Duration, fill float64) {
	q.figures(func(f loops.Figures) {
		behind = max(behind, time.Duration(f.BehindSeconds*float64(time.Second)))
		fill = max(fill, f.RingFill)
	})
	return behind, fill
}

// refused counts a publish that found no room. Those that are refused at once may come
// thousands a second while the ring is full for a moment; so they count at a distance, and
// open the circuit when nothing was stored for about as long as a loop may be behind. One
// that has waited in vain always counts.
func (q *queue) refused(cause error, waited bool) {
	if q.circuit == nil || q.shut() {
		return
	}
	now, last := q.clock(), q.refusedAt.Load()
	far := now-last >= int64(q.apart) && q.refusedAt.CompareAndSwap(last, now)
	if far || waited {
		q.circuit.Fail(cause)
	}
}

// enter asks leave to give publishes to the log, as a probe if it is not closed; what became
// of them is told to settle.
func (q *queue) enter() (breaker.Pass, bool) {
	if !q.shut() {
		return breaker.Pass{}, true
	}
	return q.circuit.Allow()
}

// settle says how it went. A probe is good if no loop is behind with what it brought.
func (q *queue) settle(pass breaker.Pass, err error) {
	switch {
	case q.circuit == nil:
	case err != nil:
		pass.Void() // the log's failure is not the queue's
	case pass == breaker.Pass{}:
		q.circuit.Succeed()
	default:
		behind, fill := q.measure()
		switch {
		case float64(behind) >= queueEase*float64(q.lag):
			pass.Failed(q.behindBy(behind))
		case fill > q.fill:
			pass.Failed(fmt.Errorf("%.0f %% of the ring are unread; %.0f %% may be", 100*fill, 100*q.fill))
		default:
			pass.Succeeded()
		}
	}
}

// Why an event was not stored. None of them has an ID, and no key was remembered.
var (
	errQueueFull      = errors.New("the queue of the namespace has no room, and its policy is to refuse")
	errShed           = errors.New("the queue of the namespace has no room, and what matters more goes first")
	errConflated      = errors.New("a newer event of the same topics came while this one was waiting for room")
	errMailboxFull    = errors.New("too many publishes are waiting")
	errPublishTimeout = errors.New("the publish waited too long for its turn and was not stored")
	errQueueOpen      = errors.New("the loops are behind, and have not dealt with what the namespace published before")
)

// queueRefusal is what the publisher is told; nil: it is not the queue's doing.
func queueRefusal(err error) *refusal {
	switch err {
	case errQueueFull:
		return queueFull.because(err.Error())
	case errShed:
		return shedEvent.because(err.Error())
	case errConflated:
		return conflated.because(err.Error())
	case errMailboxFull, errPublishTimeout, errQueueOpen:
		return overloaded.because(err.Error())
	}
	return nil
}

// shedReasonOf is the label under which events are counted that were not stored.
func shedReasonOf(err error) int {
	switch err {
	case errShed:
		return shedQueueShed
	case errConflated:
		return shedQueueConflated
	case errPublishTimeout, errQueueOpen:
		return shedQueueTimeout
	}
	return shedQueueRefused
}

// queuePolicy is what becomes of publishes for which there is no room.
type queuePolicy uint8

// The policies, by their index in queuePolicies.
const (
	policyBlock queuePolicy = iota
	policyShed
	policyShedOldest
	policyConflate
	policyRefuse
)

func (p queuePolicy) sheds() bool { return p == policyShed || p == policyShedOldest }

// policyOf is a namespace's policy.
func (o *Options) policyOf(name string) queuePolicy {
	word := o.QueuePolicy
	for _, own := range o.QueuePolicies {
		if ns, policy, _ := strings.Cut(own, "="); ns == name {
			word = policy
		}
	}
	return queuePolicy(max(slices.Index(queuePolicies, word), 0))
}

// priority says what is shed first. It matters only while there is no room.
type priority int8

// The priorities; an event without one is normal.
const (
	priorityLow priority = iota - 1
	priorityNormal
	priorityHigh
)

func parsePriority[T string | []byte](text T) (priority, error) {
	switch string(text) {
	case "low":
		return priorityLow, nil
	case "", "normal":
		return priorityNormal, nil
	case "high":
		return priorityHigh, nil
	}
	return 0, fmt.Errorf("priority %q; low, normal or high is expected", text)
}
