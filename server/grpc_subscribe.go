package server

import (
	"context"
	"errors"
	"time"

	"throng/replay"
	"throng/source"
	"throng/sse"
)

const (
	// subscriptionLook is how often a subscription that has everything looks for more: what it
	// adds to an event's way to another node. All that are allowed cost 3,200 atomic looks a
	// second.
	subscriptionLook = 20 * time.Millisecond
	// subscriptionPage is how many events are read from the log at once, at most, and
	// subscriptionPageBytes about how many bytes: where they come from a disk, that much is held
	// while the subscriber takes them. A page is at most twice as long as the one before.
	subscriptionPage      = 64
	subscriptionPageBytes = 256 << 10
	// subscriptionRest is how long a subscription waits when the store can't be read.
	subscriptionRest = time.Second
)

// subscription is one reader of a namespace on the gRPC port. Unlike a stream it has a
// goroutine and its connection's buffers: it is for another node, and there are few. It reads
// the log, which is all that it needs: no event is in the ring that is not in the log.
type subscription struct {
	srv  *Server
	ns   *namespace
	send func(*source.Event) error
	at   sse.ID // everything up to it was sent
	page []*sse.Event
	want int // events of the next page
}

// errLeaving ends a subscription because the node drains.
var errLeaving = errors.New("the node is about to stop")

// Subscribe implements source.Backend.
func (b backend) Subscribe(ctx context.Context, r *source.SubscribeRequest, send func(*source.Event) error) *source.Problem {
	name, refused := checkNamespace(r.GetNamespace())
	if refused != nil {
		return b.sourceProblem(refused)
	}
	var after sse.ID
	if text := r.GetAfter(); text != "" && text != "earliest" {
		var err error
		if after, err = sse.ParseID(text); err != nil {
			return b.sourceProblem(badSince.because("after is an ID as the stream gave it, earliest, or empty: " + err.Error()))
		}
	}
	if b.draining.Load() {
		return b.Leaving()
	}
	ns, err := b.hub.follow(name, true)
	if err != nil {
		return b.sourceProblem(b.unavailable(err))
	}
	defer ns.handedOver()
	f := &subscription{srv: b.Server, ns: ns, send: send, page: make([]*sse.Event, subscriptionPage), want: 1}
	if err = f.begin(ctx, r.GetAfter(), after); err == nil {
		err = f.run(ctx)
	}
	switch {
	case errors.Is(err, errLeaving):
		return b.Leaving()
	case errors.Is(err, errNotSent), ctx.Err() != nil:
		return nil
	}
	return b.sourceProblem(b.unavailable(err))
}

// errNotSent ends a subscription whose connection has failed; the server has the cause.
var errNotSent = errors.New("not sent")

func (f *subscription) write(e *source.Event) error {
	if f.send(e) != nil {
		return errNotSent
	}
	return nil
}

// begin finds the position and tells it, or a gap.
func (f *subscription) begin(ctx context.Context, text string, after sse.ID) error {
	switch text {
	case "":
		f.at = f.ns.Log.Last()
	case "earliest":
		f.at = f.ns.Log.First()
	default:
		f.at = after
		gone, err := f.gone(ctx)
		if err != nil {
			return err
		}
		if gone != nil {
			return f.gap(gone)
		}
	}
	return f.write(&source.Event{Id: f.at.String()})
}

// gone asks whether the log can give what follows the position. A store that can't be read is
// waited for.
func (f *subscription) gone(ctx context.Context) (*replay.GoneError, error) {
	for {
		_, err := f.ns.Log.After(ctx, f.at, f.at, nil)
		var gone *replay.GoneError
		switch {
		case errors.As(err, &gone):
			return gone, nil
		case errors.Is(err, replay.ErrUnavailable):
			if err = f.rest(ctx, subscriptionRest); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
}

// gap tells that not everything can be given, and goes on with what can.
func (f *subscription) gap(gone *replay.GoneError) error {
	requested := f.at
	f.at = gone.Resume
	return f.write(&source.Event{Id: f.at.String(), Gap: &source.Gap{Requested: requested.String(), Earliest: gone.Earliest.String()}})
}

// rest waits, unless the node drains or ctx is done.
func (f *subscription) rest(ctx context.Context, d time.Duration) error {
	if f.srv.draining.Load() {
		return errLeaving
	}
	if !sleep(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// run sends events as they come.
func (f *subscription) run(ctx context.Context) error {
	for {
		wait := subscriptionLook
		last := f.ns.Log.Last()
		var err error
		switch {
		case f.at.Less(last):
			wait, err = f.advance(ctx, last)
		case last.Less(f.at):
			// Another node gave the position, and the tail here has not come to it; or there is
			// no such event any more.
			wait = subscriptionRest
			var gone *replay.GoneError
			if gone, err = f.gone(ctx); err == nil && gone != nil {
				err = f.gap(gone)
			}
		}
		if err == nil {
			err = f.rest(ctx, wait)
		}
		if err != nil {
			return err
		}
	}
}

// advance sends a page of what follows the position, and says how long to wait then.
func (f *subscription) advance(ctx context.Context, last sse.ID) (time.Duration, error) {
	n, err := f.ns.Log.After(ctx, f.at, last, f.page[:f.want])
	var gone *replay.GoneError
	switch {
	case errors.As(err, &gone):
		return 0, f.gap(gone)
	case errors.Is(err, replay.ErrUnavailable):
		return subscriptionRest, nil
	case err != nil:
		return 0, err
	case n == 0:
		f.at = last
		return 0, nil
	}
	bytes := 1
	for i, e := range f.page[:n] {
		if err := f.write(wireEvent(e)); err != nil {
			return 0, err
		}
		f.at, f.page[i] = e.ID, nil
		bytes += len(e.Data)
	}
	f.want = max(min(n*subscriptionPageBytes/bytes, 2*f.want, subscriptionPage), 1)
	return 0, nil
}

// sleep waits; false: ctx is done.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
