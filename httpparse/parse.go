package httpparse

import "encoding/binary"

// headState is where in a head the next byte belongs.
type headState uint8

const (
	headStart       headState = iota // nothing read
	headBlank                        // after the CR of an empty line before the request line
	headMethod                       // in the method
	headTargetFirst                  // at the first byte of the target
	headTarget                       // in the target
	headVersion                      // in the version
	headVersionCR                    // after the version
	headVersionLF                    // after the CR that follows
	headFields                       // in the field lines
)

// Parse reads one request head from the start of buf into r.
//
// It gives n > 0, the bytes of the whole head with its empty line, after which buf[n:] is the body or the next
// request; or ErrPartial, when all bytes are right and more are needed: call again with the same bytes and more
// behind them, in this or another buffer, and seen = len(buf) of this call; or an *Error, kept in r.
//
// seen is 0 for a new request. A resumed call scans only buf[seen:]; of what came before it looks at no more than
// the line that it completes, for its meaning. Any other value than the last partial call's length starts over,
// which costs time and nothing else. lim must be the same for one request. One goroutine at a time may use r.
func Parse(buf []byte, seen int, lim *Limits, r *Request) (n int, err error) {
	b := buf
	if len(b) > lim.HeadBytesMax || len(b) > headBytesCeiling {
		b = b[:max(0, min(lim.HeadBytesMax, headBytesCeiling))]
	}
	if seen == 0 || seen != r.seen || seen > len(b) {
		r.begin()
		seen = r.plainRequestLine(b, lim)
	}
	n, v := seen, pass
	if r.state != headFields {
		n, v = r.requestLine(b, seen, lim)
	}
	if v == pass {
		v = more
		if r.line.state == lineStart {
			n, v = r.plainLines(b, n, lim)
		}
		if v == more {
			n, v = r.fieldLines(b, n, lim)
		}
	}
	if v == pass {
		if r.Minor == 0 || r.have&(1<<FieldHost) != 0 {
			r.finish(b)
			return n, nil
		}
		n, v = n-2, missingHost
	}
	return 0, r.stop(b, n, v, lim)
}

// stop keeps what was read for the next call where more is needed, or the refusal v of b[n].
func (r *Request) stop(b []byte, n int, v verdict, lim *Limits) error {
	if r.buf != nil {
		r.Method, r.Path, r.Query, r.Host, r.buf = nil, nil, nil, nil, nil
	}
	if v == more {
		if len(b) < min(lim.HeadBytesMax, headBytesCeiling) {
			r.seen = len(b)
			return ErrPartial
		}
		v = headTooLarge
	}
	r.begin()
	return r.fault.set(v, n, b, 0, lim)
}

// finish turns offsets into views and settles what depends on the whole head.
func (r *Request) finish(b []byte) {
	method, path := r.methodSpan.of(b), r.pathSpan.of(b)
	var query, host []byte
	if r.querySpan != 0 {
		query = r.querySpan.of(b)
	}
	if r.hostSpan != 0 {
		host = r.hostSpan.of(b)
	}
	r.Method, r.Path, r.Query, r.Host, r.buf = method, path, query, host, b
	r.seen = 0
	r.ConnectionUpgrade = r.options&optionUpgrade != 0
	r.KeepAlive = r.options&optionClose == 0 && (r.Minor == 1 || r.options&optionKeepAlive != 0)
}

