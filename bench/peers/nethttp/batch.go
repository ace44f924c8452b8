package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// batchBytesMax is the body of one batch, bytes.
const batchBytesMax = 8 << 20

// line is one event of a batch.
type line struct {
	Topic string `json:"topic"`
	Data  string `json:"data"`
}

// publishBatch answers each line with its ID. A line that is no event refuses the whole
// batch before anything is sent.
func (h *hub) publishBatch(w http.ResponseWriter, req *http.Request) {
	var lines []line
	in := bufio.NewScanner(http.MaxBytesReader(w, req.Body, batchBytesMax))
	in.Buffer(nil, eventBytesMax)
	for in.Scan() {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			http.Error(w, fmt.Sprintf("line %d: %v", len(lines)+1, err), http.StatusBadRequest)
			return
		}
		lines = append(lines, l)
	}
	if err := in.Err(); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	var out bytes.Buffer
	for _, id := range h.sendAll(req.URL.Query().Get("ns"), lines) {
		fmt.Fprintf(&out, "{\"id\":\"1-%d\"}\n", id)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	w.Write(out.Bytes())
}

// sendAll queues what a batch has for a topic as one piece: one send on a reader's
// channel, and one write to its socket.
func (h *hub) sendAll(ns string, lines []line) []uint64 {
	ids := make([]uint64, 0, len(lines))
	pieces := make(map[*topic]*event)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range lines {
		e, t := h.record(ns+" "+l.Topic, []byte(l.Data))
		ids = append(ids, e.id)
		if t == nil {
			continue
		}
		if p := pieces[t]; p != nil {
			p.id, p.frame = e.id, append(p.frame, e.frame...)
			continue
		}
		e.frame = e.frame[:len(e.frame):len(e.frame)] // what is kept shares its bytes
		pieces[t] = &e
	}
	for t, p := range pieces {
		t.send(*p)
	}
	return ids
}
