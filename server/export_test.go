package server

// ServeStalled is Serve with loops that do nothing until they are turned, or Unstall: it is
// how a test fills the ring. Close ends it.
func (s *Server) ServeStalled() {
	s.served = true
	s.background.Go(s.housekeeping)
	s.background.Go(s.queuekeeping)
	s.background.Go(func() { _ = s.edge.Serve() })
	s.background.Go(func() { _ = s.admin.serve() })
}

// TurnLoops lets stalled loops take what is in the ring. One goroutine at a time may call
// it, and none after Unstall.
func (s *Server) TurnLoops() {
	for _, l := range s.group.Loops() {
		l.Turn(0)
	}
}

// Unstall lets the loops run.
func (s *Server) Unstall() { s.group.Start() }

// LoadPublishes tells the limiter of publishes how high the load is.
func (s *Server) LoadPublishes(pressure float64) { s.publishes.Tick(pressure) }
