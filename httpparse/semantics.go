package httpparse

import "math"

// Options of Connection that were seen, in Request.options.
const (
	optionClose = 1 << iota
	optionKeepAlive
	optionUpgrade
)

// addField takes the line just read into the request. It gives pass, or a refusal and its offset.
func (r *Request) addField(b []byte) (int, verdict) {
	l := &r.line
	from, to := l.valueAt, l.valueEnd
	for from < to && (b[to-1] == ' ' || b[to-1] == '\t') {
		to--
	}
	n := int(r.nfields)
	r.fields[n] = fieldSpans{spanOf(l.nameAt, l.nameEnd), spanOf(from, to)}
	r.nfields++
	if id := find(b[l.nameAt:l.nameEnd]).id; id != FieldOther {
		return r.note(b, n, id)
	}
	return 0, pass
}

// note takes the meaning of field n, which is recognised as id. It gives pass, or a refusal and its offset.
func (r *Request) note(b []byte, n int, id FieldID) (int, verdict) {
	f := &r.fields[n]
	if r.have&(1<<id) == 0 {
		r.known[id] = uint8(n + 1)
		r.have |= 1 << id
	} else if id >= FieldHost && id <= FieldSecWebSocketVersion {
		return f.name.from(), doubledField
	}
	at, from, to := f.name.from(), f.value.from(), f.value.to()
	switch id {
	case FieldHost:
		if !plainHost(b, from, to) {
			if off := hostFault(b, from, to); off >= 0 {
				return off, badHost
			}
		}
		if r.Form != FormAbsolute {
			r.hostSpan = spanOf(from, to)
		}
	case FieldContentLength:
		return r.contentLength(b, at, from, to)
	case FieldTransferEncoding:
		return r.transferEncoding(b, at, from, to)
	case FieldConnection:
		r.connection(b, from, to)
	case FieldExpect:
		if !equalFold(b[from:to], "100-continue") {
			return from, unknownExpectation
		}
		r.ExpectContinue = r.Minor == 1
	}
	return 0, pass
}

// contentLength reads 1*DIGIT (RFC 9110 §8.6); a list, even of equal numbers, is refused.
func (r *Request) contentLength(b []byte, at, from, to int) (int, verdict) {
	if r.Chunked {
		return at, lengthAndCoding
	}
	if from == to {
		return from, badContentLength
	}
	var n int64
	for i := from; i < to; i++ {
		if classOf[b[i]]&classDigit == 0 {
			return i, badContentLength
		}
		digit := int64(b[i] - '0')
		if n > (math.MaxInt64-digit)/10 {
			return i, badContentLength
		}
		n = n*10 + digit
	}
	r.ContentLength = n
	return 0, pass
}

// transferEncoding takes "chunked", once. Of the rest, what ends with a single chunked is a coding we do not
// speak (501), and what does not has no end that we could find (400, RFC 9112 §6.1 and §6.3).
func (r *Request) transferEncoding(b []byte, at, from, to int) (int, verdict) {
	switch {
	case r.Minor == 0:
		return at, codingInHTTP10
	case r.ContentLength >= 0:
		return at, lengthAndCoding
	case equalFold(b[from:to], "chunked"):
		r.Chunked = true
		return 0, pass
	}
	last := false // the element before is chunked
	for at := from; at <= to; {
		end := at
		for end < to && b[end] != ',' {
			end++
		}
		f, t := trimSpace(b, at, end)
		if f == t || last {
			return f, badTransferEncoding
		}
		last = equalFold(b[f:t], "chunked")
		at = end + 1
	}
	if !last {
		return from, badTransferEncoding
	}
	return from, unknownTransferCoding
}

// connection notes the options that matter here (RFC 9110 §7.6.1); others name hop-by-hop fields and are for
// proxies.
func (r *Request) connection(b []byte, from, to int) {
	if option := optionOf(b[from:to]); option != 0 {
		r.options |= option
		return
	}
	for at := from; at < to; {
		end := at
		for end < to && b[end] != ',' {
			end++
		}
		f, t := trimSpace(b, at, end)
		r.options |= optionOf(b[f:t])
		at = end + 1
	}
}

// optionOf gives the bit of an option, or 0.
func optionOf(name []byte) uint8 {
	switch {
	case equalFold(name, "close"):
		return optionClose
	case equalFold(name, "keep-alive"):
		return optionKeepAlive
	case equalFold(name, "upgrade"):
		return optionUpgrade
	}
	return 0
}
