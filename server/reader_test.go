package server_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stream is a subscriber that reads block by block.
type stream struct {
	*wire
	head  *http.Response
	retry int
	at    string // the ID of the first block
	gap   *event // the gap that came first, if one did
}

// event is what a block says.
type event struct{ id, name, data string }

// subscribe opens a stream and reads its head and its first two blocks.
func (n *node) subscribe(query string, fields ...string) *stream {
	n.t.Helper()
	w := n.dial()
	w.send(get("/events?"+query, fields...))
	return w.stream()
}

// stream reads the beginning of a stream.
func (w *wire) stream() *stream {
	w.t.Helper()
	head, err := http.ReadResponse(w.r, &http.Request{Method: "GET"})
	if err != nil {
		w.t.Fatalf("reading a stream's head: %v", err)
	}
	if head.StatusCode != 200 {
		body := make([]byte, max(head.ContentLength, 0))
		_, _ = head.Body.Read(body)
		w.t.Fatalf("a stream was refused: %s %s", head.Status, body)
	}
	s := &stream{wire: w, head: head}
	retry, ok := strings.CutPrefix(s.block(), "retry: ")
	if s.retry, err = strconv.Atoi(retry); err != nil || !ok {
		w.t.Fatalf("the first block is %q, not a retry", retry)
	}
	first := parseBlock(w.t, s.block())
	s.at = first.id
	if first.name != "" {
		s.gap = &first
	} else if first.data != "" || first.id == "" {
		w.t.Fatalf("the second block should have an ID only: %+v", first)
	}
	return s
}

// block reads up to an empty line, which is cut off.
func (s *stream) block() string {
	s.t.Helper()
	b, err := s.tryBlock()
	if err != nil {
		s.t.Fatalf("after %.200q of a block: %v", b, err)
	}
	return b
}

func (s *stream) tryBlock() (string, error) {
	var b strings.Builder
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return b.String() + line, err
		}
		if line == "\n" {
			return strings.TrimSuffix(b.String(), "\n"), nil
		}
		b.WriteString(line)
	}
}

// parseBlock reads the fields of a block, and nothing that should not be there.
func parseBlock(t *testing.T, block string) event {
	t.Helper()
	var e event
	var data []string
	for line := range strings.SplitSeq(block, "\n") {
		switch field, value, _ := strings.Cut(line, ": "); field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		default:
			t.Fatalf("a line of no known field: %q in %q", line, block)
		}
	}
	e.data = strings.Join(data, "\n")
	return e
}

// next reads the next event; heartbeats are passed over.
func (s *stream) next() event {
	s.t.Helper()
	for {
		b := s.block()
		if b == ":" || strings.HasPrefix(b, "id: ") && !strings.Contains(b, "\n") {
			continue
		}
		return parseBlock(s.t, b)
	}
}

// takes reads events and compares their data.
func (s *stream) takes(data ...string) {
	s.t.Helper()
	for i, want := range data {
		if got := s.next(); got.data != want {
			s.t.Fatalf("event %d of %d is %+v, want data %q", i+1, len(data), got, want)
		}
	}
}

// silent makes sure that nothing else is on its way: the mark, published last, is next.
func (n *node) silent(query string, ss ...*stream) {
	n.t.Helper()
	id := n.publish(query, "the mark")
	for _, s := range ss {
		if e := s.next(); e.id != id {
			n.t.Fatalf("%+v came before the mark %s", e, id)
		}
	}
}

// toldGap gives the gap that a stream begins with. A store that has to be asked first, as
// Redis, has it told behind the block that names the point of attachment.
func (s *stream) toldGap() *event {
	s.t.Helper()
	if s.gap == nil && stores.redis != nil {
		e := s.next()
		s.gap = &e
	}
	return s.gap
}

// requested reads the data of a gap.
func (e *event) requested(t *testing.T) (requested, earliest string) {
	t.Helper()
	var v struct{ Requested, Earliest string }
	if e == nil || e.name != "throng.gap" || e.id == "" {
		t.Fatalf("%+v is no gap", e)
	}
	if err := json.Unmarshal([]byte(e.data), &v); err != nil {
		t.Fatalf("the gap's data is %q: %v", e.data, err)
	}
	return v.Requested, v.Earliest
}

// extend gives a long test new time on its connection.
func (w *wire) extend() { _ = w.SetDeadline(time.Now().Add(patience)) }
