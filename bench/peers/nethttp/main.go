// Command nethttp is the server to compare with: Server-Sent Events as one writes them
// with net/http, a goroutine and a channel a stream. It is written to be fast within that
// design: an event is encoded once, a stream's goroutine sends all that waits in its
// channel before it flushes, and answers are close-delimited, which spares the chunks.
//
//	nethttp [--history N] 127.0.0.1:PORT
//
// GET /events?ns=N&topic=T, POST /publish?ns=N&topic=T, and POST /publish?ns=N with
// Content-Type: application/x-ndjson. With --history, the last N events of each topic are
// kept for Last-Event-ID. A reader that is queueMax publishes behind is disconnected.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	// queueMax is the channel of one stream: publishes, single ones or batches.
	queueMax = 64
	// eventBytesMax is the data of one event, bytes.
	eventBytesMax = 64 << 10
)

// hub knows who reads what. Its lock gives all events one order.
type hub struct {
	history int

	mu     sync.Mutex
	last   uint64
	topics map[string]*topic
}

type topic struct {
	readers map[*reader]struct{}
	kept    []event
}

type event struct {
	id    uint64
	frame []byte
}

type reader struct{ queue chan event }

func main() {
	history := flag.Int("history", 0, "events kept a topic")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: nethttp [--history N] 127.0.0.1:PORT")
	}
	h := &hub{history: *history, topics: make(map[string]*topic)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", h.events)
	mux.HandleFunc("POST /publish", h.publish)
	log.Fatal(http.ListenAndServe(flag.Arg(0), mux))
}

// key is the topic inside its namespace.
func key(r *http.Request) string {
	q := r.URL.Query()
	return q.Get("ns") + " " + q.Get("topic")
}

// subscribe adds a reader and gives what it missed after since, and the last ID.
func (h *hub) subscribe(key string, since uint64, resume bool) (*reader, []event, uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[key]
	if t == nil {
		t = &topic{readers: make(map[*reader]struct{})}
		h.topics[key] = t
	}
	r := &reader{queue: make(chan event, queueMax)}
	t.readers[r] = struct{}{}
	if !resume {
		return r, nil, h.last
	}
	for i, e := range t.kept {
		if e.id > since {
			return r, append([]event(nil), t.kept[i:]...), since
		}
	}
	return r, nil, since
}

func (h *hub) leave(key string, r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[key]
	delete(t.readers, r)
	if len(t.readers) == 0 && len(t.kept) == 0 {
		delete(h.topics, key)
	}
}

func (h *hub) events(w http.ResponseWriter, req *http.Request) {
	k := key(req)
	since, err := strconv.ParseUint(strings.TrimPrefix(req.Header.Get("Last-Event-ID"), "1-"), 10, 64)
	r, missed, last := h.subscribe(k, since, err == nil)
	defer h.leave(k, r)
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache, no-transform")
	head.Set("Transfer-Encoding", "identity") // net/http reads it as: close-delimited
	c := http.NewResponseController(w)
	fmt.Fprintf(w, "retry: 3000\nid: 1-%d\n\n", last)
	for _, e := range missed {
		if _, err := w.Write(e.frame); err != nil {
			return
		}
	}
	for c.Flush() == nil {
		select {
		case <-req.Context().Done():
			return
		case e, ok := <-r.queue:
			if !ok || !r.write(w, e) {
				return
			}
		}
	}
}

// write sends e and what else waits, before the flush.
func (r *reader) write(w io.Writer, e event) bool {
	for {
		if _, err := w.Write(e.frame); err != nil {
			return false
		}
		select {
		case next, ok := <-r.queue:
			if !ok {
				return false
			}
			e = next
		default:
			return true
		}
	}
}

func (h *hub) publish(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Content-Type") == "application/x-ndjson" {
		h.publishBatch(w, req)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, req.Body, eventBytesMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	id := h.send(key(req), data)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"1-%d"}`, id)
}

func (h *hub) send(key string, data []byte) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, t := h.record(key, data)
	if t != nil {
		t.send(e)
	}
	return e.id
}

// record gives data an ID and keeps it, if anything is kept. There is no topic when it
// would serve nobody. The caller holds the lock.
func (h *hub) record(key string, data []byte) (event, *topic) {
	h.last++
	e := event{id: h.last}
	t := h.topics[key]
	if t == nil && h.history == 0 {
		return e, nil
	}
	if t == nil {
		t = &topic{readers: make(map[*reader]struct{})}
		h.topics[key] = t
	}
	e.frame = fmt.Appendf(nil, "id: 1-%d\ndata: %s\n\n", e.id, strings.ReplaceAll(string(data), "\n", "\ndata: "))
	if h.history > 0 {
		t.kept = append(t.kept, e)
		if len(t.kept) > h.history {
			t.kept = append([]event(nil), t.kept[1:]...)
		}
	}
	return e, t
}

// send queues e for each reader. The caller holds the hub's lock.
func (t *topic) send(e event) {
	for r := range t.readers {
		select {
		case r.queue <- e:
		default:
			close(r.queue)
			delete(t.readers, r)
		}
	}
}
