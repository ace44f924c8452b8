package bench

import (
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

// eventID is an ID as the server writes it, "a-b". It is ordered by a, then b.
type eventID struct{ a, b uint64 }

// parseID reads "a-b".
func parseID(p []byte) (eventID, bool) {
	for i, c := range p {
		if c == '-' {
			a, ok := decimal(p[:i])
			b, ok2 := decimal(p[i+1:])
			return eventID{a, b}, ok && ok2
		}
	}
	return eventID{}, false
}

func (d eventID) less(o eventID) bool { return d.a < o.a || d.a == o.a && d.b < o.b }

func (d eventID) String() string {
	return strconv.FormatUint(d.a, 10) + "-" + strconv.FormatUint(d.b, 10)
}
