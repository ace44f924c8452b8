package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wire is a client that sends and reads bytes as they are.
type wire struct {
	*net.TCPConn
	t *testing.T
	r *bufio.Reader
}

func (n *node) dial() *wire {
	n.t.Helper()
	return dialTo(n.t, n.Addr().String())
}

func dialTo(t *testing.T, address string) *wire {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	w := &wire{TCPConn: c.(*net.TCPConn), t: t, r: bufio.NewReader(c)}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.TCPConn, text); err != nil {
		w.t.Fatalf("sending %.60q: %v", text, err)
	}
}

// reset closes without a FIN.
func (w *wire) reset() {
	_ = w.SetLinger(0)
	_ = w.Close()
}

// reply is an answer, read whole.
type reply struct {
	*http.Response
	body string
}

// answer reads the answer to a request of that method.
func (w *wire) answer(method string) reply {
	w.t.Helper()
	a, err := w.tryAnswer(method)
	if err != nil {
		w.t.Fatalf("reading an answer: %v", err)
	}
	return a
}

func (w *wire) tryAnswer(method string) (reply, error) {
	r, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(r.Body)
	return reply{r, string(body)}, err
}

// ends reads to the end: the server must send a FIN, not a reset, and nothing else.
func (w *wire) ends() {
	w.t.Helper()
	rest, err := io.ReadAll(w.r)
	if err != nil || len(rest) > 0 {
		w.t.Fatalf("the connection should just end; got %q, %v", rest, err)
	}
}

// gone waits until the server has closed, with a reset or without.
func (w *wire) gone() {
	w.t.Helper()
	if _, err := io.Copy(io.Discard, w.r); err != nil && strings.Contains(err.Error(), "timeout") {
		w.t.Fatalf("the connection is still open: %v", err)
	}
}

// alive makes sure that the connection serves another request.
func (w *wire) alive() {
	w.t.Helper()
	w.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n")
	if a := w.answer("GET"); a.StatusCode != 200 {
		w.t.Fatalf("the next request was answered %s", a.Status)
	}
}

// problem is the body of a refusal.
type problem struct {
	Type, Title, Code, Detail string
	Status                    int
}

// refused checks an answer against its row of the error table.
func (a reply) refused(t *testing.T, status int, code string) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil && a.body != "" {
		t.Fatalf("%s: the body is no JSON: %q", a.Status, a.body)
	}
	if a.StatusCode != status || p.Code != code || p.Status != status || p.Title == "" || p.Type == "" || p.Detail == "" {
		t.Fatalf("got %s with %+v; want %d %s", a.Status, p, status, code)
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%s: Content-Type is %q", code, got)
	}
	return p
}

// post makes the bytes of a publish.
func post(query, body string, fields ...string) string {
	return fmt.Sprintf("POST /publish?%s HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n%s\r\n%s", query, len(body), lines(fields), body)
}

// get makes the bytes of a request without a body.
func get(target string, fields ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: t\r\n" + lines(fields) + "\r\n"
}

func lines(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return strings.Join(fields, "\r\n") + "\r\n"
}

// publish publishes one event on a kept connection and gives its ID.
func (n *node) publish(query, body string, fields ...string) string {
	n.t.Helper()
	if n.pub == nil {
		n.pub = n.dial()
	}
	_ = n.pub.SetDeadline(time.Now().Add(patience))
	n.pub.send(post(query, body, fields...))
	a := n.pub.answer("POST")
	return idOf(n.t, a)
}

// idOf reads the answer to a publish.
func idOf(t *testing.T, a reply) string {
	t.Helper()
	var v struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.StatusCode != 200 || v.ID == "" {
		t.Fatalf("a publish was answered %s %q", a.Status, a.body)
	}
	return v.ID
}
