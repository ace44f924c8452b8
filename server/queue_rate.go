package server

import (
	"strconv"
	"sync"
	"time"
)

// publishBurst is how much of the rate that the load allows may come at once: publishers
// are not in step.
const publishBurst = 100 * time.Millisecond

// linesAdmitted is for how many lines of a batch the load is asked once. A request costs as
// much as 29 lines (BENCHMARKS.md), and for each line there are its deliveries on top.
const linesAdmitted = 16

// publishRate is what publishers are told that the load does not let in.
var publishRate = overloaded.because("the load lets fewer publishes in than come")

// publishRateBody is its document: it is written for each of thousands.
var publishRateBody = sync.OnceValue(func() []byte { return publishRate.document(0) })

const (
	// refusedAim is the part of those who ask that may be refused, as refusing a publish costs up to
	// half of what serving it does: when it is more, they come back later. The later they are told
	// to, the longer it takes until all are there again when the load is gone.
	refusedAim = 0.1
	// refusedOver is the time over which that part is averaged: a burst that lasts for an instant
	// keeps nobody away for long.
	refusedOver = 10 * time.Second
	// retryMax is the latest that a publisher is asked to come back, but for the jitter: of retrySpread
	// times as much, since a header has whole seconds, and those who are refused in the same moment
	// come back in as few waves as there are seconds.
	retryMax    = 6 * time.Second
	retrySpread = 4
)

// shedPublish refuses a publish before anything of it was looked at. The connection stays.
func (s *session) shedPublish() {
	s.srv.table.Shed[shedPublishRate].Inc()
	s.srv.countRefusal(s.x.route, publishRate)
	x := s.x
	x.text = append(x.text[:0], "Retry-After: "...)
	x.text = strconv.AppendUint(x.text, retryAfterShare(s.srv.publishes.RefusedShare(), s.srv.random()), 10)
	x.text = append(x.text, "\r\n"...)
	s.respond(&answer{status: publishRate.status, contentType: "application/problem+json", body: publishRateBody(), extra: x.text})
}

// retryAfterShare is after how many seconds who is refused comes back: the later the more are.
func retryAfterShare(share float64, random uint32) uint64 {
	base := min(max(1, share/refusedAim), retryMax.Seconds())
	return uint64(base + retrySpread*base*float64(random)/(1<<32))
}

// admitLine says whether the next line of a batch is to be published: the load lets it in, and
// none before it was refused.
func (s *Server) admitLine(b *batch) bool {
	if b.stopped == nil {
		if b.toAsk == 0 {
			b.toAsk = linesAdmitted
			if !s.publishes.Allow() {
				b.stopped, b.shed = publishRate, &s.table.Shed[shedPublishRate]
			}
		}
		b.toAsk--
	}
	if b.shed != nil {
		b.shed.Inc()
	}
	return b.stopped == nil
}
