package server

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"throng/breaker"
)

// connections is how many connections are open, streams included.
func (s *Server) connections() int { return s.edge.Open() + s.group.Rows() }

// admit decides about a connection before anything is allocated for it. first is what it has
// sent by now.
func (s *Server) admit(from netip.Addr, first []byte) (why int, ok bool) {
	requests := s.edge.Open()
	switch {
	case requests >= s.requestsMax:
		s.table.Shed[shedRequests].Inc()
		return awayRequests, false
	case requests+s.group.Rows() >= s.connectionsMax:
		s.table.Shed[shedConnections].Inc()
		return awayLimit, false
	}
	if s.door.state() == breaker.HalfOpen && !s.asksWhole(first) {
		s.table.Shed[shedConnectionBreaker].Inc()
		return awayBreaker, false
	}
	pass, ok := s.door.enter()
	if !ok {
		s.table.Shed[shedConnectionBreaker].Inc()
		return awayBreaker, false
	}
	s.entering.pass = pass
	if s.addresses == nil {
		return 0, true
	}
	if s.entering.ticket, ok = s.addresses.enter(from); !ok {
		s.table.Shed[shedAddress].Inc()
		if pass != nil {
			pass.Void()
		}
		return awayAddress, false
	}
	return 0, true
}

// arriving is how many streams a namespace has, with those that are let in. What waits in
// a loop's mailbox is in neither, so in a crowd a few more come in than a limit says.
func (n *namespace) arriving() int { return n.Streams() + int(n.following.sent.Load()) }

// exhausted counts an accept that failed for want of descriptors.
func (s *Server) exhausted() {
	s.table.Shed[shedDescriptors].Inc()
	s.door.failed(errNoDescriptor)
}

// notEnough is what a connection is told that only the reserve descriptor could accept.
func (s *Server) notEnough(first []byte) []byte {
	q, _ := s.lookAt(first)
	words, status := s.wordsFor(awayDescriptors, q)
	s.table.HTTPResponse(status).Inc()
	return words
}

// shedEvery is how often at most the log says that connections are refused: a storm of
// them is one fact.
const shedEvery = time.Minute

// shedReport remembers what the log was told. It belongs to the housekeeping.
type shedReport struct {
	at   time.Time
	told [shedTold]uint64
}

// shedTold is how many reasons the log is told of, the first ones of shedReasons.
const shedTold = shedGatewayBreaker + 1

// tellShed says in the log which limit refuses connections, and which option raises it.
func (s *Server) tellShed(now time.Time) {
	r := &s.shedReport
	var counts, more [shedTold]uint64
	for i := range counts {
		counts[i] = s.table.Shed[i].Value()
		more[i] = counts[i] - r.told[i]
	}
	more[shedPublishRate] = 0 // they are no connections
	if more == [shedTold]uint64{} || now.Sub(r.at) < shedEvery {
		return
	}
	r.at, r.told = now, counts
	s.log.Warn("connections are refused; raise the limit that is met: --connections-max (0: what ulimit -n allows), --requests-max, or ulimit -n",
		"over_connections_max", more[shedConnections], "over_requests_max", more[shedRequests], "without_descriptor", more[shedDescriptors],
		"over_address_connections_max", more[shedAddress], "over_namespace_streams_max", more[shedNamespaceStreams],
		"by_load", more[shedStreamsRate], "by_breaker", more[shedConnectionBreaker], "by_gateway_breaker", more[shedGatewayBreaker],
		"connections_max", s.connectionsMax, "requests_max", s.requestsMax)
}

// logWriter turns netpoll's log lines into debug records: it reports every reset.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("netpoll", "line", strings.TrimSpace(string(p)))
	return len(p), nil
}
