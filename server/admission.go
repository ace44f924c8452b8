package server

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"throng/poller"
)

// connections is how many connections are open, streams included.
func (s *Server) connections() int { return s.edge.Open() + s.group.Rows() }

// admit decides about a connection before anything is allocated for it.
func (s *Server) admit() bool {
	requests := s.edge.Open()
	if requests >= s.requestsMax {
		s.table.Shed[shedRequests].Inc()
		return false
	}
	if requests+s.group.Rows() >= s.connectionsMax {
		s.table.Shed[shedConnections].Inc()
		return false
	}
	return true
}

// prebuilt is an answer to connections that are shed: encoding it for each would be work
// for clients that are not served. It is made anew every second, in a few variants with
// different Retry-After, so that the clients do not come back together.
type prebuilt struct {
	variants atomic.Pointer[[8][]byte]
}

func (p *prebuilt) pick() []byte { return p.variants.Load()[rand.Uint32()%8] }

func (p *prebuilt) make(build func() []byte) {
	var variants [8][]byte
	for i := range variants {
		variants[i] = build()
	}
	p.variants.Store(&variants)
}

// prebuild makes the answers of the coming second.
func (s *Server) prebuild() {
	if !s.cors.asks() {
		head := s.makeStreamHead(nil)
		s.head.Store(&head)
	}
	full := overloaded.because("the node has no room for another stream")
	s.full.make(func() []byte { return s.refusalBytes(full, nil) })
	limit := connectionLimit.because(fmt.Sprintf("at most %d connections are held", s.connectionsMax))
	s.shed.make(func() []byte { return s.refusalBytes(limit, nil) })
}

// shedConnection answers a connection that may not be served. It takes a row while the
// answer lingers; where that would mean waiting, on the reactor, it is answered at once.
func (s *Server) shedConnection(fd int) {
	s.table.HTTPResponse(503).Inc()
	if answer := s.shed.pick(); !s.group.TryRefuse(fd, answer) {
		poller.RefuseNow(fd, answer)
	}
}

// exhausted counts an accept that failed for want of descriptors.
func (s *Server) exhausted() { s.table.Shed[shedDescriptors].Inc() }

// shedEvery is how often at most the log says that connections are refused: a storm of
// them is one fact.
const shedEvery = time.Minute

// shedReport remembers what the log was told. It belongs to the housekeeping.
type shedReport struct {
	at   time.Time
	told [3]uint64
}

// tellShed says in the log which limit refuses connections, and which option raises it.
func (s *Server) tellShed(now time.Time) {
	r := &s.shedReport
	reasons := [3]int{shedConnections, shedRequests, shedDescriptors}
	var counts, more [3]uint64
	for i, reason := range reasons {
		counts[i] = s.table.Shed[reason].Value()
		more[i] = counts[i] - r.told[i]
	}
	if more == [3]uint64{} || now.Sub(r.at) < shedEvery {
		return
	}
	r.at, r.told = now, counts
	s.log.Warn("connections are refused; raise the limit that is met: --connections-max (0: what ulimit -n allows), --requests-max, or ulimit -n",
		"over_connections_max", more[0], "over_requests_max", more[1], "without_descriptor", more[2],
		"connections_max", s.connectionsMax, "requests_max", s.requestsMax)
}

// logWriter turns netpoll's log lines into debug records: it reports every reset.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("netpoll", "line", strings.TrimSpace(string(p)))
	return len(p), nil
}
