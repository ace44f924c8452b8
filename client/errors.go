package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"throng/sse"
)

// problemBytesMax limits how much of an error answer is read, in bytes; servers send some hundred.
const problemBytesMax = 64 << 10

// ErrClosed is what Next returns after Close.
var ErrClosed = errors.New("client: subscription closed")

// ErrProtocol says that what answers at the URL does not speak throng's protocol; trying again
// would not help.
var ErrProtocol = errors.New("client: not the protocol of a throng server")

// errSilence is why a connection is given up that has said nothing for SilenceMax.
var errSilence = errors.New("client: the server fell silent")

// errEnded is why a connection is over that was closed in good order.
var errEnded = errors.New("client: the server closed the stream")

// Error is an answer that is not a success: an RFC 9457 problem, as far as the server sent one.
type Error struct {
	Status     int           // HTTP status; 0 for one refused event of a batch whose answer has none
	Code       string        // the server's code for the reason; may be empty
	Detail     string        // for people; may be empty
	RetryAfter time.Duration // how long the server wants to be left alone; 0 when it didn't say
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("client: the server refused")
	if e.Status != 0 {
		fmt.Fprintf(&b, " with %d %s", e.Status, http.StatusText(e.Status))
	}
	for _, s := range []string{e.Code, e.Detail} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	return b.String()
}

// Temporary reports whether the same request may be answered otherwise later: 408, 425, 429 and
// every 5xx.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// problem is the body of an RFC 9457 answer.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Retry  uint64 `json:"retry_after"` // seconds
}

func (p problem) error() *Error {
	e := &Error{Status: p.Status, Code: p.Code, Detail: p.Detail, RetryAfter: asked(p.Retry)}
	if e.Detail == "" {
		e.Detail = p.Title
	}
	return e
}

// readError makes an Error of an answer. A body that is no problem document is not told: it
// would be some proxy's web page.
func readError(r *http.Response, body io.Reader) *Error {
	var p problem
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/problem+json" || kind == "application/json" {
		b, err := io.ReadAll(io.LimitReader(body, problemBytesMax))
		if err != nil || json.Unmarshal(b, &p) != nil {
			p = problem{}
		}
	}
	e := p.error()
	e.Status = r.StatusCode
	e.RetryAfter = max(e.RetryAfter, retryAfter(r.Header, time.Now()))
	return e
}

// asked is a wait that a server asks for.
func asked(seconds uint64) time.Duration {
	return time.Duration(min(seconds, uint64(askedWaitMax/time.Second))) * time.Second
}

// retryAfter reads the Retry-After field (RFC 9110, section 10.2.3): seconds, or a date, which is
// compared with the server's own clock where it tells it. 0 when there is none, or a wrong one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return asked(seconds)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), askedWaitMax)
}

// permanent reports whether a subscription must end with err instead of trying again.
func permanent(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return !e.Temporary()
	}
	return errors.Is(err, ErrProtocol) || errors.Is(err, sse.ErrLineTooLong) || errors.Is(err, sse.ErrEventTooLong)
}
