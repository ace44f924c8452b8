package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fibberWord makes the test binary a server with many streams that is honest but for one
// thing: fibber HOW ADDRESS.
const fibberWord = "fibber"

func init() {
	if len(os.Args) == 4 && os.Args[1] == fibberWord {
		f := &fibber{how: os.Args[2], topics: make(map[string]map[chan string]struct{})}
		fmt.Fprintln(os.Stderr, f.serve(os.Args[3]))
		os.Exit(1)
	}
}

func fibberServer(how string) []string { return []string{os.Args[0], fibberWord, how, listenWord} }

// fibberPatience is how long a scenario waits for what never comes.
const fibberPatience = 500 * time.Millisecond

// found wants a scenario to find out what a server does wrong.
func found(t *testing.T, s Scenario, o Options) {
	t.Helper()
	o.patience = fibberPatience
	o.Log = io.Discard
	r, err := s.Run(context.Background(), o)
	if err == nil && r.OK() {
		t.Errorf("%q passed: %+v", o.Server, r.Checks)
	}
	t.Logf("%q: %v, %+v", o.Server[2:], err, slices.DeleteFunc(r.Checks, func(c Check) bool { return c.OK }))
}

// runsBut runs a scenario and wants it right but for checks of a kind.
func runsBut(t *testing.T, s Scenario, o Options, kind string) Report {
	t.Helper()
	var log bytes.Buffer
	o.Log = &log
	r, err := s.Run(context.Background(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, c := range r.Checks {
		if !c.OK && !strings.HasPrefix(c.Name, kind) {
			t.Errorf("%+v\n%q", c, r.Notes)
		}
	}
	return r
}

// fibRoom is how many streams a fibber holds that can be full.
const fibRoom = 59

// fibEach: of so many streams or lines one is treated wrong.
const fibEach = 5

type fibber struct {
	how string

	mu      sync.Mutex
	streams int
	here    int
	last    int
	topics  map[string]map[chan string]struct{}
	kept    []fibEvent
	leaked  []*os.File
	grown   [][]byte
}

type fibEvent struct {
	topic, frame string
	id           int
}

func (f *fibber) serve(addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", f.events)
	mux.HandleFunc("POST /publish", f.publish)
	return http.ListenAndServe(addr, mux)
}

// victim says whether this is one of those it treats wrong, in the given way.
func (f *fibber) victim(n int, how string) bool { return f.how == how && n%fibEach == fibEach-1 }

func (f *fibber) events(w http.ResponseWriter, r *http.Request) {
	topic := r.URL.Query().Get("topic")
	f.mu.Lock()
	n := f.streams
	f.streams++
	f.here++
	defer f.leave()
	switch {
	case f.how == "full" && f.here > fibRoom:
		f.mu.Unlock()
		f.sendAway(w, n)
		return
	case f.victim(n, "refuse"), f.victim(n, "rude"), f.victim(n, "hangup"):
		f.mu.Unlock()
		f.turnAway(w)
		return
	case f.how == "leak":
		if file, err := os.Open(os.DevNull); err == nil {
			f.leaked = append(f.leaked, file)
		}
	case f.how == "grow":
		f.grown = append(f.grown, []byte(strings.Repeat("x", 512<<10)))
	}
	room := 1000
	if f.how == "lossy" {
		room = 50
	}
	queue := make(chan string, room)
	since := r.Header.Get("Last-Event-ID")
	if !f.victim(n, "deaf") && (since == "" || !f.victim(n, "numb")) {
		if f.topics[topic] == nil {
			f.topics[topic] = make(map[chan string]struct{})
		}
		f.topics[topic][queue] = struct{}{}
	}
	missed := f.missed(topic, since, n)
	last := f.last
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.topics[topic], queue)
		f.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Transfer-Encoding", "identity")
	if missed != "" {
		fmt.Fprintf(w, "retry: 1\n\n%s", missed)
	} else {
		fmt.Fprintf(w, "retry: 1\n\nid: 1-%d\n\n", last)
	}
	f.stream(w, r, queue, n)
}

func (f *fibber) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.here--
}

// sendAway refuses a stream for which there is no room: every other one by an event stream
// that ends at once.
func (f *fibber) sendAway(w http.ResponseWriter, n int) {
	if n%2 == 0 {
		w.Header().Set("Retry-After", "0")
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Transfer-Encoding", "identity")
	io.WriteString(w, "retry: 20\n\n")
}

// turnAway refuses a stream in the way of the fibber.
func (f *fibber) turnAway(w http.ResponseWriter) {
	switch f.how {
	case "refuse":
		w.Header().Set("Retry-After", "1")
	case "hangup":
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
		return
	}
	http.Error(w, "full", http.StatusServiceUnavailable)
}

// missed is what follows an ID, as far as the fibber admits.
func (f *fibber) missed(topic, since string, n int) string {
	var id int
	if _, err := fmt.Sscanf(since, "1-%d", &id); err != nil {
		return ""
	}
	out, some, held := fmt.Sprintf("id: 1-%d\n\n", id), 0, ""
	for _, e := range f.kept {
		if e.id <= id || e.topic != topic {
			continue
		}
		some++
		if some == 1 && f.victim(n, "forget") {
			continue
		}
		if some == 1 && f.victim(n, "swap") {
			held = e.frame
			continue
		}
		out += e.frame + held
		held = ""
		if some == 1 && f.victim(n, "again") {
			out += e.frame
		}
	}
	return out
}

func (f *fibber) stream(w http.ResponseWriter, r *http.Request, queue chan string, n int) {
	c := http.NewResponseController(w)
	for sent := 0; c.Flush() == nil; sent++ {
		if sent == 1 && f.victim(n, "close") {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case frame := <-queue:
			if sent == 0 && f.victim(n, "late") {
				continue
			}
			fmt.Fprint(w, frame)
		}
	}
}

func (f *fibber) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Content-Type") == "application/x-ndjson" {
		f.batch(w, string(body))
		return
	}
	f.send(r.URL.Query().Get("topic"), string(body))
	fmt.Fprintf(w, `{"id":"1-%d"}`, f.last)
}

// send delivers one event, where it delivers.
func (f *fibber) send(topic, data string) {
	f.last++
	frame := fmt.Sprintf("id: 1-%d\ndata: %s\n\n", f.last, data)
	f.kept = append(f.kept, fibEvent{topic, frame, f.last})
	for queue := range f.topics[topic] {
		select {
		case queue <- frame:
		default:
		}
	}
}

func (f *fibber) batch(w http.ResponseWriter, body string) {
	var out []string
	for i, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		var topic, data string
		if _, err := fmt.Sscanf(strings.ReplaceAll(line, `"`, " "), "{ topic : %s , data : %s", &topic, &data); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		data = line[strings.Index(line, data) : len(line)-2]
		if f.victim(i, "lost") {
			f.last++
		} else {
			f.send(topic, data)
		}
		answer := fmt.Sprintf("{\"id\":\"1-%d\"}\n", f.last)
		switch {
		case f.victim(i, "short"):
			continue
		case f.victim(i, "error"):
			answer = "{\"error\":{\"code\":\"no\"}}\n"
		case f.victim(i, "order"):
			answer, out[i-1] = out[i-1], answer
		}
		out = append(out, answer)
	}
	text := strings.Join(out, "")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	io.WriteString(w, text)
}
