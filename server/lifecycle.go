package server

import (
	"context"
	"errors"
	"time"
)

// Serve runs until ctx is done or a port fails.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	failed := make(chan error, 3)
	s.background.Go(s.housekeeping)
	s.background.Go(s.storekeeping)
	s.background.Go(s.watchLoad)
	s.background.Go(s.queuekeeping)
	s.background.Go(s.source.probe)
	s.background.Go(func() { failed <- s.edge.Serve() })
	if s.admin != nil {
		s.background.Go(func() { failed <- s.admin.serve() })
	}
	if s.grpc != nil {
		s.log.Info("serving gRPC", "address", s.grpc.Addr().String())
		s.background.Go(func() { failed <- s.grpc.Serve() })
	}
	for _, u := range s.upstreams {
		s.feeders.Go(u.run)
	}
	s.background.Done()
	select {
	case <-ctx.Done():
		return nil
	case <-s.stop:
		return nil
	case err := <-failed:
		return err
	}
}

// ErrClosed is what Serve answers after Close.
var ErrClosed = errors.New("the server is closed")

// start lets the loops run, unless the server is closed already.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.served = true
	s.watch.waits.begin() // before there are connections: netpoll deals them out in turn
	s.log.Info("events are written", "by", s.writes.By, "reason", s.writes.Reason)
	s.group.Start()
	s.background.Add(1) // for Serve itself, whose goroutines are added one by one
	return nil
}

// every does something regularly until the server closes.
func (s *Server) every(period time.Duration, do func(now time.Time)) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			do(now)
		}
	}
}

// housekeeping is done once a second.
func (s *Server) housekeeping() {
	s.every(time.Second, func(now time.Time) {
		s.date.set(now)
		s.prebuild()
		s.tellShed(now)
		s.board.Look()
	})
}

// storekeeping is done once a second too; it may take I/O, so it holds up nothing else.
func (s *Server) storekeeping() {
	s.every(time.Second, func(now time.Time) {
		s.store.Sweep(now)
		s.hub.trouble.look(s.store.Health())
		s.hub.unfollow()
		s.keepGRPC(now)
	})
}

// queuekeeping measures the loops for the queue's breaker.
func (s *Server) queuekeeping() { s.every(queueLook, s.queue.look) }

// Drain refuses new work and closes all streams, evenly spread over the drain period.
// It returns when none is left or ctx is done.
func (s *Server) Drain(ctx context.Context) error {
	s.beginDrain()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.group.Rows() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stop:
			return nil
		case <-tick.C:
		}
	}
	return nil
}

// beginDrain is the order, given once, that Drain waits for.
func (s *Server) beginDrain() {
	if !s.draining.Swap(true) {
		s.log.Info("draining", "streams", s.group.Rows(), "period", s.o.DrainPeriod)
		s.group.Drain(s.o.DrainPeriod)
	}
}

// closeWait is how long Close lets requests that are being served end.
const closeWait = 2 * time.Second

// Close stops at once: both ports, all connections, all goroutines.
func (s *Server) Close() error {
	s.mu.Lock()
	served, closed := s.served, s.closed
	s.closed = true
	s.mu.Unlock()
	switch {
	case closed:
		return nil
	case !served:
		s.release()
		return nil
	}
	s.draining.Store(true)
	close(s.stop)
	s.source.close()
	s.closeGRPC()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	errs := []error{s.edge.Close(ctx)}
	if s.admin != nil {
		errs = append(errs, s.admin.close())
	}
	s.hub.background.Wait()
	s.group.Stop()
	s.background.Wait()
	stored := s.store.Close()
	return errors.Join(append(errs, stored, s.settleUpstreams(stored))...)
}
