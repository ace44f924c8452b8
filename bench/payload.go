package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// payload is what every published event carries as data, so that a reader can tell on
// its own whether the event is its own, the next one, and how late it is:
//
//	TTTTTTTTTTTTTTTT SSSSSSSSSS DDDDDDDDDDDDDDDD xxxxxx…
//	token (hex)      sequence   due time, ns     padding
type payload struct {
	token uint64 // names the topic
	seq   uint64 // 1, 2, 3, … inside the token, below 10^10
	due   int64  // when the event was due, nanoseconds since the swarm's epoch, below 10^16
}

const (
	tokenDigits = 16
	seqDigits   = 10
	dueDigits   = 16

	seqAt = tokenDigits + 1
	dueAt = seqAt + seqDigits + 1

	// payloadBytesMin is the payload without padding.
	payloadBytesMin = dueAt + dueDigits
)

var errPayload = errors.New("bench: data is no payload of ours")

// appendPayload writes the payload, padded to size bytes.
func appendPayload(dst []byte, p payload, size int) []byte {
	dst = fmt.Appendf(dst, "%016x %010d %016d", p.token, p.seq, p.due)
	for n := payloadBytesMin; n < size; n++ {
		dst = append(dst, paddingByte(n))
	}
	return dst
}

// paddingByte is a space after the last digit, then x to the end.
func paddingByte(at int) byte {
	if at == payloadBytesMin {
		return ' '
	}
	return 'x'
}

// parsePayload checks every byte: a foreign byte anywhere is errPayload.
func parsePayload(b []byte) (payload, error) {
	var p payload
	if len(b) < payloadBytesMin || b[tokenDigits] != ' ' || b[dueAt-1] != ' ' {
		return p, errPayload
	}
	for _, c := range b[:tokenDigits] {
		v, ok := hexDigit(c)
		if !ok {
			return p, errPayload
		}
		p.token = p.token<<4 | uint64(v)
	}
	seq, ok := decimal(b[seqAt : seqAt+seqDigits])
	due, ok2 := decimal(b[dueAt:payloadBytesMin])
	if !ok || !ok2 {
		return p, errPayload
	}
	for i := payloadBytesMin; i < len(b); i++ {
		if b[i] != paddingByte(i) {
			return p, errPayload
		}
	}
	p.seq, p.due = seq, int64(due)
	return p, nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// decimal reads digits only, at most 19 of them.
func decimal(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// findPayload finds the first payload in data that may be wrapped, say in JSON: from its
// token to the end of its padding. rest is what follows it. found is false when there is
// none: a ping, a greeting. A payload that runs on into something else is errPayload.
func findPayload(data []byte) (p payload, rest []byte, found bool, err error) {
	for from := 0; ; {
		space := bytes.IndexByte(data[from:], ' ')
		if space < 0 {
			return p, nil, false, nil
		}
		start := from + space - tokenDigits
		from += space + 1
		if start < 0 || len(data)-start < payloadBytesMin {
			continue
		}
		if p, err = parsePayload(data[start : start+payloadBytesMin]); err != nil {
			continue
		}
		end := start + payloadBytesMin
		for end < len(data) && data[end] == paddingByte(end-start) {
			end++
		}
		if start > 0 && !wraps(data[start-1]) || end < len(data) && !wraps(data[end]) {
			return p, nil, false, errPayload
		}
		return p, data[end:], true, nil
	}
}

// wraps says whether a byte may stand beside a payload: a quote, a bracket and the like.
func wraps(c byte) bool {
	return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
}

// eventID is an ID as throng writes it, "a-b", ordered by a, then b; or an opaque one,
// which has no order.
type eventID struct {
	a, b   uint64
	opaque *[]byte // nil: "a-b"
}

// parseID reads "a-b".
func parseID(p []byte) (eventID, bool) {
	for i, c := range p {
		if c == '-' {
			a, ok := decimal(p[:i])
			b, ok2 := decimal(p[i+1:])
			return eventID{a: a, b: b}, ok && ok2
		}
	}
	return eventID{}, false
}

func (d eventID) less(o eventID) bool { return d.a < o.a || d.a == o.a && d.b < o.b }

// setOpaque keeps a copy of an opaque ID, in the memory of the one before.
func (d *eventID) setOpaque(id []byte) {
	if d.opaque == nil {
		d.opaque = new([]byte)
	}
	*d.opaque = append((*d.opaque)[:0], id...)
}

// String is what a client sends as Last-Event-ID.
func (d eventID) String() string {
	if d.opaque != nil {
		return string(*d.opaque)
	}
	return strconv.FormatUint(d.a, 10) + "-" + strconv.FormatUint(d.b, 10)
}
