package main

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peerVariable makes the test binary the peer itself: its value is the address.
const peerVariable = "NCHAN_TEST_LISTEN"

func TestMain(m *testing.M) {
	if addr := os.Getenv(peerVariable); addr != "" {
		println(become("nginx", moduleDefault, historyDefault, addr).Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// need skips the test where nchan is not installed, but not in CI, which installs it.
func need(t *testing.T) {
	t.Helper()
	_, noNginx := findNginx("nginx")
	_, noModule := os.Stat(moduleDefault)
	if noNginx == nil && noModule == nil {
		return
	}
	if os.Getenv("CI") == "" {
		t.Skip("nchan is not installed; scripts/need nchan does it")
	}
	if out, err := exec.Command("../../../scripts/need", "nchan").CombinedOutput(); err != nil {
		t.Fatalf("this test needs nchan, which can't be had here:\n%s", out)
	}
}

// start runs the peer on a free port, with a folder of its own for what it writes, and
// waits until it accepts.
func start(t *testing.T) (addr, dir string, p *exec.Cmd) {
	t.Helper()
	need(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	_ = l.Close()
	dir = t.TempDir()
	p = exec.Command(os.Args[0])
	p.Env = append(os.Environ(), peerVariable+"="+addr, "TMPDIR="+dir)
	var log bytes.Buffer
	p.Stderr = &log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp4", addr); err == nil {
			_ = c.Close()
			return addr, dir, p
		}
	}
	_ = p.Process.Kill()
	_ = p.Wait()
	t.Fatalf("nginx does not accept:\n%s", &log)
	return "", "", nil
}

// publish sends one event and gives the answer's status.
func publish(t *testing.T, addr, topic, data string) int {
	t.Helper()
	res, err := http.Post("http://"+addr+"/publish?ns=default&topic="+topic, "text/plain", strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestBecome_ServesStreams(t *testing.T) {
	addr, dir, p := start(t)
	c := &http.Client{Timeout: 20 * time.Second}
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/events?ns=default&topic=a/b", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") ||
		res.ContentLength != -1 || len(res.TransferEncoding) > 0 {
		t.Fatal(res.Status, res.Header, res.TransferEncoding)
	}
	if status := publish(t, addr, "a/c", "nobody reads it"); status != 202 {
		t.Error("without a reader:", status)
	}
	if status := publish(t, addr, "a/b", "first\nsecond"); status != 201 {
		t.Error("with a reader:", status)
	}
	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{": hi", "", "id: ", "data: first", "data: second", ""} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("got %q, want %q (%v)", lines.Text(), want, lines.Err())
		}
	}
	// The number is nginx's own, and SIGTERM ends it.
	if name, err := os.ReadFile("/proc/" + strconv.Itoa(p.Process.Pid) + "/comm"); err != nil || string(name) != "nginx\n" {
		t.Errorf("the process is %q (%v)", name, err)
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	_ = p.Wait() // with an abort: README.md
	if c, err := net.Dial("tcp4", addr); err == nil {
		_ = c.Close()
		t.Error("it still accepts")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v)", left, err)
	}
}

func TestConfiguration_RefusesPathsThatNeedQuotes(t *testing.T) {
	s := settings{Listen: netip.MustParseAddrPort("127.0.0.1:1"), Module: "/m.so", PID: "/p", Connections: 7, History: 3}
	b, err := configuration(s)
	if err != nil || !bytes.Contains(b, []byte("worker_connections 7;")) || bytes.Contains(b, []byte("user ")) {
		t.Errorf("%v\n%s", err, b)
	}
	s.Module = "/a\";evil"
	if b, err := configuration(s); err == nil {
		t.Errorf("taken:\n%s", b)
	}
}

func TestBecome_SaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		program, module, listen, want string
		history                       int
	}{
		{"nginx", moduleDefault, "nowhere", "no address", 1},
		{"nginx", moduleDefault, "127.0.0.1:1", "--history 0", 0},
		{"no-such-nginx", moduleDefault, "127.0.0.1:1", "scripts/need nchan", 1},
		{"true", "/no/such/module", "127.0.0.1:1", "scripts/need nchan", 1},
	} {
		if err := become(c.program, c.module, c.history, c.listen); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("become(%q, %q, %d, %q): %v, want %q", c.program, c.module, c.history, c.listen, err, c.want)
		}
	}
}
