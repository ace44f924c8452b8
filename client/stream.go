package client

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"throng/sse"
)

// stream is one connection of a subscription. It belongs to the goroutine that is in Next.
type stream struct {
	ctx     context.Context // of the request; its cause says why the stream was given up
	cancel  context.CancelCauseFunc
	call    context.Context // of the Next that waits now
	silence time.Duration
	timer   *time.Timer // cancels the request; runs only while the server is waited for
	body    io.ReadCloser
	decoder *sse.Decoder
}

// open asks for the stream and waits for the head of the answer. Every answer but a good one is
// an error; life ends the stream, call only the wait.
func (c *Client) open(life, call context.Context, q query, lastID string) (*stream, error) {
	t := &stream{call: call, silence: c.options.SilenceMax}
	t.ctx, t.cancel = context.WithCancelCause(life)
	t.timer = time.AfterFunc(t.silence, func() { t.cancel(errSilence) })
	r := (&http.Request{Method: http.MethodGet, URL: c.url("events", q), Header: c.header()}).WithContext(t.ctx)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Accept-Encoding", "identity") // a compressing proxy would hold events back
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	release := t.watch()
	answer, err := c.options.HTTP.Do(r)
	release()
	if err != nil {
		return nil, t.close(t.why(err))
	}
	t.body = answer.Body
	if answer.StatusCode != http.StatusOK {
		return nil, t.close(readError(answer, t))
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "text/event-stream" {
		return nil, t.close(fmt.Errorf("%w: the answer's Content-Type is %q", ErrProtocol, kind))
	}
	t.decoder = sse.NewDecoder(t, c.options.Limits)
	return t, nil
}

// watch cancels the request when the server stays silent or call ends, until release is called.
func (t *stream) watch() (release func()) {
	t.timer.Reset(t.silence)
	call := t.call
	stop := context.AfterFunc(call, func() { t.cancel(context.Cause(call)) })
	return func() {
		t.timer.Stop()
		stop()
	}
}

// Read waits for bytes of the body, for the decoder.
func (t *stream) Read(b []byte) (int, error) {
	release := t.watch()
	n, err := t.body.Read(b)
	release()
	if err != nil {
		err = t.why(err)
	}
	return n, err
}

// why is the reason behind an error of the transport.
func (t *stream) why(err error) error {
	if cause := context.Cause(t.ctx); cause != nil {
		return cause
	}
	return err
}

// close ends the connection and returns err.
func (t *stream) close(err error) error {
	t.timer.Stop()
	t.cancel(err)
	if t.body != nil {
		_ = t.body.Close() // the connection is given up: nothing to learn from it
	}
	return err
}
