package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"throng/client"
)

// publisher sends batches and tells what became of their events.
type publisher struct {
	*process
	client    *client.Client
	namespace string
	retry     time.Duration // how long what may be taken later is tried again
	refused   bool          // an event was
}

// Waits between two tries of an event, in which the server's own Retry-After goes first: a
// random part of a window that doubles up to the last one.
const (
	retryWindowMin = 100 * time.Millisecond
	retryWindowMax = 5 * time.Second
)

// send publishes a batch. Its error ends the command: what followed is unknown. Of events
// that are tried again those that were taken meanwhile are ahead; nothing newer is sent
// before all of them have their answer.
func (p *publisher) send(ctx context.Context, batch []item) error {
	var good []item
	for _, i := range batch {
		switch {
		case i.err != nil:
			p.refuse(i, i.err)
			continue
		case p.retry > 0 && i.request.IdempotencyKey == "":
			i.request.IdempotencyKey = rand.Text()
		}
		good = append(good, i)
	}
	until := time.Now().Add(p.retry)
	for window := retryWindowMin; len(good) > 0; window = min(2*window, retryWindowMax) {
		again, wait, err := p.try(ctx, good, time.Now().Before(until))
		if err != nil || len(again) == 0 {
			return err
		}
		good = again
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(wait+mathrand.N(window), max(time.Until(until), 0))):
		}
	}
	return nil
}

// try sends the events once, tells what became of them, and gives those that may be tried
// again after the server's own wait, if that is allowed.
func (p *publisher) try(ctx context.Context, good []item, mayRetry bool) (again []item, wait time.Duration, _ error) {
	requests := make([]client.PublishRequest, len(good))
	for n, i := range good {
		requests[n] = i.request
	}
	results, err := p.publish(ctx, requests)
	var refusal *client.Error
	for n, r := range results {
		switch {
		case mayRetry && errors.As(r.Err, &refusal) && refusal.Temporary():
			again, wait = append(again, good[n]), max(wait, refusal.RetryAfter)
		case r.Err != nil:
			p.refuse(good[n], r.Err)
		default:
			if err := p.tell(r.Receipt); err != nil {
				return nil, 0, err
			}
		}
	}
	rest := good[len(results):]
	switch refused := errors.As(err, &refusal); {
	case err == nil:
	case mayRetry && (!refused || refusal.Temporary()) && ctx.Err() == nil:
		again = append(again, rest...)
		if refused {
			wait = max(wait, refusal.RetryAfter)
		}
	case refused && len(results) == 0:
		for _, i := range rest {
			p.refuse(i, err)
		}
	case len(rest) > 0:
		return nil, 0, fmt.Errorf("event %d and what follows may or may not be published: %w", rest[0].number, err)
	default:
		return nil, 0, err
	}
	return again, wait, nil
}

// tell prints what the server said of an event that it has taken.
func (p *publisher) tell(r client.Receipt) (err error) {
	if r.Spooled != "" {
		_, err = fmt.Fprintln(p.stdout, "spooled", r.Spooled)
	} else {
		_, err = fmt.Fprintln(p.stdout, r.ID)
	}
	return err
}

// publish sends a single event as it is, and several as NDJSON.
func (p *publisher) publish(ctx context.Context, requests []client.PublishRequest) ([]client.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	if len(requests) != 1 {
		return p.client.PublishBatch(ctx, p.namespace, requests)
	}
	receipt, err := p.client.Publish(ctx, requests[0])
	if err != nil {
		return nil, err
	}
	return []client.Result{{Receipt: receipt}}, nil
}

func (p *publisher) refuse(i item, err error) {
	p.refused = true
	fmt.Fprintf(p.stderr, "throng: event %d: %s\n", i.number, err)
}
