package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/netpoll"
)

// start serves on a free port until the test binary ends: netpoll's listener stays with
// its pollers.
func start(t *testing.T) (base string) {
	t.Helper()
	l, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = serve(l) }()
	return "http://" + l.Addr().String()
}

// stream is an open subscription, read up to its first block.
type stream struct {
	io.Closer
	*bufio.Scanner
	t *testing.T
}

func subscribe(t *testing.T, base, topic string) stream {
	t.Helper()
	c := &http.Client{Timeout: 30 * time.Second}
	res, err := c.Get(base + "/events?ns=default&topic=" + url.QueryEscape(topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(res.Status, res.Header)
	}
	s := stream{res.Body, bufio.NewScanner(res.Body), t}
	s.Buffer(nil, 2*eventBytesMax)
	s.want("retry: 3000")
	if s.line(); !strings.HasPrefix(s.Text(), "id: 1-") {
		t.Fatalf("the point of attachment is %q", s.Text())
	}
	s.want("")
	return s
}

func (s stream) line() {
	s.t.Helper()
	if !s.Scan() {
		s.t.Fatal("the stream ended: ", s.Err())
	}
}

func (s stream) want(line string) {
	s.t.Helper()
	if s.line(); s.Text() != line {
		s.t.Fatalf("got %q, want %q", s.Text(), line)
	}
}

// publish returns the event's ID.
func publish(t *testing.T, base, topic, data string) (id string) {
	t.Helper()
	res, err := http.Post(base+"/publish?ns=default&topic="+url.QueryEscape(topic), "text/plain", strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if _, scanErr := fmt.Sscanf(string(body), `{"id":%q}`, &id); err != nil || res.StatusCode != 200 || scanErr != nil {
		t.Fatal(res.Status, string(body), err, scanErr)
	}
	return id
}

func TestServe_DeliversToTheTopicsReaders(t *testing.T) {
	base := start(t)
	one, two, other := subscribe(t, base, "a/b"), subscribe(t, base, "a/b"), subscribe(t, base, "a/c")
	id := publish(t, base, "a/b", "first\nsecond")
	for _, s := range []stream{one, two} {
		for _, line := range []string{"id: " + id, "data: first", "data: second", ""} {
			s.want(line)
		}
	}
	long := strings.Repeat("x", eventBytesMax-8)
	id = publish(t, base, "a/c", long)
	for _, line := range []string{"id: " + id, "data: " + long, ""} {
		other.want(line)
	}
}

// Publishers at once and readers that come and go: who stays gets all events, in the
// order of their IDs.
func TestServe_KeepsOrderWhileReadersComeAndGo(t *testing.T) {
	base := start(t)
	const publishers, each, visitors = 4, 100, 50
	stays := subscribe(t, base, "t")
	var all sync.WaitGroup
	for range publishers {
		all.Go(func() {
			for range each {
				publish(t, base, "t", "x")
			}
		})
	}
	all.Go(func() {
		for range visitors {
			_ = subscribe(t, base, "t").Close()
		}
	})
	for i := range publishers * each {
		stays.want(fmt.Sprintf("id: 1-%d", i+1))
		stays.want("data: x")
		stays.want("")
	}
	all.Wait()
}

// A reader that takes nothing is cut off; the others go on.
func TestServe_CutsOffWhoTakesNothing(t *testing.T) {
	base := start(t)
	subscribe(t, base, "t") // reads no further
	stays := subscribe(t, base, "t")
	const events = 400 // 25 MB: more than the sockets of one connection hold
	go func() {
		for stays.Scan() {
		}
	}()
	data := strings.Repeat("x", eventBytesMax)
	begun := time.Now()
	for range events {
		publish(t, base, "t", data)
	}
	if spent := time.Since(begun); spent > 20*writeTimeout {
		t.Errorf("%d events took %v: the stalled reader was not cut off", events, spent)
	}
}

func TestServe_AnswersWhatItDoesNotHave(t *testing.T) {
	base := start(t)
	res, err := http.Get(base + "/other")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 404 {
		t.Error(res.Status)
	}
	res, err = http.Post(base+"/publish?topic=a", "", strings.NewReader(strings.Repeat("x", eventBytesMax+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 {
		t.Error(res.Status)
	}
}
