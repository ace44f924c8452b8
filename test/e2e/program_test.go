package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// lines collects what a program writes, line by line. Any goroutine may write and read.
type lines struct {
	mu     sync.Mutex
	grown  sync.Cond
	whole  []string
	rest   string // of a line that has not ended
	ended  bool
	looked int // lines that await has passed
}

func newLines() *lines {
	l := &lines{}
	l.grown.L = &l.mu
	return l
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := strings.Split(l.rest+string(p), "\n")
	l.whole, l.rest = append(l.whole, parts[:len(parts)-1]...), parts[len(parts)-1]
	l.grown.Broadcast()
	return len(p), nil
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rest != "" {
		l.whole, l.rest = append(l.whole, l.rest), ""
	}
	l.ended = true
	l.grown.Broadcast()
}

// all are the lines until now.
func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.whole...)
}

// await waits for the next line that matches, from where the last await stopped. ok is
// false when the program ended without one.
func (l *lines) await(match func(line string) bool) (line string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for ; l.looked < len(l.whole); l.looked++ {
			if match(l.whole[l.looked]) {
				l.looked++
				return l.whole[l.looked-1], true
			}
		}
		if l.ended {
			return "", false
		}
		l.grown.Wait()
	}
}

// program is a running process and the group of those it starts. It is killed after
// hangMax and at the test's end.
type program struct {
	*exec.Cmd
	t        *testing.T
	out, err *lines
	done     chan struct{} // closed at its end; then ProcessState is set
}

// start runs name; setup may change the command before.
func start(t *testing.T, setup func(*exec.Cmd), name string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangMax)
	p := &program{Cmd: exec.CommandContext(ctx, name, args...), t: t, out: newLines(), err: newLines(), done: make(chan struct{})}
	p.Env = cleanEnvironment()
	p.Stdout, p.Stderr = p.out, p.err
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Cancel = func() error { return syscall.Kill(-p.Process.Pid, syscall.SIGKILL) }
	if setup != nil {
		setup(p.Cmd)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // the state says it
		p.out.end()
		p.err.end()
		close(p.done)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.done
	})
	return p
}

// cleanEnvironment is ours without what would change throng's settings.
func cleanEnvironment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "THRONG_") {
			env = append(env, v)
		}
	}
	return env
}

// run runs the throng binary to its end.
func run(t *testing.T, stdin string, args ...string) *program {
	t.Helper()
	p := start(t, func(c *exec.Cmd) { c.Stdin = strings.NewReader(stdin) }, throng, args...)
	<-p.done
	return p
}

// status waits for the end: 0 to 255, or -1 after a deadly signal.
func (p *program) status() int {
	<-p.done
	return p.ProcessState.ExitCode()
}

// wantStatus waits for the end, which must be the given one.
func (p *program) wantStatus(want int) {
	p.t.Helper()
	if got := p.status(); got != want {
		p.t.Errorf("%s ended with %v, want exit status %d; it said:\n%s", p.Args, p.ProcessState, want, p.complaints())
	}
}

func (p *program) complaints() string { return strings.Join(p.err.all(), "\n") }

// wantLine waits for a line on standard output that holds part.
func (p *program) wantLine(part string) string { return p.wantOn(p.out, part) }

func (p *program) wantOn(l *lines, part string) string {
	p.t.Helper()
	line, ok := l.await(func(line string) bool { return strings.Contains(line, part) })
	if !ok {
		p.t.Fatalf("%s ended without a line %q; standard output:\n%s\nstandard error:\n%s",
			p.Args, part, strings.Join(p.out.all(), "\n"), p.complaints())
	}
	return line
}

func (p *program) signal(sig syscall.Signal) {
	p.t.Helper()
	// One that has ended by itself, as a source does whose reader is gone, is ended.
	if err := p.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}
