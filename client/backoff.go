package client

import (
	"errors"
	"math/rand/v2"
	"time"
)

// askedWaitMax is the longest wait a server may ask for, by retry: or Retry-After: beyond it a
// mistyped number would keep its readers away for good.
const askedWaitMax = 10 * time.Minute

// backoff decides how long to wait before a new connection: what the server asked for, and on
// top of it a random part of a window which doubles with every failure in a row ("full
// jitter", Marc Brooker, "Exponential Backoff And Jitter", 2015), so that readers that were lost
// together don't come back together.
type backoff struct {
	min, max time.Duration // the window's first and its largest size
	retry    time.Duration // what the server asked for with retry:
	failures int           // in a row
}

// window is the size of the window after n failures in a row, n >= 1.
func (b *backoff) window(n int) time.Duration {
	w := b.min
	for ; n > 1; n-- {
		if w > b.max/2 {
			return b.max
		}
		w *= 2
	}
	return min(w, b.max)
}

// next is the wait after one more failure.
func (b *backoff) next(err error) time.Duration {
	b.failures++
	asked := b.retry
	var e *Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		asked = e.RetryAfter
	}
	return asked + rand.N(b.window(b.failures))
}
