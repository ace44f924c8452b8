package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"
)

// resultBytesMax limits the answer to one published event, in bytes: an ID or a short reason.
const resultBytesMax = 4 << 10

// PublishRequest is one event to publish.
type PublishRequest struct {
	Namespace string   // empty: the server's default
	Topics    []string // at least one, without wildcards
	Name      string   // event name; may be empty
	Data      []byte   // UTF-8
	// Priority matters only while the server has no room, where events are shed by it.
	Priority Priority
	// IdempotencyKey makes it safe to publish again after an error that leaves open whether
	// the event was stored: within the server's window, the same key publishes once.
	IdempotencyKey string
}

// Priority says which events a server without room refuses first.
type Priority string

// The priorities; an event without one has PriorityNormal.
const (
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
)

// A Receipt says that the server has taken an event.
type Receipt struct {
	ID string // of the event, once the server's log has it
	// Spooled is a number instead of an ID: the server's log is away, and the event waits on
	// the server's disk to be stored when it is back, in order and once.
	Spooled string
}

// Publish publishes one event; the server's log has it when the receipt has an ID. It tries once.
// The error is an *Error when the server refused; any other one leaves open whether the event
// was stored.
func (c *Client) Publish(ctx context.Context, p PublishRequest) (Receipt, error) {
	var q query
	q.add("topic", p.Topics...)
	q.optional("ns", p.Namespace)
	q.optional("event", p.Name)
	q.optional("priority", string(p.Priority))
	header := c.header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	if p.IdempotencyKey != "" {
		header.Set("Idempotency-Key", p.IdempotencyKey)
	}
	answer, err := c.post(ctx, q, header, p.Data)
	if err != nil {
		return Receipt{}, err
	}
	defer finish(answer)
	r, err := readResult(json.NewDecoder(io.LimitReader(answer, resultBytesMax)))
	if err != nil {
		return Receipt{}, err
	}
	return r.Receipt, r.Err
}

// Result is what became of one event of a batch.
type Result struct {
	Receipt       // when it was taken
	Err     error // an *Error when it was not
}

// PublishBatch publishes events in their order, into one namespace (empty: the server's default),
// with one request. It returns a result for each. The error is about the request as a whole: an
// *Error when the server refused it, otherwise the events beyond the results returned may or may
// not have been stored. The namespace of a single event must be empty or the same.
func (c *Client) PublishBatch(ctx context.Context, namespace string, events []PublishRequest) ([]Result, error) {
	if len(events) == 0 {
		return nil, nil
	}
	body, err := encodeBatch(namespace, events)
	if err != nil {
		return nil, err
	}
	var q query
	q.optional("ns", namespace)
	header := c.header()
	header.Set("Content-Type", "application/x-ndjson")
	answer, err := c.post(ctx, q, header, body)
	if err != nil {
		return nil, err
	}
	defer finish(answer)
	results := make([]Result, 0, len(events))
	lines := json.NewDecoder(io.LimitReader(answer, resultBytesMax*int64(len(events))))
	for range events {
		r, err := readResult(lines)
		if err != nil {
			return results, fmt.Errorf("result %d of %d: %w", len(results)+1, len(events), err)
		}
		results = append(results, r)
	}
	return results, nil
}

// encodeBatch is the NDJSON body of a batch. JSON can't carry bytes that are not UTF-8, and
// changing them silently would publish something else.
func encodeBatch(namespace string, events []PublishRequest) ([]byte, error) {
	type line struct {
		Topics   []string `json:"topics"`
		Event    string   `json:"event,omitempty"`
		Data     string   `json:"data"`
		Key      string   `json:"key,omitempty"`
		Priority Priority `json:"priority,omitempty"`
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for i, e := range events {
		if e.Namespace != "" && e.Namespace != namespace {
			return nil, fmt.Errorf("client: event %d of the batch is for namespace %q, the batch for %q", i, e.Namespace, namespace)
		}
		if !utf8.Valid(e.Data) {
			return nil, fmt.Errorf("client: the data of event %d of the batch is not UTF-8", i)
		}
		if err := lines.Encode(line{Topics: e.Topics, Event: e.Name, Data: string(e.Data), Key: e.IdempotencyKey, Priority: e.Priority}); err != nil {
			return nil, fmt.Errorf("client: event %d of the batch: %w", i, err)
		}
	}
	return b.Bytes(), nil
}

// post sends a publish request and returns the body of the good answer.
func (c *Client) post(ctx context.Context, q query, header http.Header, body []byte) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url("publish", q).String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	r.Header = header
	answer, err := c.options.HTTP.Do(r)
	if err != nil {
		return nil, fmt.Errorf("client: publish: %w", err)
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusAccepted {
		defer finish(answer.Body)
		return nil, readError(answer, answer.Body)
	}
	return answer.Body, nil
}

// finish reads what is left of a short answer, so that its connection can be used again.
func finish(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, problemBytesMax) // a body that fails here closes its connection
	_ = body.Close()
}

// readResult reads {"id":…}, {"spooled":…} or {"error":…}; the error is a text or a problem.
func readResult(d *json.Decoder) (Result, error) {
	var v struct {
		ID      string          `json:"id"`
		Spooled string          `json:"spooled"`
		Error   json.RawMessage `json:"error"`
	}
	if err := d.Decode(&v); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Result{}, fmt.Errorf("client: the answer to a publish: %w", err)
	}
	if v.ID != "" || v.Spooled != "" {
		return Result{Receipt: Receipt{ID: v.ID, Spooled: v.Spooled}}, nil
	}
	var p problem
	if json.Unmarshal(v.Error, &p.Detail) != nil && json.Unmarshal(v.Error, &p) != nil {
		return Result{}, fmt.Errorf("%w: the answer to a publish has neither id nor spooled nor error", ErrProtocol)
	}
	return Result{Err: p.error()}, nil
}