// requestLine reads on from b[i] to the end of the request line (RFC 9112 §3).
func (r *Request) requestLine(b []byte, i int, lim *Limits) (int, verdict) {
	var v verdict
	switch r.state {
	case headStart:
		if i == len(b) {
			return i, more
		}
		r.state = headMethod
		if b[i] == '\r' {
			r.state = headBlank
			i++
		}
		fallthrough
	case headBlank:
		if r.state == headBlank {
			if i == len(b) {
				return i, more
			}
			if b[i] != '\n' {
				return i - 1, bareCR
			}
			i++
			r.state = headMethod
		}
		r.mark = i
		fallthrough
	case headMethod:
		if i, v = r.method(b, i, lim); v != pass {
			return i, v
		}
		fallthrough
	case headTargetFirst:
		if i == len(b) {
			return i, more
		}
		if v = r.targetForm(b[i]); v != pass {
			return i, v
		}
		r.state = headTarget
		fallthrough
	case headTarget:
		if i, v = r.target(b, i, lim); v != pass {
			return i, v
		}
	}
	if i, v = r.version(b, i); v != pass {
		return i, v
	}
	if r.Form == FormAsterisk && r.MethodID != MethodOptions {
		return r.pathSpan.from(), badTarget
	}
	r.state = headFields
	return i, pass
}

// method reads on to the space after the method.
func (r *Request) method(b []byte, i int, lim *Limits) (int, verdict) {
	for i < len(b) && isToken(b[i]) {
		i++
	}
	if i-r.mark > lim.MethodBytesMax {
		return r.mark + lim.MethodBytesMax, methodTooLong
	}
	if i == len(b) {
		return i, more
	}
	if b[i] != ' ' || i == r.mark {
		switch {
		case b[i] == '\n':
			return i, bareLF
		case b[i] == 0x16 && i == 0: // the content type of a handshake record, RFC 8446 §5.1
			return i, tlsHello
		}
		return i, badMethod
	}
	id, connect := methodOf(b[r.mark:i])
	if connect {
		return r.mark, connectRefused
	}
	r.MethodID = id
	r.methodSpan = spanOf(r.mark, i)
	i++
	r.mark = i
	r.state = headTargetFirst
	return i, pass
}

// version reads on to the end of the line: HTTP/1.1 whole and in one step, or byte by byte.
func (r *Request) version(b []byte, i int) (int, verdict) {
	if i == r.mark && len(b)-i >= 10 && binary.LittleEndian.Uint64(b[i:]) == version11 &&
		binary.LittleEndian.Uint16(b[i+8:]) == crlf {
		r.Minor = 1
		return i + 10, pass
	}
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case r.state == headVersionLF:
			if c != '\n' {
				return i - 1, bareCR
			}
			return i + 1, pass
		case r.state == headVersionCR:
			switch c {
			case ' ':
				return i, extraSpace
			case '\n':
				return i, bareLF
			case '\r':
				r.state = headVersionLF
				continue
			}
			return i, badVersion
		}
		if v := versionByte(c, i-r.mark); v != pass {
			return i, v
		}
		if i-r.mark == 7 {
			switch {
			case b[i-2] != '1':
				return i - 2, versionUnsupported
			case c > '1':
				return i, versionUnsupported
			}
			r.Minor = c - '0'
			r.state = headVersionCR
		}
	}
	return i, more
}

// versionByte judges byte number at of "HTTP/d.d".
func versionByte(c byte, at int) verdict {
	const pattern = "HTTP/0.0"
	switch {
	case at == 5 || at == 7:
		if classOf[c]&classDigit != 0 {
			return pass
		}
	case c == pattern[at]:
		return pass
	}
	if at == 0 && c == ' ' {
		return extraSpace
	}
	return badVersion
}

// fieldLines reads on to the end of the head.
func (r *Request) fieldLines(b []byte, i int, lim *Limits) (int, verdict) {
	fieldsMax := min(lim.HeadersMax, headersCeiling)
	for {
		if int(r.nfields) >= fieldsMax && r.line.state == lineStart && i < len(b) && b[i] != '\r' {
			return i, tooManyFields
		}
		next, v := r.line.scan(b, i, lim)
		if v != pass {
			return next, v
		}
		if r.line.empty {
			return next, pass
		}
		if off, v := r.addField(b); v != pass {
			return off, v
		}
		if i, v = r.plainLines(b, next, lim); v != more {
			return i, v
		}
	}
}
