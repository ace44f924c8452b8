package loops

import (
	"log/slog"
	"time"

	"throng/internal/obs"
	"throng/poller"
	"throng/ringbuf"
)

// LagPolicy says what becomes of a reader that the ring has lapped.
type LagPolicy uint8

// The policies.
const (
	LagCatchUp LagPolicy = iota // it goes on from the log, where that still has what it missed
	LagSkip                     // it is told a gap and goes on with what is new
	LagClose                    // it is closed, and resumes if it comes back
)

// Options configure a Group. All fields are needed but where it says so.
type Options struct {
	Loops     int
	NewPoller func() (poller.Poller, error)
	Net       poller.Net
	Clock     func() int64 // monotonic, ns
	Random    func() uint32
	Wait      ringbuf.Strategy
	Log       *slog.Logger

	RowsMax        int // rows of one loop
	RingEvents     int // slots of the broadcast ring, a power of two
	MailboxMax     int // hand-overs waiting for one loop
	PinnedMax      int // half-sent frames of one loop
	TurnWritesMax  int // writes of one turn
	ClientBytesMax int // bytes a client may send on its stream
	LingerBytesMax int // bytes read and thrown away of a refused request
	ScansMax       int // namespaces whose logs one loop reads at once for streams that catch up; the others wait their turn. Below 1 is 1
	PagersMax      int // reads of logs that are not in memory, at once, of the whole Group. Below 1 is 1

	Heartbeat     time.Duration
	StallTimeout  time.Duration
	LingerTimeout time.Duration
	RetryMs       int
	Lag           LagPolicy

	Failed func(Failure) // a stream's writes failed; may be nil, and never waits
	// Judged is told of a stream on trial: good, its client has acknowledged what it was sent;
	// else nothing can be said of it, as it went, or the node stops, or it is slow. Each that a
	// loop takes comes here or to Failed, once. As Failed.
	Judged func(ns *Namespace, trial uint16, good bool)

	Lags       *obs.Histogram // publish to socket
	Broadcasts *obs.Histogram // first to last write of one event in one loop
	Turns      *obs.Histogram // one turn that had work
}
