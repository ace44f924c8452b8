package redisproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long a server may take. A loaded machine of two cores is the measure.
const (
	startMax = 20 * time.Second
	stopMax  = 5 * time.Second
	pollGap  = 5 * time.Millisecond
	portsMax = 5 // free ports tried: somebody else may take one between our look and the start
)

// A Server is one running process.
type Server struct {
	Addr string // 127.0.0.1:PORT
	Port int
	PID  int    // of the process that runs now, or ran last
	Dir  string // its files
	CA   []byte // PEM, with Options.TLS: the certificate to trust

	opts     Options
	path     string
	sentinel bool
	ownDir   bool
	cmd      *exec.Cmd // nil: it does not run
}

// Start runs a server and waits until it answers. The caller ends it with Stop.
func Start(ctx context.Context, o Options) (*Server, error) {
	o.Config = append(o.dataLines(), o.Config...)
	return start(ctx, o, false)
}

// start runs a server or a Sentinel.
func start(ctx context.Context, o Options, sentinel bool) (*Server, error) {
	path, err := o.find()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, path: path, sentinel: sentinel, Dir: o.Dir, Port: o.Port}
	if s.Dir == "" {
		if s.Dir, err = os.MkdirTemp("", "throng-redis-"); err != nil {
			return nil, fmt.Errorf("redisproc: %w", err)
		}
		s.ownDir = true
	} else if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("redisproc: %w", err)
	}
	if o.TLS {
		if s.CA, err = writeCertificate(s.Dir); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	for range portsMax {
		if err = s.tryPort(ctx); err == nil {
			return s, nil
		}
		if o.Port != 0 || ctx.Err() != nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return nil, errors.Join(err, s.Stop())
}

// tryPort writes the configuration for a port and starts the server there.
func (s *Server) tryPort(ctx context.Context) (err error) {
	if s.opts.Port == 0 {
		if s.Port, err = FreePort(); err != nil {
			return err
		}
	}
	s.Addr = hostPort(s.Port)
	text := s.opts.config(s.Dir, s.Port)
	if err := os.WriteFile(filepath.Join(s.Dir, configName), []byte(text), 0o600); err != nil {
		return fmt.Errorf("redisproc: %w", err)
	}
	return s.run(ctx)
}

// run starts the process and waits until it answers.
func (s *Server) run(ctx context.Context) error {
	if s.cmd != nil {
		return fmt.Errorf("redisproc: the server at %s runs already", s.Addr)
	}
	if err := os.Remove(filepath.Join(s.Dir, logName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("redisproc: %w", err)
	}
	args := []string{filepath.Join(s.Dir, configName)}
	if s.sentinel {
		args = append(args, "--sentinel")
	}
	cmd := exec.Command(s.path, args...)
	// A process group of its own: a ctrl-C at a terminal ends us, and our end ends it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("redisproc: %w", err)
	}
	s.cmd, s.PID = cmd, cmd.Process.Pid
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	err := poll(ctx, func() error {
		if s.dead() {
			return errDead
		}
		if err := s.listening(); err != nil {
			return err
		}
		return s.ping(ctx)
	})
	if err != nil {
		return errors.Join(fmt.Errorf("redisproc: %s at %s did not start: %w; %s", s.path, s.Addr, err, logTail(s.Dir)), s.Kill())
	}
	return nil
}

// errDead ends a wait for a process that is gone.
var errDead = errors.New("the process has ended")

// listening is nil once the log says so: an answer alone may come from another server,
// whose port ours could not have.
func (s *Server) listening() error {
	b, err := os.ReadFile(filepath.Join(s.Dir, logName))
	if err == nil && !bytes.Contains(b, []byte("Ready to accept connections")) && !bytes.Contains(b, []byte("Sentinel ID is")) {
		err = errors.New("it does not listen yet")
	}
	return err
}

// ping is nil when the server answers and has loaded its data. A server that wants a
// password answers too.
func (s *Server) ping(ctx context.Context) error {
	_, err := s.Do(ctx, "PING")
	if err != nil && (strings.HasPrefix(err.Error(), "NOAUTH") || strings.HasPrefix(err.Error(), "NOPERM")) {
		return nil
	}
	return err
}

// dead tells whether the process has ended, without taking its exit status from Wait.
func (s *Server) dead() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}

// Kill ends the process at once, as a crash would. Killing what does not run is fine.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it tells of the signal, which is ours
	s.cmd = nil
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("redisproc: kill %s: %w", s.Addr, err)
	}
	return nil
}

// Pause stops the process in its tracks: its sockets stay open and nothing answers.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Fill makes the server refuse writes as one whose memory is full and which may throw
// nothing away, until Empty.
func (s *Server) Fill(ctx context.Context) error {
	if _, err := s.Do(ctx, "CONFIG", "SET", "maxmemory-policy", "noeviction"); err != nil {
		return err
	}
	_, err := s.Do(ctx, "CONFIG", "SET", "maxmemory", "1")
	return err
}

// Empty lets it have as much memory as it likes again.
func (s *Server) Empty(ctx context.Context) error {
	_, err := s.Do(ctx, "CONFIG", "SET", "maxmemory", "0")
	return err
}

// signal sends one signal to a running process.
func (s *Server) signal(sig syscall.Signal) error {
	if s.cmd == nil {
		return fmt.Errorf("redisproc: %v: the server at %s does not run", sig, s.Addr)
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("redisproc: %v to %s: %w", sig, s.Addr, err)
	}
	return nil
}

// Restart starts a server that was killed, or ends it politely first: same folder, same
// port, and the configuration as the server itself may have rewritten it.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.end(); err != nil {
		return err
	}
	return s.run(ctx)
}

// Stop ends the process, paused or not, and removes the folder if it was made for it.
func (s *Server) Stop() error {
	err := s.end()
	if s.ownDir {
		err = errors.Join(err, os.RemoveAll(s.Dir))
	}
	return err
}

// end asks the process to leave, and kills it when it does not.
func (s *Server) end() error {
	if s.cmd == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), stopMax)
	defer cancel()
	_ = poll(ctx, func() error {
		if s.dead() {
			return nil
		}
		return errors.New("it still runs")
	})
	return s.Kill()
}

// poll asks again and again until ask is content, the process is dead or ctx is done.
func poll(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil || errors.Is(err, errDead) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pollGap):
		}
	}
}
