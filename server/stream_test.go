package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// The head and the first two blocks are what browsers and proxies go by; the ID makes
// sure that a client which got nothing yet can resume all the same.
func TestStream_BeginsAsTheContractSays(t *testing.T) {
	n := start(t, func(o *server.Options) { o.Retry = 2 * time.Second })
	last := n.publish("topic=other", "x")
	retries := map[int]bool{}
	for range 40 {
		s := n.subscribe("topic=a")
		if s.retry < 2000 || s.retry > 3000 {
			t.Fatalf("retry: %d ms", s.retry)
		}
		retries[s.retry] = true
		if s.at != last || s.gap != nil {
			t.Fatalf("attached at %s (gap %v), the namespace is at %s", s.at, s.gap, last)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
			"Connection": "keep-alive", "Content-Length": "", "Transfer-Encoding": "",
		} {
			if got := s.head.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if _, err := http.ParseTime(s.head.Header.Get("Date")); err != nil {
			t.Error(err)
		}
		s.Close()
	}
	if len(retries) < 10 {
		t.Errorf("40 streams were given the retry times %v: too little jitter", retries)
	}
	n.settles()
}

// An event comes once, in order, to whoever has a matching topic or pattern, and to
// nobody else.
func TestStream_MatchesTopics(t *testing.T) {
	n := start(t, nil)
	subscriptions := map[string]string{
		"topic=a":                           "1 6",
		"topic=a/b":                         "2 4 6",
		"topic=a/%23":                       "1 2 3 4 6", // MQTT: a/# matches a too
		"topic=a/+":                         "2 4 6",
		"topic=a/+/c":                       "3",
		"topic=%23":                         "1 2 3 4 5 6",
		"topic=+/b&topic=a/b&topic=a/%23":   "1 2 3 4 5 6",
		"topic=a&topic=a&topic=a":           "1 6",
		"topic=nobody&topic=%C3%A4/b":       "5",
		"topic=%2B/b":                       "2 4 5 6",
		"topic=a%2Fb%2Fc":                   "3",
		"topic=a/b/c/%23":                   "3",
		"topic=b&topic=a/b/c&topic=nothing": "3 6",
	}
	streams := map[string]*stream{}
	for query := range subscriptions {
		streams[query] = n.subscribe(query + "&topic=mark")
	}
	ids := []string{
		n.publish("topic=a", "1"), n.publish("topic=a/b", "2"), n.publish("topic=a/b/c", "3"), n.publish("topic=a/b", "4"),
		n.publish("topic=%C3%A4/b", "5"), n.publish("topic=a&topic=b&topic=a/b", "6"),
	}
	mark := n.publish("topic=mark", "mark")
	for query, want := range subscriptions {
		s := streams[query]
		var got []string
		for {
			e := s.next()
			if e.id == mark {
				break
			}
			got = append(got, e.data)
			if at := strings.Index("123456", e.data); ids[at] != e.id {
				t.Errorf("%s: event %s has the ID %s, published as %s", query, e.data, e.id, ids[at])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s got %v, want %s", query, got, want)
		}
		s.Close()
	}
	n.settles()
}

// Data is text with any line breaks, which a reader gets as LF; in JSON it stays as it
// was.
func TestStream_Formats(t *testing.T) {
	n := start(t, nil)
	text, envelope := n.subscribe("topic=a/%23"), n.subscribe("topic=a/%23&format=json")
	for _, c := range []struct{ event, data, want string }{
		{"", "", ""}, {"", "one", "one"}, {"update", "a\nb", "a\nb"}, {"", "a\r\nb\rc\n", "a\nb\nc\n"},
		{"message", "id: 1\ndata: x\n\nretry: 5", "id: 1\ndata: x\n\nretry: 5"},
		{"\u00e4 b", "\u2028{\"a\":1}\U0001F600", "\u2028{\"a\":1}\U0001F600"}, {"", strings.Repeat("y", 65536), strings.Repeat("y", 65536)},
	} {
		query := "topic=a/b&topic=c"
		if c.event != "" {
			query += "&event=" + strings.NewReplacer(" ", "%20", "\u00e4", "%C3%A4").Replace(c.event)
		}
		name := c.event
		if name == "message" {
			name = ""
		}
		id := n.publish(query, c.data)
		if e := text.next(); e != (event{id, name, c.want}) {
			t.Errorf("%q came as %+v", c.data, e)
		}
		e := envelope.next()
		var v struct {
			ID, Event string
			Data      *string
			Topics    []string
		}
		if err := json.Unmarshal([]byte(e.data), &v); err != nil || v.Data == nil {
			t.Fatalf("%q: %v", e.data, err)
		}
		if v.ID != id || e.id != id || e.name != name || v.Event != name || *v.Data != c.data || fmt.Sprint(v.Topics) != "[a/b c]" {
			t.Errorf("%q came as %+v in %+v", c.data, v, e)
		}
	}
	text.Close()
	envelope.Close()
	n.settles()
}

// Tenants see nothing of each other: neither events nor IDs.
func TestStream_NamespacesDoNotMix(t *testing.T) {
	n := start(t, nil)
	one, two, none := n.subscribe("topic=%23&ns=one"), n.subscribe("topic=%23&ns=two"), n.subscribe("topic=%23")
	for i := range 20 {
		n.publish("topic=a&ns=one", fmt.Sprint("one ", i))
		n.publish("topic=a&ns=two", fmt.Sprint("two ", i))
	}
	for i := range 20 {
		one.takes(fmt.Sprint("one ", i))
		two.takes(fmt.Sprint("two ", i))
	}
	n.silent("topic=a&ns=one", one)
	n.silent("topic=a&ns=two", two)
	n.silent("topic=a&ns=default", none)
	for _, s := range []*stream{one, two, none} {
		s.Close()
	}
	n.settles()
}

// A silent stream shows that it lives and keeps the position fresh, although its topic
// is quiet.
func TestStream_HeartbeatCarriesTheID(t *testing.T) {
	n := start(t, func(o *server.Options) { o.Heartbeat = 250 * time.Millisecond })
	s := n.subscribe("topic=quiet")
	id := n.publish("topic=busy", "x")
	for beat := 0; beat < 3; {
		switch b := s.block(); b {
		case "id: " + id:
			beat++
		case "id: " + s.at, ":":
		default:
			t.Fatalf("a heartbeat is %q", b)
		}
	}
	s.Close()
	n.settles()
}

// What a client sends on its stream means nothing; without a limit it would be work
// for nothing.
func TestStream_ClientBytesAreLimited(t *testing.T) {
	n := start(t, func(o *server.Options) { o.ClientBytesMax = 10000 })
	s := n.subscribe("topic=a")
	s.send(strings.Repeat("x", 9999))
	n.publish("topic=a", "still here")
	s.takes("still here")
	s.send("yy")
	s.gone()
	s.Close()
	n.settles()
}

// A client that has closed its half will not resume; its row is freed.
func TestStream_HalfClosingClientIsClosed(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	_ = s.CloseWrite()
	if _, err := io.Copy(io.Discard, s.r); err != nil {
		t.Error(err)
	}
	s.Close()
	w := n.dial()
	w.send(get("/events?topic=a"))
	_ = w.CloseWrite()
	w.gone()
	w.Close()
	n.settles()
}

// However a loop waits, events come: a wake-up that is lost shows as silence.
func TestStream_EveryWaitStrategy(t *testing.T) {
	for wait, events := range map[string]int{"block": 300, "sleep": 100, "yield": 100, "spin": 20} {
		t.Run(wait, func(t *testing.T) {
			n := start(t, func(o *server.Options) {
				if o.Wait = wait; wait == "spin" {
					o.Loops = 1 // each takes a whole processor
				}
			})
			var all []*stream
			for range 5 {
				all = append(all, n.subscribe("topic=a"))
			}
			for i := range events {
				n.publish("topic=a", fmt.Sprint(i))
				if i%50 == 0 {
					time.Sleep(2 * time.Millisecond) // the loops fall asleep
				}
				for _, s := range all {
					s.takes(fmt.Sprint(i))
				}
			}
			for _, s := range all {
				s.Close()
			}
			n.settles()
		})
	}
}
