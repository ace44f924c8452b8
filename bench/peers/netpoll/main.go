// Command netpoll is a server to compare with: Server-Sent Events as one writes them with
// netpoll, each stream a netpoll connection for as long as it lasts. It shows what a
// stream costs when it stays there. Heads are parsed by throng's own parser, an event is
// encoded once, and nothing is tuned that netpoll leaves alone by default.
//
//	netpoll 127.0.0.1:PORT
//
// GET /events?ns=N&topic=T, POST /publish?ns=N&topic=T. A reader that does not take an
// event within writeTimeout is disconnected; until then it holds up that event.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"

	"throng/httpparse"
)

const (
	readTimeout  = 10 * time.Second // for the rest of a request
	writeTimeout = time.Second
	// eventBytesMax is the data of one event, bytes.
	eventBytesMax = 64 << 10
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: netpoll 127.0.0.1:PORT")
	}
	l, err := netpoll.CreateListener("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(l))
}

// serve answers requests until the listener fails.
func serve(l net.Listener) error {
	h := &hub{topics: make(map[string]*topic), limits: httpparse.DefaultLimits()}
	loop, err := netpoll.NewEventLoop(h.onRequest,
		netpoll.WithReadTimeout(readTimeout), netpoll.WithWriteTimeout(writeTimeout))
	if err != nil {
		return err
	}
	return loop.Serve(l)
}

var requests = sync.Pool{New: func() any { return new(httpparse.Request) }}

// onRequest deals with the requests that have come; netpoll calls it as long as there are
// bytes, once at a time a connection.
func (h *hub) onRequest(_ context.Context, c netpoll.Connection) error {
	q := requests.Get().(*httpparse.Request)
	defer requests.Put(q)
	for c.Reader().Len() > 0 {
		stream, err := h.next(c, q)
		if err != nil {
			return c.Close()
		}
		if stream {
			return nil
		}
	}
	return nil
}

// next reads one request and answers it; stream says that the connection is a stream now.
func (h *hub) next(c netpoll.Connection, q *httpparse.Request) (stream bool, err error) {
	in := c.Reader()
	head, err := h.head(in, q)
	if err != nil {
		return false, err
	}
	size := int(max(q.ContentLength, 0))
	if q.Chunked || q.ContentLength > eventBytesMax {
		return false, respond(c, "413 Content Too Large", "a body has a Content-Length of at most 65536")
	}
	key := keyOf(q.Query) // a copy: what is read next may move the head
	subscribe := q.MethodID == httpparse.MethodGet && string(q.Path) == "/events"
	publish := q.MethodID == httpparse.MethodPost && string(q.Path) == "/publish"
	if err := in.Skip(head); err != nil {
		return false, err
	}
	body, err := in.Next(size) // waits for it
	if err != nil {
		return false, err
	}
	switch {
	case subscribe:
		err = h.subscribe(key, c)
	case publish:
		id := h.publish(key, body)
		err = respond(c, "200 OK", `{"id":"1-`+strconv.FormatUint(id, 10)+`"}`)
	default:
		err = respond(c, "404 Not Found", "GET /events, POST /publish")
	}
	return subscribe, errors.Join(err, in.Release())
}

// head waits for a whole head and tells how long it is; it stays in the buffer.
func (h *hub) head(in netpoll.Reader, q *httpparse.Request) (int, error) {
	seen := 0
	for {
		p, err := in.Peek(max(in.Len(), seen+1))
		if err != nil {
			return 0, err
		}
		n, err := httpparse.Parse(p, seen, &h.limits, q)
		if err != httpparse.ErrPartial {
			return n, err
		}
		seen = len(p)
	}
}

// keyOf is the topic inside its namespace.
func keyOf(query []byte) string {
	var ns, topic []byte
	for len(query) > 0 {
		var key, value []byte
		key, value, query = httpparse.NextParam(query)
		switch string(key) {
		case "ns":
			ns, _ = httpparse.AppendUnescaped(nil, value)
		case "topic":
			topic, _ = httpparse.AppendUnescaped(nil, value)
		}
	}
	return string(ns) + " " + string(topic)
}

func respond(c netpoll.Connection, status, body string) error {
	w := c.Writer()
	if _, err := w.WriteString("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body); err != nil {
		return err
	}
	return w.Flush()
}
