package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"throng/sse"
)

// idBytesMax is the longest ID that is sent back to the server, in bytes: IDs have up to 41, and
// no server takes headers without a limit.
const idBytesMax = 256

// SubscribeOptions say what a Subscription is about.
type SubscribeOptions struct {
	Namespace string   // empty: the server's default
	Topics    []string // at least one; the wildcards + and # are allowed
	Since     string   // go on after this ID; "earliest": everything that is held; empty: from now on
	JSON      bool     // ask for envelopes: events then name their topics
	// OnState is called at every change of state, in the goroutine that called Next, with the
	// reason when it is a failure. It must not call the subscription.
	OnState func(State, error)
}

// Subscription is a stream of events that resumes by itself. Its methods belong to one goroutine
// at a time, but for Close, which any may call.
type Subscription struct {
	client  *Client
	options SubscribeOptions
	life    context.Context
	stop    context.CancelCauseFunc

	state     State
	stream    *stream // nil: not connected
	lastID    string
	backoff   backoff
	notBefore time.Time // no connection is tried earlier
	ended     error     // why it is over for good
}

// Subscribe begins a subscription, which lives until ctx ends, Close is called, or the server
// refuses it for good. It connects at the first call to Next.
func (c *Client) Subscribe(ctx context.Context, o SubscribeOptions) *Subscription {
	s := &Subscription{client: c, options: o, backoff: backoff{min: c.options.BackoffMin, max: c.options.BackoffMax}}
	s.life, s.stop = context.WithCancelCause(ctx)
	return s
}

// Next waits for the next event; it connects, waits and connects again as needed.
//
// The error is final, and the same at every later call, when the server refuses the subscription
// (an *Error that is not Temporary), when it does not speak the protocol (ErrProtocol), when an
// event is over the limits (sse.ErrLineTooLong, sse.ErrEventTooLong), after Close (ErrClosed) and
// after the end of the subscription's own context (its cause). When only ctx ends, the error is
// its cause, the connection is dropped, and the next call resumes.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if s.ended != nil {
			return Event{}, s.ended
		}
		if s.life.Err() != nil {
			return Event{}, s.end(context.Cause(s.life))
		}
		if ctx.Err() != nil {
			return Event{}, context.Cause(ctx)
		}
		e, ok, err := s.step(ctx)
		if ok {
			return e, nil
		}
		if err != nil {
			s.lose(ctx, err)
		}
	}
}

// All are the events from now on. The last element, and only that, has the error of Next.
func (s *Subscription) All(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			e, err := s.Next(ctx)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// LastID is the position after which the subscription would resume: that of the last event Next
// has returned, or a later one if the server has told that nothing came in between. Empty when
// the server has told none yet.
func (s *Subscription) LastID() string { return s.lastID }

// Close ends the subscription and its connection. A Next that waits returns ErrClosed.
func (s *Subscription) Close() { s.stop(ErrClosed) }

// step connects, or takes one message of the connection.
func (s *Subscription) step(ctx context.Context) (Event, bool, error) {
	if s.stream == nil {
		return Event{}, false, s.connect(ctx)
	}
	s.stream.call = ctx
	m, err := s.stream.decoder.Next()
	if err != nil {
		if err == io.EOF {
			err = errEnded
		}
		return Event{}, false, err
	}
	s.backoff.failures = 0
	switch m.Kind {
	case sse.KindRetry:
		s.backoff.retry = min(m.Retry, askedWaitMax)
	case sse.KindPosition:
		return Event{}, false, s.moveTo(m.ID)
	case sse.KindEvent:
		e, err := s.event(m)
		return e, err == nil, err
	}
	return Event{}, false, nil
}

// event is the event of a message. Its ID becomes the position only when it can be handed out.
func (s *Subscription) event(m sse.Message) (Event, error) {
	e := Event{ID: string(m.ID), Name: string(m.Name)}
	if s.options.JSON {
		if err := e.openEnvelope(m.Data); err != nil {
			return Event{}, err
		}
	} else {
		e.Data = string(m.Data)
	}
	return e, s.moveTo(m.ID)
}

// moveTo takes id as the position to resume after. An empty one changes nothing.
func (s *Subscription) moveTo(id []byte) error {
	if len(id) > idBytesMax {
		return fmt.Errorf("%w: an ID of %d bytes", ErrProtocol, len(id))
	}
	for _, c := range id {
		if c < ' ' || c == 0x7f {
			return fmt.Errorf("%w: the ID %q can't be sent back", ErrProtocol, id)
		}
	}
	if len(id) > 0 {
		s.lastID = string(id)
	}
	return nil
}

// connect waits until a connection may be tried, and tries it.
func (s *Subscription) connect(ctx context.Context) error {
	if wait := time.Until(s.notBefore); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.life.Done():
			return context.Cause(s.life)
		}
	}
	var q query
	q.add("topic", s.options.Topics...)
	q.optional("ns", s.options.Namespace)
	if s.lastID == "" {
		q.optional("since", s.options.Since)
	}
	if s.options.JSON {
		q.add("format", "json")
	}
	t, err := s.client.open(s.life, ctx, q, s.lastID)
	if err != nil {
		return err
	}
	s.stream = t
	s.become(Connected, nil)
	return nil
}

// lose gives the connection up because of err, and decides how to go on.
func (s *Subscription) lose(ctx context.Context, err error) {
	if s.stream != nil {
		_ = s.stream.close(err)
		s.stream = nil
	}
	switch {
	case s.life.Err() != nil:
		// Next tells it.
	case ctx.Err() != nil:
		// The caller let go of a good connection: the next call goes on at once.
		if s.state == Connected {
			s.become(Recovering, err)
		}
	case permanent(err):
		_ = s.end(err)
	default:
		s.become(Recovering, err)
		s.notBefore = time.Now().Add(s.backoff.next(err))
	}
}

// end makes err the last word of the subscription.
func (s *Subscription) end(err error) error {
	if s.stream != nil {
		_ = s.stream.close(err)
		s.stream = nil
	}
	s.ended = err
	s.stop(err)
	s.become(Disconnected, err)
	return err
}

// become changes the state and tells it.
func (s *Subscription) become(state State, why error) {
	if s.state == state {
		return
	}
	s.state = state
	if s.options.OnState != nil {
		s.options.OnState(state, why)
	}
}
