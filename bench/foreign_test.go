package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// foreignWord makes the test binary a server that is not throng: foreign HOW ADDRESS. It
// answers in chunks, wraps data in JSON, asks for a key and resumes from opaque IDs. HOW
// is what it does to one event of a topic, as in lie.
const foreignWord = "foreign"

// foreignWire is how it is spoken to.
var foreignWire = Wire{
	Dialect:       "sse",
	SubscribePath: `/stream?connect={"subs":{"{topic}":{}}}`,
	PublishPath:   "/api/publish",
	PublishBody:   `{"channel":"{topic}","data":"{data}"}`,
	Headers:       []string{"X-API-Key: secret", "Content-Type: application/json"},
}

func foreignServer(how string) []string { return []string{os.Args[0], foreignWord, how, listenWord} }

// foreign is that server.
type foreign struct {
	how string

	mu      sync.Mutex
	changed chan struct{} // closed and made anew with every event
	topics  map[string][]string
}

func serveForeign(how, addr string) error {
	f := &foreign{how: how, changed: make(chan struct{}), topics: map[string][]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stream", f.stream)
	mux.HandleFunc("POST /api/publish", f.publish)
	return http.ListenAndServe(addr, mux)
}

// since gives the frames of a topic from an index on, and how to wait for more.
func (f *foreign) since(topic string, from int) ([]string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from < 0 {
		from = len(f.topics[topic])
	}
	return slices.Clone(f.topics[topic][from:]), f.changed
}

func (f *foreign) stream(w http.ResponseWriter, r *http.Request) {
	var connect struct{ Subs map[string]struct{} }
	err := json.Unmarshal([]byte(r.URL.Query().Get("connect")), &connect)
	if err != nil || len(connect.Subs) != 1 || r.Header.Get("X-API-Key") != "secret" {
		http.Error(w, fmt.Sprint(err, connect), http.StatusBadRequest)
		return
	}
	var topic string
	for topic = range connect.Subs {
	}
	f.mu.Lock()
	next := len(f.topics[topic])
	f.mu.Unlock()
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if _, err := fmt.Sscanf(id, "urn:event:%d:", &next); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	fmt.Fprint(w, ":\ndata: {\"connect\":{\"client\":\"a b c\"}}\n\n")
	for c := http.NewResponseController(w); c.Flush() == nil; {
		frames, changed := f.since(topic, next)
		for _, frame := range frames {
			fmt.Fprint(w, frame)
			next++
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func (f *foreign) publish(w http.ResponseWriter, r *http.Request) {
	var e struct{ Channel, Data string }
	err := json.NewDecoder(r.Body).Decode(&e)
	if err != nil || e.Channel == "" || r.Header.Get("X-API-Key") != "secret" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.topics[e.Channel]) + 1
	if n == lieAt {
		switch f.how {
		case "drop":
			e.Data = "lost"
		case "foreign":
			e.Data = "f" + e.Data[1:]
		}
	}
	frame := fmt.Sprintf("id: urn:event:%d:\ndata: {\"channel\":%q,\r\ndata:  \"pub\":{\"data\":%q}}\r\n\r\n", n, e.Channel, e.Data)
	if n == lieAt && f.how == "twice" {
		frame += strings.Replace(frame, "id: ", "id: again ", 1)
	}
	f.topics[e.Channel] = append(f.topics[e.Channel], frame)
	close(f.changed)
	f.changed = make(chan struct{})
	if n%10 == 0 {
		w.Header().Set("Connection", "close") // as nginx does after so many requests
	}
	w.WriteHeader(http.StatusAccepted)
	w.(http.Flusher).Flush() // in chunks
	fmt.Fprint(w, `{"result":{}}`)
}

// smallForeign are options for it.
func smallForeign(how string) Options {
	o := small(foreignServer(how))
	o.Wire = foreignWire
	return o
}

func TestForeign_EveryScenarioThatCan(t *testing.T) {
	t.Parallel()
	for _, s := range []Scenario{density, fanout, device, stall, storm} {
		o := smallForeign("honest")
		o.Floor = built.floor
		r := runs(t, s, o)
		if s.Name == "storm" && checked(t, r, "events delivered, each once to each stream") == "0" {
			t.Error("nothing was delivered")
		}
	}
}

func TestForeign_LiarIsFound(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"drop", "twice", "foreign"} {
		o := smallForeign(how)
		o.Streams, o.Pacing = 5, pacingBurst
		if r, err := fanout.Run(t.Context(), o); err == nil && r.OK() {
			t.Errorf("%s: %+v", how, r.Checks)
		}
	}
}

func TestURL_ServerThatRuns(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	running, err := startTarget(t.Context(), "server", foreignServer("honest"), Wire{}, &log)
	if err != nil {
		t.Fatal(err)
	}
	defer running.stop()
	o := smallForeign("honest")
	o.Server, o.URL = []string{"/nonexistent"}, "http://"+running.addr.String()
	r := runs(t, density, o)
	for _, f := range r.Figures {
		if strings.Contains(f.Name, "CPU") || strings.Contains(f.Name, "VmRSS") || strings.HasPrefix(f.Name, "memory a stream") {
			t.Errorf("the process is not known, but: %+v", f)
		}
	}
	without := len(r.Figures)
	o.PID = int(running.pid)
	if r = runs(t, density, o); len(r.Figures) <= without {
		t.Errorf("with the process %+v", r.Figures)
	}
}
