package server

import (
	"time"

	"throng/breaker"
)

// hushTarget is the part of --delay-target that the line of new connections is held at, so that
// few of them grow too old.
const hushTarget = 0.75

// hush finds how many of the new connections should be heard. It belongs to the watch.
type hush struct {
	breaker.Silence
	share  float64
	came   uint64 // by the last look, heard
	served uint64
	looked time.Time
}

// hear lets the kernel drop new connections where refusing them is what the node would be
// busy with.
func (w *watch) hear(now time.Time, step time.Duration) {
	h, ln := &w.hush, w.srv.ln
	waiting, accepted := w.waits.waiting, ln.Accepted()
	came, served := accepted+uint64(waiting), accepted-min(accepted, uint64(w.waits.inside))
	look := breaker.SilenceLook{
		Heard: came - min(h.came, came), Served: served - min(h.served, served),
		Waiting: waiting + w.waits.inside, Before: min(w.waits.turn(), w.srv.o.DelayTarget), Span: now.Sub(h.looked),
	}
	h.came, h.served, h.looked = came, served, now
	if h.Least >= 1 || step > lookEvery {
		return
	}
	share := h.Share(look)
	if share == h.share {
		return
	}
	if err := ln.Hear(share); err != nil {
		w.srv.log.Warn("new connections can't be left unheard; they are refused one by one", "error", err)
		_ = ln.Hear(1) // what was in force must not stay
		h.Least, share = 1, 1
	}
	h.share = share
	w.srv.load.heard.set(share)
}
