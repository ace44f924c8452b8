package bench

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Wire is how a server is spoken to. An empty field takes the dialect's default.
//
// In paths and bodies the words {ns}, {topic}, {data} and {i} stand for the namespace,
// the topic, the event's data, and the number of the stream or of the event in its topic.
// What stands there otherwise is sent as it is; bytes that no URL may contain are
// percent-encoded in paths.
type Wire struct {
	// Dialect is "throng" or "sse". "throng" is the default and the strict one: a byte
	// that throng would not write is a fault. "sse" is any server of event streams
	// (WHATWG HTML, 9.2): IDs are opaque and need not be there, a stream is attached
	// with the head of its answer, answers may come in chunks, data may be wrapped.
	Dialect string `json:"dialect,omitempty"`
	// SubscribePath is the path of a stream, "/events?ns={ns}&topic={topic}" by default.
	SubscribePath string `json:"subscribePath,omitempty"`
	// PublishPath is the path of a publish, "/publish?ns={ns}&topic={topic}" by default.
	PublishPath string `json:"publishPath,omitempty"`
	// PublishMethod is POST by default.
	PublishMethod string `json:"publishMethod,omitempty"`
	// PublishBody is the body of a publish, "{data}" by default. Its words are escaped
	// as a form's when a header says Content-Type: application/x-www-form-urlencoded.
	PublishBody string `json:"publishBody,omitempty"`
	// Headers are sent with every request, "Name: value" each; Content-Type only with
	// those that have a body.
	Headers []string `json:"headers,omitempty"`
}

// Values of Wire.Dialect.
const (
	dialectThrong = "throng"
	dialectSSE    = "sse"
)

// throngWire is the wire of the zero Wire.
var throngWire = Wire{
	Dialect:       dialectThrong,
	SubscribePath: "/events?ns={ns}&topic={topic}",
	PublishPath:   "/publish?ns={ns}&topic={topic}",
	PublishMethod: http.MethodPost,
	PublishBody:   "{data}",
}

// dialect is a Wire in the form that makes requests.
type dialect struct {
	wire               Wire // that it was made from
	loose              bool // "sse"
	subscribe, publish pattern
	body               pattern
	method             string
	headers            string // with every request, each line ended
	contentType        string // with requests that have a body, ended
}

// throngDialect is what a target speaks that was told nothing else.
var throngDialect = func() *dialect {
	d, err := Wire{}.dialect()
	if err != nil {
		panic(err) // throngWire is wrong
	}
	return d
}()

// ownHeaders are those that the generators write themselves.
var ownHeaders = []string{"host", "content-length", "transfer-encoding", "connection", "last-event-id", "accept"}

// dialect checks a wire and makes it ready.
func (w Wire) dialect() (*dialect, error) {
	name := cmp.Or(w.Dialect, throngWire.Dialect)
	if name != dialectThrong && name != dialectSSE {
		return nil, fmt.Errorf("bench: dialect %q: want %s or %s", w.Dialect, dialectThrong, dialectSSE)
	}
	d := &dialect{wire: w, loose: name == dialectSSE, method: cmp.Or(w.PublishMethod, throngWire.PublishMethod)}
	if strings.ContainsFunc(d.method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return nil, fmt.Errorf("bench: publish method %q: want capital letters, such as POST", d.method)
	}
	form := false
	for _, h := range w.Headers {
		name, value, ok := strings.Cut(h, ":")
		key := strings.ToLower(strings.TrimSpace(name))
		switch {
		case !ok || key == "" || key != strings.ToLower(name) || strings.ContainsAny(h, "\r\n\x00"):
			return nil, fmt.Errorf("bench: header %q: want \"Name: value\" in one line", h)
		case slices.Contains(ownHeaders, key):
			return nil, fmt.Errorf("bench: header %q: the generators write %s themselves", h, name)
		case key == "content-type":
			form = strings.Contains(strings.ToLower(value), "application/x-www-form-urlencoded")
			d.contentType = h + "\r\n"
		default:
			d.headers += h + "\r\n"
		}
	}
	var err error
	if d.subscribe, err = pathPattern("subscribe path", cmp.Or(w.SubscribePath, throngWire.SubscribePath)); err != nil {
		return nil, err
	}
	if d.publish, err = pathPattern("publish path", cmp.Or(w.PublishPath, throngWire.PublishPath)); err != nil {
		return nil, err
	}
	escape := escapeNone
	if form {
		escape = escapeForm
	}
	d.body = parsePattern(cmp.Or(w.PublishBody, throngWire.PublishBody), escape)
	switch {
	case d.subscribe.has(wordData):
		return nil, fmt.Errorf("bench: subscribe path %q: {data} is known to publishes only", w.SubscribePath)
	case !d.body.has(wordData) && !d.publish.has(wordData):
		return nil, fmt.Errorf("bench: neither the publish body %q nor the publish path has a {data}", w.PublishBody)
	}
	return d, nil
}

// pathPattern checks the pattern of a path.
func pathPattern(what, text string) (pattern, error) {
	if !strings.HasPrefix(text, "/") || strings.ContainsAny(text, "\r\n\x00#") {
		return pattern{}, fmt.Errorf("bench: %s %q: want a path that begins with / and has no line end and no #", what, text)
	}
	p := parsePattern(text, escapeURL)
	for i := range p.parts {
		p.parts[i].text = string(appendEscaped(nil, p.parts[i].text, escapeURL))
	}
	return p, nil
}

// appendSubscribe writes the request of a stream, but for the end of its head.
func (d *dialect) appendSubscribe(dst []byte, prefix, host string, w words) []byte {
	dst = append(append(dst, "GET "...), prefix...)
	dst = d.subscribe.append(dst, w)
	dst = append(append(append(dst, " HTTP/1.1\r\nHost: "...), host...), "\r\nAccept: text/event-stream\r\n"...)
	return append(dst, d.headers...)
}

// appendPublish writes a publish with its body. scratch is used for the body; both are
// returned to be used again.
func (d *dialect) appendPublish(dst, scratch []byte, prefix, host string, w words) (request, body []byte) {
	body = d.body.append(scratch, w)
	dst = append(append(append(dst, d.method...), ' '), prefix...)
	dst = d.publish.append(dst, w)
	dst = append(append(append(dst, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	dst = append(append(dst, d.headers...), d.contentType...)
	dst = fmt.Appendf(dst, "Content-Length: %d\r\n\r\n", len(body))
	return append(dst, body...), body
}
