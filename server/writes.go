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
		return s.uringOrPlain, trial.Close()
	case s.o.IOUring == "on":
		return nil, fmt.Errorf("--io-uring=on: %w; --io-uring=auto does without", err)
	default:
		s.writes = StatsWrites{By: "plain", Reason: err.Error()}
		return plain, nil
	}
}

// uringOrPlain is a loop's poller where a trial went well. A kernel before 5.12 counts the
// rings against the locked memory of the user, so there may be none left for this loop.
func (s *Server) uringOrPlain() (poller.Poller, error) {
	u, err := poller.NewUring()
	if err == nil {
		return u, nil
	}
	if s.o.IOUring == "on" {
		return nil, fmt.Errorf("--io-uring=on: %w; --io-uring=auto does without", err)
	}
	s.writes.Reason = "not in all loops: " + err.Error()
	return poller.NewEpoll()
}
