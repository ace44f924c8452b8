package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/cloudwego/netpoll"

	"throng/httpparse"
)

// hub knows who reads what. Order of locks: a topic's, the hub's or a reader's.
type hub struct {
	limits httpparse.Limits

	mu     sync.Mutex
	last   uint64 // ID of the newest event
	topics map[string]*topic
}

// topic is one set of readers.
type topic struct {
	order sync.Mutex // one event after the other
	now   []*reader  // who gets the event under way; under order

	readers map[*reader]struct{} // under the hub's lock
}

// reader is one stream. Netpoll's writer takes one at a time, and none once the connection
// has ended: the lock keeps the head, the events and the end apart.
type reader struct {
	mu   sync.Mutex
	conn netpoll.Connection
	gone bool
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nConnection: keep-alive\r\n\r\n"

// subscribe makes the connection a stream.
func (h *hub) subscribe(key string, c netpoll.Connection) error {
	r := &reader{conn: c}
	r.mu.Lock() // no event before the head
	defer r.mu.Unlock()
	if err := c.SetOnRequest(discard); err != nil {
		return err
	}
	if err := c.AddCloseCallback(func(netpoll.Connection) error { h.leave(key, r); return nil }); err != nil {
		return err
	}
	last := h.join(key, r)
	return r.write(fmt.Appendf(nil, "%sretry: 3000\nid: 1-%d\n\n", streamHead, last))
}

// discard reads what a client sends on a stream.
func discard(_ context.Context, c netpoll.Connection) error {
	in := c.Reader()
	if err := in.Skip(in.Len()); err != nil {
		return err
	}
	return in.Release()
}

func (h *hub) join(key string, r *reader) (last uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[key]
	if t == nil {
		t = &topic{readers: make(map[*reader]struct{}, 1)}
		h.topics[key] = t
	}
	t.readers[r] = struct{}{}
	return h.last
}

// leave runs before netpoll takes the connection's buffers back, and waits for a write
// that is under way: netpoll has ended it.
func (h *hub) leave(key string, r *reader) {
	h.mu.Lock()
	if t := h.topics[key]; t != nil {
		delete(t.readers, r)
		if len(t.readers) == 0 {
			delete(h.topics, key)
		}
	}
	h.mu.Unlock()
	r.mu.Lock()
	r.gone = true
	r.mu.Unlock()
}

// publish gives the event to all readers of the topic, and returns its ID.
func (h *hub) publish(key string, data []byte) uint64 {
	for {
		t, id := h.find(key)
		if t == nil {
			return id
		}
		if id, ok := h.publishTo(t, key, data); ok {
			return id
		}
	}
}

// find looks the topic up; one without readers is nil, and its event has its ID at once.
func (h *hub) find(key string) (t *topic, id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t = h.topics[key]; t == nil {
		h.last++
	}
	return t, h.last
}

// publishTo is false if the topic's last reader has left meanwhile: another may have come
// to a topic of the same name since.
func (h *hub) publishTo(t *topic, key string, data []byte) (id uint64, ok bool) {
	t.order.Lock()
	defer t.order.Unlock()
	if id, ok = h.collect(t, key); !ok {
		return 0, false
	}
	frame := fmt.Appendf(nil, "id: 1-%d\ndata: %s\n\n", id, bytes.ReplaceAll(data, []byte("\n"), []byte("\ndata: ")))
	for _, r := range t.now {
		r.send(frame)
	}
	clear(t.now)
	return id, true
}

// collect gives an ID and puts those who are to get its event into now.
func (h *hub) collect(t *topic, key string) (id uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[key] != t {
		return 0, false
	}
	h.last++
	t.now = t.now[:0]
	for r := range t.readers {
		t.now = append(t.now, r)
	}
	return h.last, true
}

// send writes a frame; a reader that does not take it is disconnected.
func (r *reader) send(frame []byte) {
	r.mu.Lock()
	err := r.write(frame)
	r.mu.Unlock()
	if err != nil {
		_ = r.conn.Close() // calls leave, which needs the lock
	}
}

// write needs the lock.
func (r *reader) write(p []byte) error {
	if r.gone {
		return nil
	}
	w := r.conn.Writer()
	if _, err := w.WriteBinary(p); err != nil {
		return err
	}
	return w.Flush()
}
