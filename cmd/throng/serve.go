package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"throng/server"
)

// drainSlack is what closing may take beyond --drain: the last streams are told at its
// end, and their sockets still have to be emptied.
const drainSlack = 5 * time.Second

type serveCmd struct{ serverFlags }

// Help gives examples to kong.
func (serveCmd) Help() string {
	return `Examples:
  throng serve
  throng serve --listen 0.0.0.0:8080 --cors-origins https://example.org
  THRONG_HEARTBEAT=10s throng serve --config throng.yaml

SIGTERM or SIGINT drains: streams are closed spread over --drain, then the server ends. A second one
stops at once. SIGHUP reads the configuration again and takes over the log level; all else needs a restart.`
}

// running is a server with the signals that steer it.
type running struct {
	srv     *server.Server
	log     *slog.Logger
	signals chan os.Signal
	served  chan error // Serve's answer, once
	stop    context.CancelFunc
}

// Run serves until a signal or a fatal error.
func (s *serveCmd) Run(p *process) error {
	if err := s.options.Check(); err != nil {
		return usageError{err}
	}
	level := new(slog.LevelVar)
	log := s.logger(p.stderr, level)
	raiseDescriptors(log)
	signals := make(chan os.Signal, 4) // one that comes while the store is opened is not lost
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	srv, err := server.New(*s.options, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r := &running{srv: srv, log: log, signals: signals, served: make(chan error, 1), stop: stop}
	go func() { r.served <- srv.Serve(ctx) }()
	r.log.Info("serving", "public", addrText(srv.Addr()), "admin", addrText(srv.AdminAddr()), "store", server.StoreText(s.options.Store))
	for {
		select {
		case err := <-r.served:
			return errors.Join(err, srv.Close())
		case sig := <-r.signals:
			if sig != syscall.SIGHUP {
				return r.drain(sig, s.options.DrainPeriod)
			}
			s.reload(p, log, level)
		}
	}
}

func addrText(a net.Addr) string {
	if a == nil {
		return "none"
	}
	return a.String()
}

// drain lets the streams end, spread over period. A second signal ends it at once.
func (r *running) drain(sig os.Signal, period time.Duration) error {
	r.log.Info("signal", "name", sig.String())
	ctx, cancel := context.WithTimeout(context.Background(), period+drainSlack)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- r.srv.Drain(ctx) }()
	var err error
wait:
	for {
		select {
		case err = <-drained:
			break wait
		case sig := <-r.signals:
			if sig == syscall.SIGHUP {
				continue
			}
			r.log.Warn("stopping at once", "signal", sig.String())
			break wait
		}
	}
	r.stop()
	closed := r.srv.Close()
	if served := <-r.served; served != nil && !errors.Is(served, context.Canceled) && !errors.Is(served, server.ErrClosed) { // closed before it had begun
		err = errors.Join(err, served)
	}
	if err = errors.Join(err, closed); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	r.log.Info("stopped")
	return nil
}

// reload reads flags, environment and file again. What can't be changed in a running
// server is named, so that nobody believes it to be in force.
func (s *serveCmd) reload(p *process, log *slog.Logger, level *slog.LevelVar) {
	c, _, err := p.parse()
	if err == nil {
		err = c.Serve.options.Check()
	}
	if err != nil {
		log.Error("the configuration is refused; nothing was changed", "error", err)
		return
	}
	level.Set(c.Serve.level())
	log.Info("the log level was read again", "level", level.Level(), "needs_restart", changed(s.options, c.Serve.options))
}
