package check

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"throng/sse"
)

const (
	// silenceMax is how long a stream may say nothing, heartbeats included, before its
	// client takes it for dead.
	silenceMax = 5 * time.Second
	// comeBackMax is the longest wait before a client comes back. Short, so that clients
	// come while a node is still starting, too.
	comeBackMax = 60 * time.Millisecond
	// slowBytes is the receive buffer of a slow reader, and slowPause its longest pause: the
	// server's buffers fill meanwhile.
	slowBytes = 4096
	slowPause = 700 * time.Millisecond
	// slowReads is the mean number of reads between two pauses.
	slowReads = 40
)

// subscriber keeps one lineage going. Its own goroutine runs it; others may call cut, move
// and snapshot.
type subscriber struct {
	*crew
	rng  *rand.Rand
	node atomic.Int32
	stop context.CancelFunc

	mu      sync.Mutex // guards what follows
	lineage lineage
	conn    *net.TCPConn
	scratch []byte
}

// run connects again and again until ctx is done.
func (s *subscriber) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.connect(ctx)
		s.mu.Lock()
		if n := len(s.lineage.conns); n > 0 && s.lineage.conns[n-1].end == "" {
			s.lineage.conns[n-1].end = err.Error()
		}
		s.mu.Unlock()
		if len(s.nodes) > 1 && s.rng.IntN(4) == 0 {
			s.move(s.rng)
		}
		sleep(ctx, time.Duration(s.rng.Int64N(int64(comeBackMax))))
	}
}

// move sends the lineage to another node the next time it connects.
func (s *subscriber) move(rng *rand.Rand) {
	if n := int32(len(s.nodes)); n > 1 {
		s.node.Store((s.node.Load() + 1 + rng.Int32N(n-1)) % n)
	}
}

// cut ends the connection: with a RST, or with a FIN, after which the server has to close.
func (s *subscriber) cut(reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	if reset {
		_ = s.conn.SetLinger(0) // a socket that is gone already is cut as well
		_ = s.conn.Close()
		return
	}
	_ = s.conn.CloseWrite()
}

// leave ends the lineage for good.
func (s *subscriber) leave() {
	s.stop() // first: a connection that is made meanwhile finds it
	s.cut(true)
}

// reached is the lineage's last ID of an event or gap.
func (s *subscriber) reached() sse.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lineage.attached {
		return sse.ID{}
	}
	return s.lineage.reached()
}

// snapshot is the lineage as it is now. What it points to only grows, beyond its ends.
func (s *subscriber) snapshot() *lineage {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lineage
	l.conns = slices.Clone(l.conns) // the last one is still written to
	return &l
}

// connect makes one connection and reads it to its end, whose reason it returns.
func (s *subscriber) connect(ctx context.Context) error {
	node := int(s.node.Load())
	d := net.Dialer{Timeout: silenceMax}
	c, err := d.DialContext(ctx, "tcp4", s.nodes[node])
	if err != nil {
		return err
	}
	conn := c.(*net.TCPConn)
	defer conn.Close()
	if s.lineage.slow {
		_ = conn.SetReadBuffer(slowBytes) // a larger one makes a less slow reader
	}
	request, after := s.request(node)
	s.mu.Lock()
	if ctx.Err() != nil {
		s.mu.Unlock()
		return ctx.Err()
	}
	s.conn = conn
	s.mu.Unlock()
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	r := &reader{s: s, conn: conn, ctx: ctx}
	answer, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		s.counts.refused.Add(1)
		if answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests {
			s.violation(Content, "was refused with %s to %q", answer.Status, request)
		}
		return errors.New(answer.Status)
	}
	s.counts.connections.Add(1)
	s.mu.Lock()
	s.lineage.conns = append(s.lineage.conns, connection{entries: len(s.lineage.log), at: s.now(), node: node, after: after})
	s.mu.Unlock()
	decoder := sse.NewDecoder(answer.Body, sse.Limits{})
	for {
		m, err := decoder.Next()
		if err != nil {
			return err
		}
		s.take(m)
	}
}

// request asks for the stream, from the lineage's last ID: in any of the ways there are.
func (s *subscriber) request(node int) (text string, after sse.ID) {
	l := &s.lineage
	query, head := "ns="+nsName(l.ns), "Accept: text/event-stream\r\n"
	for _, p := range l.patterns {
		query += "&topic=" + url.QueryEscape(p)
	}
	if l.json {
		query += "&format=json"
	}
	after = l.position
	switch {
	case after.IsZero() && l.earliest:
		query += "&since=earliest"
	case after.IsZero():
	default:
		switch s.rng.IntN(3) {
		case 0:
			query += "&since=" + after.String()
		case 1:
			query += "&lastEventId=" + after.String()
		default:
			head += "Last-Event-ID: " + after.String() + "\r\n"
		}
	}
	return "GET /events?" + query + " HTTP/1.1\r\nHost: " + s.nodes[node] + "\r\n" + head + "\r\n", after
}

// reader reads a connection, slowly if the lineage is slow, and gives up a silent one.
type reader struct {
	s    *subscriber
	conn *net.TCPConn
	ctx  context.Context
}

// Read implements io.Reader.
func (r *reader) Read(b []byte) (int, error) {
	if r.s.lineage.slow && r.s.rng.IntN(slowReads) == 0 {
		sleep(r.ctx, time.Duration(r.s.rng.Int64N(int64(slowPause))))
	}
	if err := r.conn.SetReadDeadline(time.Now().Add(silenceMax)); err != nil {
		return 0, err
	}
	return r.conn.Read(b)
}

// sleep waits, but not longer than ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
