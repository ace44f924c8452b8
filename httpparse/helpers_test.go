package httpparse

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// head is a request head by name.
type head struct{ name, head string }

// typicalRequests are heads as clients send them: hand-written tools, browsers, load generators, proxies. They are
// in a file since peers, a module of its own, parses them too.
var typicalRequests = readHeads("testdata/heads.txt")

// readHeads reads a file of heads, each behind a line "= name" and ended by an empty line, lines ended by LF.
func readHeads(file string) (heads []head) {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		name, lines, _ := strings.Cut(strings.TrimPrefix(block, "= "), "\n")
		heads = append(heads, head{name, strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n\r\n"})
	}
	return heads
}

// chunkedBody encodes payload in chunks of size bytes.
func chunkedBody(payload []byte, size int) []byte {
	var b []byte
	for len(payload) > 0 {
		n := min(size, len(payload))
		b = strconv.AppendInt(b, int64(n), 16)
		b = append(b, "\r\n"...)
		b = append(b, payload[:n]...)
		b = append(b, "\r\n"...)
		payload = payload[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// feedRequest parses input as a client would send it, step bytes more a call, each call with a buffer of its own,
// and gives a description of the request or the error.
func feedRequest(input []byte, lim *Limits, step int) (string, error) {
	var r Request
	seen := 0
	for {
		end := min(seen+max(step, 1), len(input))
		buf := make([]byte, end)
		copy(buf, input)
		n, err := Parse(buf, seen, lim, &r)
		switch {
		case errors.Is(err, ErrPartial) && end < len(input):
			seen = end
		case err != nil:
			return "", err
		default:
			return dumpRequest(n, buf, &r), nil
		}
	}
}

// dumpRequest writes a parsed head down, every view with its offsets in buf.
func dumpRequest(n int, buf []byte, r *Request) string {
	var b strings.Builder
	at := func(what string, view []byte) {
		if view != nil {
			fmt.Fprintf(&b, "%s %q%s\n", what, view, placeOf(view, buf))
		}
	}
	fmt.Fprintf(&b, "head %d, HTTP/1.%d, method %d, form %d", n, r.Minor, r.MethodID, r.Form)
	for _, f := range []struct {
		name string
		is   bool
	}{{"chunked", r.Chunked}, {"keep-alive", r.KeepAlive}, {"expect-continue", r.ExpectContinue}, {"upgrade", r.ConnectionUpgrade}} {
		if f.is {
			b.WriteString(", " + f.name)
		}
	}
	if r.ContentLength >= 0 {
		fmt.Fprintf(&b, ", length %d", r.ContentLength)
	}
	b.WriteByte('\n')
	at("method", r.Method)
	at("path", r.Path)
	at("query", r.Query)
	at("host", r.Host)
	for i := range r.Len() {
		name, value := r.Field(i)
		at(fmt.Sprintf("field %s:", name), value)
	}
	return b.String()
}

// placeOf gives the offsets of view in buf, "" for an empty one; it fails the words, not the test, when the view
// is a copy.
func placeOf(view, buf []byte) string {
	if len(view) == 0 {
		return ""
	}
	for i := range buf {
		if &buf[i] == &view[0] {
			return fmt.Sprintf(" [%d:%d]", i, i+len(view))
		}
	}
	return " NOT A VIEW"
}

// feedChunked decodes input in pieces of step bytes, each in a buffer of its own, and gives a description of the
// body or the error.
func feedChunked(input []byte, lim *Limits, step int) (string, error) {
	var c Chunked
	var body []byte
	total := 0
	for at := 0; at < len(input); {
		end := min(at+max(step, 1), len(input))
		src := append([]byte(nil), input[at:end]...)
		for len(src) > 0 {
			data, n, done, err := c.Decode(src, lim)
			if err != nil {
				return "", err
			}
			body = append(body, data...)
			total += n
			if done {
				return fmt.Sprintf("body %q, %d bytes of %d\n", body, total, len(input)), nil
			}
			if n == 0 {
				return "", errors.New("no progress")
			}
			src = src[n:]
		}
		at = end
	}
	return fmt.Sprintf("body so far %q, pending %d\n", body, c.Pending()), nil
}

// dumpQuery walks and unescapes a query.
func dumpQuery(query []byte) (string, error) {
	var b strings.Builder
	for len(query) > 0 {
		var key, value []byte
		key, value, query = NextParam(query)
		plain, err := AppendUnescaped(nil, value)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%q = %q", key, plain)
		if value == nil {
			b.WriteString(" (no value)")
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
