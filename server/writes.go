package server

import (
	"fmt"

	"throng/poller"
)

// StatsWrites says how events are written to their streams.
type StatsWrites struct {
	By     string `json:"by"`               // "io_uring": many with one system call; "plain": one each
	Reason string `json:"reason,omitempty"` // why not by io_uring
}

// chooseWrites gives the maker of the loops' pollers that --io-uring asks for. Many
// containers forbid io_uring, so auto asks the kernel and takes no for an answer.
func (s *Server) chooseWrites() (func() (poller.Poller, error), error) {
	plain := func() (poller.Poller, error) { return poller.NewEpoll() }
	if s.o.IOUring == "off" {
		s.writes = StatsWrites{By: "plain", Reason: "--io-uring=off"}
		return plain, nil
	}
	trial, err := poller.NewUring()
	switch {
	case err == nil:
		s.writes = StatsWrites{By: "io_uring"}
		return func() (poller.Poller, error) { return poller.NewUring() }, trial.Close()
	case s.o.IOUring == "on":
		return nil, fmt.Errorf("--io-uring=on: %w; --io-uring=auto does without", err)
	default:
		s.writes = StatsWrites{By: "plain", Reason: err.Error()}
		return plain, nil
	}
}
