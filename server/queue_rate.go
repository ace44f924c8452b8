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
var publishRateBody = sync.OnceValue(publishRate.document)

// retryMax is the latest that a publisher is asked to come back, but for the jitter.
const retryMax = 10 * time.Second

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

// retryAfterShare is after how many seconds who is refused comes back. For each that is let in
// so many are refused; if these all wait for as many seconds, those who come back are as many
// as are let in. It is from 1 to 10, and up to twice that more, so that they do not come together.
func retryAfterShare(share float64, random uint32) uint64 {
	base := min(1+share/max(1-share, 0.01), retryMax.Seconds())
	return uint64(base + 2*base*float64(random)/(1<<32))
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
