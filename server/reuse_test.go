package server_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/server"
)

// A descriptor's number is given again the moment it is closed. With clients that leave
// at every step, a hand-over that is not whole would write one client's stream into
// another's connection: each stream has a topic that nobody else has, and must see
// nothing but its own token.
func TestHandOver_NumbersAreReused(t *testing.T) {
	n := start(t, func(o *server.Options) { o.Loops = 3 })
	crowd(t, n.Addr().String(), 5000)
	n.settles()
}

// The same with several reactors, whose accepting and serving overlap. Their number is
// the process's, so it needs one of its own.
func TestHandOver_WithSeveralReactors(t *testing.T) {
	c := startChild(t, "three reactors")
	w := dialTo(t, c.address)
	w.alive()
	before := c.descriptors() // with w
	crowd(t, c.address, 1500)
	until(t, "nothing is left open", func() bool { return c.descriptors() <= before })
	w.Close()
}

// crowd lets clients come and leave while others publish.
func crowd(t *testing.T, address string, clients int) {
	t.Helper()
	const workers = 32
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	stop := make(chan struct{})
	var publishing, working sync.WaitGroup
	for p := range 2 {
		w := dialTo(t, address)
		publishing.Go(func() { publishTokens(w, rand.New(rand.NewPCG(seed, uint64(p))), clients, stop) })
	}
	var next, whole, strange atomic.Int64
	for i := range workers {
		r := rand.New(rand.NewPCG(seed, uint64(100+i)))
		working.Go(func() {
			for id := int(next.Add(1)); id <= clients; id = int(next.Add(1)) {
				got, stayed := leaveSomewhere(address, id, r)
				if stayed {
					whole.Add(1)
				}
				if foreign(got, id) && strange.Add(1) == 1 {
					t.Errorf("client %d read what is not its own: %q", id, got)
				}
			}
		})
	}
	working.Wait()
	close(stop)
	publishing.Wait()
	if whole.Load() < int64(clients/20) {
		t.Errorf("only %d clients of %d stayed to read", whole.Load(), clients)
	}
}

// publishTokens publishes to random clients' topics.
func publishTokens(w *wire, r *rand.Rand, clients int, stop chan struct{}) {
	defer w.Close()
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.extend()
		id := r.IntN(clients) + 1
		_, _ = io.WriteString(w.TCPConn, post(fmt.Sprintf("topic=own/%d", id), fmt.Sprintf("token-%d.", id)))
		if a, err := w.tryAnswer("POST"); err != nil || a.StatusCode != 200 {
			w.t.Errorf("a publish: %v %v", a.Response, err)
			return
		}
	}
}

// leaveSomewhere is one client: it sends some of a request and leaves, or stays a
// little; it gives what it has read, and whether that was a stream.
func leaveSomewhere(address string, id int, r *rand.Rand) (got string, stayed bool) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", false
	}
	defer c.Close()
	tcp := c.(*net.TCPConn)
	_ = c.SetDeadline(time.Now().Add(patience))
	request := get(fmt.Sprintf("/events?topic=own/%d&since=earliest", id))
	if r.IntN(3) == 0 {
		request = post(fmt.Sprintf("topic=own/%d", id), fmt.Sprintf("token-%d.", id)) + request
	}
	cut := len(request)
	if r.IntN(2) == 0 {
		cut = r.IntN(len(request) + 1)
	}
	_, _ = io.WriteString(c, request[:cut])
	switch r.IntN(5) {
	case 0:
		_ = tcp.CloseWrite()
		b, _ := io.ReadAll(c)
		return string(b), false
	case 1:
		_ = tcp.SetLinger(0)
		return "", false
	case 2:
		return "", false
	}
	var first [4096]byte
	at := 0
	if cut == len(request) {
		at, _ = c.Read(first[:])
	}
	_ = c.SetDeadline(time.Now().Add(time.Duration(r.IntN(8)) * time.Millisecond))
	b, _ := io.ReadAll(c)
	got = string(first[:at]) + string(b)
	return got, strings.Contains(got, "event-stream")
}

// foreign says whether there is another client's token, or something that a server of
// ours never says.
func foreign(got string, id int) bool {
	if got != "" && !strings.HasPrefix(got, "HTTP/1.1 ") {
		return true
	}
	own := fmt.Sprintf("token-%d.", id)
	return strings.Contains(strings.ReplaceAll(got, own, ""), "token-")
}
