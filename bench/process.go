package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"throng/bench/internal/sock"
)

// process is a child process.
type process struct {
	pid   proc
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when it has ended
}

// stopGrace is the wait after each SIGTERM: a server drains after the first and stops at
// once after the second.
const stopGrace = 3 * time.Second

// spawn starts a command. Its standard input is a pipe unless cmd has one.
func spawn(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	var err error
	if cmd.Stdin == nil {
		if p.stdin, err = cmd.StdinPipe(); err != nil {
			return nil, fmt.Errorf("bench: start %s: %w", name, err)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", name, err)
	}
	p.pid = proc(cmd.Process.Pid)
	go p.reap()
	return p, nil
}

// reap waits for the process to end.
func (p *process) reap() {
	_ = p.cmd.Wait() // the state is in cmd.ProcessState
	close(p.ended)
}

// stop ends the process: SIGTERM, SIGTERM, SIGKILL.
func (p *process) stop() error {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	for range 2 {
		_ = sock.Terminate(int(p.pid))
		select {
		case <-p.ended:
			return nil
		case <-time.After(stopGrace):
		}
	}
	err := p.cmd.Process.Kill()
	<-p.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
