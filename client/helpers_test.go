package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

var errRefused = errors.New("connection refused")

// wire is a network of pipes inside the process, so that a whole client and a whole net/http
// server live in one synctest bubble and wait on its clock alone.
type wire struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	dials  int
	refuse func(dial int) bool // nil: none
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.accept:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.mu.Lock()
	w.dials++
	no := w.refuse != nil && w.refuse(w.dials)
	w.mu.Unlock()
	if no {
		return nil, errRefused
	}
	mine, theirs := net.Pipe()
	select {
	case w.accept <- theirs:
		return mine, nil
	case <-w.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dialed is how many connections were tried.
func (w *wire) dialed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// serve starts a server with handler h and returns a client of it; both end with the test.
func serve(t *testing.T, h http.Handler, o Options) (*Client, *wire) {
	t.Helper()
	w := &wire{accept: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(w)
	}()
	transport := &http.Transport{DialContext: w.dial}
	o.HTTP = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	c, err := New("http://throng.test", o)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

// streamOf is a handler that answers every stream with the same text, and then hangs or ends.
func streamOf(text string, hang bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
		w.(http.Flusher).Flush()
		if hang {
			<-r.Context().Done()
		}
	}
}

// problemAnswer is a handler that answers with an RFC 9457 problem.
func problemAnswer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// listen starts a server on a TCP port of this machine, until the test ends.
func listen(t testing.TB, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}
