package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is "throng serve" on two addresses that it keeps over restarts.
type server struct {
	*program
	args          []string
	public, admin string // host:port
	url           string // of the public address
}

// startServer waits until the server serves. Later arguments win over the test's own: clients
// come back soon, nothing lasts at the end, and how busy this machine is does not matter.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{public: freeAddress(t), admin: freeAddress(t)}
	s.url = "http://" + s.public
	s.args = append([]string{"serve", "--listen=" + s.public, "--admin=" + s.admin, "--drain=0s", "--retry=50ms",
		"--cpu-target=0", "--delay-target=0"}, args...)
	s.begin(t)
	return s
}

func (s *server) begin(t *testing.T) {
	t.Helper()
	s.program = start(t, nil, throng, s.args...)
	s.wantOn(s.err, "msg=serving")
}

// stop ends the server by SIGTERM.
func (s *server) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	s.wantStatus(0)
}

// restart gives a server with an empty log, on the same addresses.
func (s *server) restart() {
	s.t.Helper()
	s.stop()
	s.begin(s.t)
}

// nextPort is counted from a place by lot: others may run beside.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(12000)) }

// freeAddress finds a port below those that the kernel deals out: a client that tries to
// come back to a port of its own range may connect to itself, and hold it. None is given twice.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+nextPort.Add(1)%12000)
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("a hundred ports were tried, and none is free")
	return ""
}

// publish publishes one event and gives its ID. The topic is as it stands in a query, and
// further parameters may follow it.
func (s *server) publish(topic, data string) string {
	s.t.Helper()
	resp, err := http.Post(s.url+"/publish?topic="+topic, "text/plain", strings.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.ID == "" {
		s.t.Fatalf("publish: %s, %v", resp.Status, err)
	}
	return answer.ID
}

// publishNumbers publishes the numbers from, from+1, …, to-1 and gives their IDs.
func (s *server) publishNumbers(topic string, from, to int) (ids []string) {
	s.t.Helper()
	for n := from; n < to; n++ {
		ids = append(ids, s.publish(topic, fmt.Sprint(n)))
	}
	return ids
}

// streams is the number of open streams, as the metrics tell it.
func (s *server) streams() int {
	s.t.Helper()
	resp, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nthrong_connections{kind=\"sse\"} ")
	n := 0
	if _, err := fmt.Sscan(after, &n); err != nil {
		s.t.Fatalf("the metrics do not tell the number of streams: %v", err)
	}
	return n
}

// awaitStreams waits until so many streams are open.
func (s *server) awaitStreams(want int) {
	s.t.Helper()
	eventually(s.t, func() string {
		if n := s.streams(); n != want {
			return fmt.Sprintf("%d streams are open, want %d", n, want)
		}
		return ""
	})
}

// eventually repeats check until it has nothing to complain about.
func eventually(t *testing.T, check func() (complaint string)) {
	t.Helper()
	for end := time.Now().Add(hangMax); ; time.Sleep(20 * time.Millisecond) {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("still after ", hangMax, ": ", complaint)
		}
	}
}
