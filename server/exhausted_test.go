package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"throng/server"
)

// roleVariable makes the test binary a server in a process of its own, since what it
// needs is the process's: few descriptors, or several reactors.
const roleVariable = "THRONG_TEST_ROLE"

// descriptorsFew is what the child "few descriptors" may open.
const descriptorsFew = 96

// play is the child: it serves until its standard input ends, and says its processor
// time, its descriptors and its connection layer whenever a line comes in.
func play(role string) int {
	o := options(func(o *server.Options) { o.ConnectionsMax, o.Admin = 1000, "" })
	switch role {
	case "few descriptors":
		o.Breakers = "off" // or the connection layer opens, and stays open for a while
		fallthrough
	case "few descriptors, breakers":
		o.ConnectionOpen = 5 * time.Second
		limit := syscall.Rlimit{Cur: descriptorsFew, Max: descriptorsFew}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			fmt.Println(err)
			return 1
		}
	case "three reactors":
		o.Reactors, o.Loops = 3, 3
	}
	s, err := server.New(o, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go func() { _ = s.Serve(context.Background()) }()
	fmt.Println(s.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		open, _ := os.ReadDir("/proc/self/fd") // none, if no descriptor is left to look
		layer, _ := connectionLayer(s)
		fmt.Println(u.Utime.Nano()+u.Stime.Nano(), len(open), layer)
	}
	if err := s.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// child is the server in a process of its own.
type child struct {
	t       *testing.T
	in      io.WriteCloser
	out     *bufio.Reader
	address string
}

func startChild(t *testing.T, role string) *child {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVariable+"="+role)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		done := make(chan error, 1)
		go func() { done <- c.Wait() }()
		if err := within(done); err != nil {
			_ = c.Process.Kill()
			t.Errorf("the child: %v", err)
		}
	})
	k := &child{t: t, in: in, out: bufio.NewReader(out)}
	k.address = strings.TrimSpace(k.line())
	return k
}

func (c *child) line() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("the child said %q: %v", line, err)
	}
	return line
}

// processorTime is what the child has used so far.
func (c *child) processorTime() time.Duration {
	ns, _, _ := c.report()
	return time.Duration(ns)
}

// descriptors is how many the child has open.
func (c *child) descriptors() int {
	_, open, _ := c.report()
	return open
}

// report is also how the child's connection layer stands.
func (c *child) report() (ns int64, open int, layer string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, "report\n"); err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Sscan(c.line(), &ns, &open, &layer); err != nil {
		c.t.Fatal(err)
	}
	return ns, open, layer
}

