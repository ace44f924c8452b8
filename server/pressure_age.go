package server

import (
	"time"

	"throng/breaker"
)

// A request that has waited for too long already is refused by lot, the more probably the
// longer it has waited: whatever comes, the line is short, and what is let in was not long in
// it. That is early detection by the time spent in the queue (RFC 2309, RFC 8033), asked of
// each request rather than of the line. The limits lead the rate, which takes them tenths of a
// second; this is at once.
const (
	// agedFrom and agedTo are times of the target, --delay-target for a publish: who has waited for
	// less is never refused for that. A publisher that is refused is silent for seconds, so to refuse
	// few is enough while the line is not long yet, and more would leave too few of them.
	agedFrom = 1.0
	agedTo   = 4.0
	// agedMost is the greatest share that is refused: where all who come have waited for too
	// long and come again at once, somebody must be served.
	agedMost = 0.75
	// agedStreams is how many times longer a stream may have waited: a crowd comes at once, it is
	// kept small by leaving some of it unheard, and to be refused is worse for a stream than to wait.
	agedStreams = 4
)

// agedShare is the share of those who have waited for so long that is refused.
func agedShare(age, target time.Duration) float64 {
	if age == 0 || target == 0 {
		return 0
	}
	over := (float64(age)/float64(target) - agedFrom) / (agedTo - agedFrom)
	return agedMost * max(0, min(over, 1))
}

// age is how long the request has waited; 0 while the watch finds that nothing waits, and
// nobody need be asked.
func (s *session) age() time.Duration {
	if !s.srv.load.slow.Load() {
		return 0
	}
	return s.conn.Age()
}

// letsStreamIn says whether the load lets in another stream that has waited for so long.
func (s *Server) letsStreamIn(age time.Duration) bool {
	return !s.load.starved.Load() && s.letsIn(s.streams, age, agedStreams*s.o.DelayTarget)
}

// letsPublishIn says whether the load lets in another publish that has waited for so long.
func (s *Server) letsPublishIn(age time.Duration) bool {
	return s.letsIn(s.publishes, age, s.o.DelayTarget)
}

func (s *Server) letsIn(limit *breaker.Limiter, age, target time.Duration) bool {
	if share := agedShare(age, target); share > 0 && float64(s.random()) < share*(1<<32) {
		limit.Refuse()
		return false
	}
	return limit.Allow()
}

// slows notes whether there is a line, for whoever comes until the next tick: it has stood for a
// tenth of a second, and has not been gone for one since. What a garbage collection or a burst
// leaves behind is gone by then, and a publisher that is refused is silent for seconds.
func (w *watch) slows() {
	o, slow := &w.srv.o, &w.srv.load.slow
	if o.Breakers == "off" || o.DelayTarget == 0 {
		return
	}
	from := time.Duration(agedFrom * float64(o.DelayTarget) / 2)
	switch turn, entry := w.waits.standing(); {
	case !slow.Load() && (turn > from || entry > agedStreams*from):
		slow.Store(true)
	case slow.Load() && w.waits.longest() <= from:
		slow.Store(false)
	}
}
