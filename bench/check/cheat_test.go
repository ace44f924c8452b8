package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"throng/sse"
)

// cheat is a server that keeps every promise but one, in every seventh case or so.
type cheat struct {
	how     string
	forgets bool // its log ends with it

	mu     sync.Mutex
	epoch  uint64
	last   uint64 // of the IDs
	cases  int
	logs   map[string][]*sse.Event
	keys   map[string]sse.ID
	news   chan struct{}   // closed with the next event
	up     context.Context // ends with this life
	end    context.CancelFunc
	server *httptest.Server
}

func newCheat(how string, forgets bool) *cheat {
	c := &cheat{how: how, forgets: forgets, logs: make(map[string][]*sse.Event), news: make(chan struct{})}
	c.keys = make(map[string]sse.ID)
	c.up, c.end = context.WithCancel(context.Background())
	c.epoch = 1
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", c.events)
	mux.HandleFunc("POST /publish", c.publish)
	c.server = httptest.NewServer(mux)
	return c
}

// caught says whether it cheats now, if that is its way.
func (c *cheat) caught(how string) bool {
	if c.how != how {
		return false
	}
	c.cases++
	return c.cases%7 == 0
}

// restart is the fault: all streams end, and what is only in memory is gone.
func (c *cheat) restart(context.Context, *rand.Rand) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
	c.up, c.end = context.WithCancel(context.Background())
	c.epoch, c.last = c.epoch+1, 0
	switch {
	case c.forgets, c.how == "forgets after all":
		clear(c.logs)
		clear(c.keys)
	case c.how == "loses the end":
		for ns, log := range c.logs {
			c.logs[ns] = log[:max(len(log)-3, 0)]
		}
	case c.how == "goes back":
		c.epoch = 1
	}
	return "restart", nil
}

func (c *cheat) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := r.URL.Query()
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		fmt.Fprintln(w, c.one(q.Get("ns"), q["topic"], q.Get("event"), string(body), r.Header.Get("Idempotency-Key")))
		return
	}
	var all []string
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		var l line
		if d.Decode(&l) != nil {
			break
		}
		all = append(all, c.one(q.Get("ns"), l.Topics, l.Event, l.Data, l.Key))
	}
	if c.caught("answers out of order") && len(all) > 1 {
		all[0], all[1] = all[1], all[0]
	}
	for _, a := range all {
		fmt.Fprintln(w, a)
	}
}

// one stores an event and gives the answer.
func (c *cheat) one(ns string, topics []string, name, data, key string) string {
	if id, known := c.keys[key]; known && key != "" && !c.caught("key twice") {
		return fmt.Sprintf(`{"id":"%v"}`, id)
	}
	if !c.caught("uses an ID twice") {
		c.last++
	}
	e := &sse.Event{ID: sse.ID{Major: c.epoch, Minor: c.last}, Topics: topics, Name: name, Data: []byte(data)}
	if c.caught("spoils data") {
		e.Data = append(e.Data, '!')
	}
	e.Seal()
	c.keys[key] = e.ID
	if !c.caught("acknowledges only") {
		c.logs[ns] = append(c.logs[ns], e)
	}
	close(c.news)
	c.news = make(chan struct{})
	if c.caught("takes no note") { // of what it has stored
		return `{"error":{"status":503,"code":"store_failed"}}`
	}
	return fmt.Sprintf(`{"id":"%v"}`, e.ID)
}

// begin finds where a stream begins, and its first block.
func (c *cheat) begin(q, since, ns string, f sse.Format) (at sse.ID, head []byte) {
	at = sse.ID{Major: c.epoch, Minor: c.last}
	log := c.logs[ns]
	first := sse.ID{Major: c.epoch}
	if len(log) > 0 {
		first = sse.ID{Major: log[0].ID.Major, Minor: log[0].ID.Minor - 1}
	}
	if since == "earliest" && q == "" {
		return first, sse.AppendIDBlock(nil, first)
	}
	if q == "" {
		q = since
	}
	if q == "" {
		if c.how == "attaches in the future" {
			at.Minor += 100
		}
		return at, sse.AppendIDBlock(nil, at)
	}
	id, _ := sse.ParseID(q)
	earliest := first.Next()
	switch {
	case c.caught("gap for nothing"):
		return id, sse.NewGap(q, earliest, id).Frame(f)
	case c.caught("gap too large"):
		return at, sse.NewGap(q, at.Next(), at).Frame(f)
	case id.Major < c.epoch && c.forgets && c.how != "no gap":
		if c.how == "gap without sense" {
			earliest = sse.ID{Major: c.epoch + 1, Minor: 1}
		}
		return first, sse.NewGap(q, earliest, first).Frame(f)
	}
	if c.caught("repeats on resume") && id.Minor > 3 {
		id.Minor -= 3
	}
	return id, sse.AppendIDBlock(nil, id)
}

func (c *cheat) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ns, topics := q.Get("ns"), q["topic"]
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = q.Get("lastEventId")
	}
	c.mu.Lock()
	up, format := c.up, sse.FormatText
	if q.Get("format") == "json" {
		format = sse.FormatJSON
	}
	at, head := c.begin(last, q.Get("since"), ns, format)
	c.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Transfer-Encoding", "identity")
	flush := http.NewResponseController(w)
	_, _ = w.Write(head)
	for flush.Flush() == nil {
		c.mu.Lock()
		if up.Err() != nil { // what is stored now belongs to the next life
			c.mu.Unlock()
			return
		}
		news, out := c.news, []byte(nil)
		at, out = c.next(at, ns, topics, format)
		c.mu.Unlock()
		if len(out) > 0 {
			_, _ = w.Write(out)
			continue
		}
		select {
		case <-news:
		case <-up.Done():
			return
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
			fmt.Fprint(w, sse.Comment)
		}
	}
}

// next is what a stream gets next, as far as it is honest.
func (c *cheat) next(at sse.ID, ns string, topics []string, format sse.Format) (sse.ID, []byte) {
	var frames [][]byte
	for _, e := range c.logs[ns] {
		if e.ID.Compare(at) <= 0 {
			continue
		}
		at = e.ID
		meant := slices.ContainsFunc(topics, func(p string) bool {
			return slices.ContainsFunc(e.Topics, func(t string) bool { return matches(p, t) })
		})
		if !meant && !c.caught("sends what nobody asked for") || meant && c.caught("drops") {
			continue
		}
		f := e.Frame(format)
		if c.caught("numbers anew") {
			copied := &sse.Event{ID: sse.ID{Major: e.ID.Major, Minor: e.ID.Minor + 1}, Topics: e.Topics, Name: e.Name, Data: e.Data}
			f = sse.AppendFrame(nil, copied)
		}
		frames = append(frames, f)
		if c.caught("repeats") {
			frames = append(frames, f)
		}
		if n := len(frames); n > 1 && c.caught("swaps") {
			frames[n-1], frames[n-2] = frames[n-2], frames[n-1]
		}
		if c.caught("is ahead of itself") {
			frames = slices.Insert(frames, len(frames)-1, sse.AppendIDBlock(nil, e.ID))
		}
	}
	return at, bytes.Join(frames, nil)
}
