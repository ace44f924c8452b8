package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"throng/bench/internal/sock"
)

// target is a server under test as the clients see it: a child process and its addresses.
type target struct {
	name  string
	addr  netip.AddrPort
	admin string // host:port; empty: it has none
	*process
}

// process is a child process and the files of /proc that tell what it costs.
type process struct {
	proc  // by number
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when it has ended
}

// Words of a command line that stand for addresses chosen at start.
const (
	listenWord = "{listen}"
	adminWord  = "{admin}"
)

const (
	startLimit = 10 * time.Second
	// stopGrace is the wait after each SIGTERM: a server drains after the first and
	// stops at once after the second.
	stopGrace = 3 * time.Second
)

// startTarget runs argv with its addresses filled in and waits until it accepts.
// Its standard output and error go to log.
func startTarget(ctx context.Context, name string, argv []string, log io.Writer) (target, error) {
	t := target{name: name}
	if len(argv) == 0 {
		return t, fmt.Errorf("bench: no command for %s", name)
	}
	addr, err := freeAddr()
	if err != nil {
		return t, err
	}
	admin, err := freeAddr()
	if err != nil {
		return t, err
	}
	t.addr = addr
	args := make([]string, len(argv))
	for i, a := range argv {
		if strings.Contains(a, adminWord) {
			t.admin = admin.String()
		}
		a = strings.ReplaceAll(a, listenWord, addr.String())
		args[i] = strings.ReplaceAll(a, adminWord, admin.String())
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return t, fmt.Errorf("bench: start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return t, fmt.Errorf("bench: start %s: %w", name, err)
	}
	t.process = &process{proc: proc(cmd.Process.Pid), cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	go t.process.reap()
	for _, a := range []string{t.addr.String(), t.admin} {
		if err := t.awaitAccept(ctx, a); err != nil {
			return t, errors.Join(err, t.stop())
		}
	}
	return t, nil
}

// freeAddr is a loopback address nobody listens on at the moment.
func freeAddr() (netip.AddrPort, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("bench: %w", err)
	}
	a := l.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), l.Close()
}

func (t target) awaitAccept(ctx context.Context, addr string) error {
	for end := time.Now().Add(startLimit); addr != "" && time.Now().Before(end); {
		if c, err := net.Dial("tcp4", addr); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.ended:
			return fmt.Errorf("bench: %s ended at start: %v", t.name, t.cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if addr == "" {
		return nil
	}
	return fmt.Errorf("bench: %s does not accept on %s after %v", t.name, addr, startLimit)
}

// reap waits for the process to end.
func (p *process) reap() {
	_ = p.cmd.Wait() // the state is in cmd.ProcessState
	close(p.ended)
}

// stop ends the process: SIGTERM, SIGTERM, SIGKILL.
func (p *process) stop() error {
	_ = p.stdin.Close()
	for range 2 {
		_ = sock.Terminate(int(p.proc))
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

// metrics reads the admin port's /metrics: sample name with its labels, as written, to
// value. It is nil when the target has no admin port.
func (t target) metrics(ctx context.Context) (map[string]float64, error) {
	if t.admin == "" {
		return nil, nil
	}
	body, err := t.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	samples := make(map[string]float64)
	for sc := bufio.NewScanner(strings.NewReader(body)); sc.Scan(); {
		line := sc.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			samples[line[:at]] = v
		}
	}
	return samples, nil
}

// sumOf adds the samples of one metric, whatever their labels.
func sumOf(samples map[string]float64, name string) float64 {
	var sum float64
	for k, v := range samples {
		if k == name || strings.HasPrefix(k, name+"{") {
			sum += v
		}
	}
	return sum
}

// adminBytesMax bounds an answer of the admin port.
const adminBytesMax = 8 << 20

// get reads one page of the admin port.
func (t target) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+path, nil)
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	req.Close = true // no descriptor stays open at the server
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, adminBytesMax))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("bench: %s%s: %s: %v", t.admin, path, res.Status, err)
	}
	return string(body), nil
}