// With no descriptor left the server answers or closes, and neither stops nor spins;
// when some are free again, it serves again.
func TestExhausted_DescriptorsAreGoneAndComeBack(t *testing.T) {
	c := startChild(t, "few descriptors")
	var held []*wire
	words := 0
	for range 3 * descriptorsFew {
		w := dialTo(t, c.address)
		_, _ = io.WriteString(w.TCPConn, get("/healthz"))
		a, err := w.tryAnswer("GET")
		switch {
		case err == nil && a.StatusCode == 200:
			held = append(held, w)
			continue
		case err == nil:
			if p := a.refused(t, 503, "connection_limit"); !strings.Contains(p.Detail, "no descriptor") {
				t.Errorf("the detail is %q", p.Detail)
			}
			words++
		case strings.Contains(err.Error(), "timeout"):
			t.Fatalf("neither answered nor closed: %v", err)
		}
		_ = w.Close()
	}
	if len(held) < descriptorsFew/2 || len(held) >= descriptorsFew || words == 0 {
		t.Errorf("%d connections were held, %d refused in words", len(held), words)
	}
	// A queue of clients that wait must not keep the processor busy.
	var quiet []net.Conn
	for range 50 {
		q, err := net.Dial("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(q, "G") // or the kernel keeps it from the queue for a second
		quiet = append(quiet, q)
	}
	before := c.processorTime()
	time.Sleep(500 * time.Millisecond)
	if used := c.processorTime() - before; used > 350*time.Millisecond {
		t.Errorf("%v of processor time in half a second of nothing", used)
	}
	for _, w := range held[:20] {
		w.alive() // those that are in are served all the while
		_ = w.Close()
	}
	for _, q := range quiet {
		_ = q.Close()
	}
	until(t, "it serves again", func() bool {
		w := dialTo(t, c.address)
		defer w.Close()
		_, _ = io.WriteString(w.TCPConn, get("/healthz"))
		a, err := w.tryAnswer("GET")
		return err == nil && a.StatusCode == 200
	})
}

// Without descriptors the connection layer opens; when some are free again it finds out, and
// closes. Nobody is left without an answer meanwhile.
func TestExhausted_ConnectionLayerOpensAndCloses(t *testing.T) {
	c := startChild(t, "few descriptors, breakers")
	var held []*wire
	ask := func() string {
		w := dialTo(t, c.address)
		_, _ = io.WriteString(w.TCPConn, get("/healthz"))
		a, err := w.tryAnswer("GET")
		if err == nil && a.StatusCode == 200 {
			held = append(held, w)
			return "served"
		}
		_ = w.Close()
		if err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("neither answered nor closed: %v", err)
		}
		for _, code := range []string{"connection_limit", "breaker_open"} {
			if strings.Contains(a.body, code) {
				return code
			}
		}
		return "closed"
	}
	answers := map[string]int{}
	for range 4 * descriptorsFew {
		answers[ask()]++
	}
	if answers["served"] < descriptorsFew/2 || answers["connection_limit"] == 0 {
		t.Errorf("answers: %v", answers)
	}
	until(t, "the connection layer is open", func() bool { _, _, layer := c.report(); return layer == "open" })
	for _, w := range held {
		_ = w.Close()
	}
	until(t, "there is a descriptor, and the connection layer is open", func() bool { return ask() == "breaker_open" })
	until(t, "it serves again", func() bool { return ask() == "served" })
}

// Streams that are handed over at accept need no second descriptor: as many are served as
// there are numbers, the others are told or closed, and none is mixed up.
func TestExhausted_StreamsAtAccept(t *testing.T) {
	unless(t, "redis", "the store keeps descriptors for itself, which this test takes")
	unless(t, "disk", "the store keeps descriptors for itself, which this test takes")
	c := startChild(t, "few descriptors")
	var all []*wire
	for i := range 2 * descriptorsFew {
		w := dialTo(t, c.address)
		_, _ = io.WriteString(w.TCPConn, post(fmt.Sprint("topic=own/", i), fmt.Sprint("token-", i))+get(fmt.Sprintf("/events?topic=own/%d&since=earliest", i)))
		all = append(all, w)
	}
	held, words := 0, 0
	for i, w := range all { // one that was accepted before its request was there needs a second number, and may be closed
		a, err := w.tryAnswer("POST")
		switch {
		case err != nil && strings.Contains(err.Error(), "timeout"):
			t.Fatalf("neither answered nor closed: %v", err)
		case err != nil:
		case a.StatusCode == 200:
			if _, err := w.r.Peek(1); err == nil {
				w.stream().takes(fmt.Sprint("token-", i))
				held++
			}
		default:
			a.refused(t, 503, "connection_limit")
			words++
		}
	}
	if held < descriptorsFew/2 || words == 0 {
		t.Errorf("%d streams were held, %d refused in words", held, words)
	}
	for _, w := range all {
		_ = w.Close()
	}
	until(t, "it serves again", func() bool {
		w := dialTo(t, c.address)
		defer w.Close()
		_, _ = io.WriteString(w.TCPConn, get("/healthz"))
		a, err := w.tryAnswer("GET")
		return err == nil && a.StatusCode == 200
	})
}
