package server

import (
	"strconv"
	"sync/atomic"
	"time"
)

// answer is a response being put together. It is written with one call.
type answer struct {
	status      int
	contentType string
	body        []byte
	extra       []byte // more header lines, each with its CRLF
	close       bool
	head        bool // no body, as for HEAD
	minor       uint8
}

// append encodes the answer behind dst (RFC 9112, section 4).
func (a *answer) append(dst []byte, clock *dateLine) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.status), 10)
	dst = append(dst, ' ')
	dst = append(dst, statusText(a.status)...)
	dst = append(dst, "\r\n"...)
	dst = append(dst, clock.get()...)
	if a.contentType != "" {
		dst = append(dst, "Content-Type: "...)
		dst = append(dst, a.contentType...)
		dst = append(dst, "\r\n"...)
	}
	if a.status != 204 {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(a.body)), 10)
		dst = append(dst, "\r\n"...)
	}
	if a.close {
		dst = append(dst, "Connection: close\r\n"...)
	} else if a.minor == 0 {
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	dst = append(dst, a.extra...)
	dst = append(dst, "\r\n"...)
	if !a.head {
		dst = append(dst, a.body...)
	}
	return dst
}

// dateLine is the Date field (RFC 9110, section 6.6.1), made anew every second.
type dateLine struct{ line atomic.Pointer[[]byte] }

func (d *dateLine) set(now time.Time) {
	b := now.UTC().AppendFormat([]byte("Date: "), "Mon, 02 Jan 2006 15:04:05 GMT")
	b = append(b, "\r\n"...)
	d.line.Store(&b)
}

func (d *dateLine) get() []byte { return *d.line.Load() }
