package client

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"throng/sse"
)

// heartbeat is the interval of the peer's heartbeats, that of a default server.
const heartbeat = 25 * time.Second

// peer is a server of one namespace that keeps the rules of the stream and can be told to
// break off anywhere.
type peer struct {
	// cut says after how many bytes of its answer the n-th stream breaks; below 0: never.
	cut func(stream int) int
	// fault may answer the n-th stream instead; it reports whether it did.
	fault func(stream int, w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	events  []*sse.Event
	removed int           // this many of the first events are gone
	changed chan struct{} // closed at the next change
	streams int
	lastIDs []string // Last-Event-ID of each stream
	queries []string // query of each stream
}

func newPeer() *peer { return &peer{changed: make(chan struct{})} }

func (p *peer) publish(name, data string) sse.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &sse.Event{ID: sse.ID{Major: 1, Minor: uint64(len(p.events) + 1)}, Topics: []string{"a"}, Name: name, Data: []byte(data)}
	e.Seal()
	p.events = append(p.events, e)
	close(p.changed)
	p.changed = make(chan struct{})
	return e.ID
}

// forget removes the first n events.
func (p *peer) forget(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removed = n
}

// seen are the Last-Event-ID headers of the streams so far.
func (p *peer) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lastIDs)
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.streams++
	n := p.streams
	p.lastIDs = append(p.lastIDs, r.Header.Get("Last-Event-ID"))
	p.queries = append(p.queries, r.URL.RawQuery)
	p.mu.Unlock()
	if p.fault != nil && p.fault(n, w, r) {
		return
	}
	out := &cutWriter{w: w, left: -1}
	if p.cut != nil {
		out.left = p.cut(n)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	if n%2 == 0 {
		h.Set("Transfer-Encoding", "identity") // close-delimited: a break looks like an end
	}
	p.stream(out, r)
}

// stream sends what follows the client's position, for as long as the client stays.
func (p *peer) stream(out *cutWriter, r *http.Request) {
	format := sse.FormatText
	if r.URL.Query().Get("format") == "json" {
		format = sse.FormatJSON
	}
	at, gap := p.attach(r)
	out.write(sse.AppendIDBlock(sse.AppendRetry(nil, 100), at))
	if gap != nil {
		out.write(gap.Frame(format))
		at = gap.ID
	}
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for {
		p.mu.Lock()
		events, changed := p.events[at.Minor:], p.changed
		p.mu.Unlock()
		for _, e := range events {
			out.write(e.Frame(format))
			at = e.ID
			beat.Reset(heartbeat)
		}
		select {
		case <-changed:
		case <-beat.C:
			out.write([]byte(sse.Comment))
			beat.Reset(heartbeat)
		case <-r.Context().Done():
			return
		}
	}
}

// attach finds where a stream begins, and the gap to tell if something after that is gone.
func (p *peer) attach(r *http.Request) (at sse.ID, gap *sse.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := sse.ID{Major: 1, Minor: uint64(p.removed)}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("since")
	}
	switch text {
	case "":
		return sse.ID{Major: 1, Minor: uint64(len(p.events))}, nil
	case "earliest":
		return first, nil
	}
	at, err := sse.ParseID(text)
	if err != nil || at.Less(first) {
		return at, sse.NewGap(text, first.Next(), first)
	}
	return at, nil
}

// cutWriter flushes every write, and breaks the connection when left bytes are out.
type cutWriter struct {
	w    http.ResponseWriter
	left int // below 0: no limit
}

func (c *cutWriter) write(b []byte) {
	if c.left >= 0 && len(b) > c.left {
		_, _ = c.w.Write(b[:c.left])
		c.w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	if c.left >= 0 {
		c.left -= len(b)
	}
	_, _ = c.w.Write(b)
	c.w.(http.Flusher).Flush()
}
