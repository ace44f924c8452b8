package bench

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// answer is one HTTP answer to a publish.
type answer struct {
	status int
	body   []byte // valid as long as the bytes it was read from
	sized  bool   // the head told the length
	last   bool   // the server closes the connection
}

var errReply = errors.New("bench: not the answer to a publish")

// replyHeadMax bounds the head of an answer, and its body, bytes.
const replyHeadMax = 16 << 10

// parseReply reads one answer. n is 0 while it is incomplete. For throng a 200 must carry
// {"id":"a-b"}. A loose dialect takes every 2xx for a 200, but for one whose body is an
// error in JSON, as Centrifugo has it: that becomes a 422.
func (d *dialect) parseReply(b []byte) (n int, a answer, err error) {
	if n, a, err = parseAnswer(b); err != nil || n == 0 {
		return 0, a, err
	}
	switch {
	case !d.loose && (!a.sized || a.status == 200 && !isPublishID(a.body)):
		return 0, a, fmt.Errorf("%w: %.300q", errReply, b[:n])
	case !d.loose || a.status/100 != 2:
	case bytes.HasPrefix(bytes.TrimSpace(a.body), []byte(`{"error"`)):
		a.status = 422
	default:
		a.status = 200
	}
	return n, a, nil
}

func isPublishID(body []byte) bool {
	id, ok := bytes.CutPrefix(body, []byte(`{"id":"`))
	id, _, ok2 := bytes.Cut(id, []byte(`"}`))
	_, ok3 := parseID(id)
	return ok && ok2 && ok3
}

// parseAnswer reads one answer, with a length or in chunks. One that tells neither ends
// with the connection: its body is not read.
func parseAnswer(b []byte) (n int, a answer, err error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 && len(b) <= replyHeadMax {
		return 0, a, nil
	}
	lower := bytes.ToLower(b[:max(head, 0)+2])
	if head < 0 || len(lower) < 12 || !bytes.HasPrefix(lower, []byte("http/1.")) {
		return 0, a, fmt.Errorf("%w: %.300q", errReply, b)
	}
	if a.status, err = strconv.Atoi(string(lower[9:12])); err != nil {
		return 0, a, fmt.Errorf("%w: %.300q", errReply, b[:head])
	}
	connection, _ := headerValue(lower, "connection")
	coding, chunked := headerValue(lower, "transfer-encoding")
	length, sized := headerValue(lower, "content-length")
	a.last = string(connection) == "close" || lower[7] == '0' && string(connection) != "keep-alive"
	n = head + 4
	switch {
	case chunked && string(coding) == "chunked":
		return chunkedBody(b, n, a)
	case sized:
		size, err := strconv.Atoi(string(length))
		if err != nil || size < 0 || size > replyHeadMax {
			return 0, a, fmt.Errorf("%w: %.300q", errReply, b[:head])
		}
		if len(b)-n < size {
			return 0, a, nil
		}
		a.sized, a.body = true, b[n:n+size]
		return n + size, a, nil
	case a.status == 204 || a.status == 304:
		a.sized = true
	default:
		a.last = true
	}
	return n, a, nil
}

// chunkedBody reads the body from b[at:], which it leaves as it is.
func chunkedBody(b []byte, at int, a answer) (int, answer, error) {
	c := chunks{state: chunkFirst}
	body := slices.Clone(b[at:])
	for n := range body { // byte by byte: what follows belongs to the next answer
		data, err := c.decode(body[n : n+1])
		a.body = append(a.body, data...)
		switch {
		case err == errEnded:
			return at + n + 1, a, nil
		case err != nil:
			return 0, a, fmt.Errorf("%w: %w", errReply, err)
		case n >= replyHeadMax:
			return 0, a, errReply
		}
	}
	return 0, a, nil
}
