package sse

import "unicode/utf8"

// AppendJSON appends the envelope of an event, one JSON object on one line:
//
//	{"id":"1-2","topics":["a","b"],"event":"name","data":"…"}
//
// data is always a string and keeps its line breaks as they were published. event is absent
// where a text frame has no event line: for an empty name and for "message". Bytes that are not
// UTF-8 become U+FFFD.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"id":"`...)
	dst = e.ID.AppendTo(dst)
	dst = append(dst, `","topics":[`...)
	for i, t := range e.Topics {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, t)
	}
	dst = append(dst, ']')
	if name := wireName(e.Name); name != "" {
		dst = append(dst, `,"event":`...)
		dst = appendString(dst, name)
	}
	dst = append(dst, `,"data":`...)
	dst = appendString(dst, e.Data)
	return append(dst, '}')
}

// AppendJSONFrame appends the event as one block of a stream, with the envelope of AppendJSON
// as its data. The id and event lines are those of AppendFrame, so a listener for a named event
// is called in both formats. dst grows at most once.
func AppendJSONFrame(dst []byte, e *Event) []byte {
	name := wireName(e.Name)
	size := headBytes(e.ID, name) + len("data: \n\n") + jsonBytes(e, name)
	dst = appendHead(grow(dst, size), e.ID, name)
	dst = append(dst, "data: "...)
	dst = AppendJSON(dst, e)
	return append(dst, "\n\n"...)
}

// jsonBytes is the length of the envelope.
func jsonBytes(e *Event, name string) int {
	n := len(`{"id":"","topics":[],"data":""}`) + e.ID.textBytes() + stringBytes(e.Data)
	for i, t := range e.Topics {
		if i > 0 {
			n += len(`,`)
		}
		n += len(`""`) + stringBytes(t)
	}
	if name != "" {
		n += len(`,"event":""`) + stringBytes(name)
	}
	return n
}

const hexDigits = "0123456789abcdef"

// escapeBytes[c] is how many bytes an ASCII byte costs in a JSON string beyond its own one; 0
// when it stands for itself.
var escapeBytes = func() (t [utf8.RuneSelf]uint8) {
	for c := range ' ' {
		t[c] = uint8(len(`\u0000`) - 1)
	}
	for _, c := range "\"\\\n\r\t" {
		t[c] = uint8(len(`\n`) - 1)
	}
	return t
}()

// appendString appends s as a JSON string (RFC 8259, section 7). U+2028 and U+2029 are escaped
// too, since scripts older than ECMAScript 2019 end a line there.
func appendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if escapeBytes[c] != 0 {
				dst = append(dst, s[from:i]...)
				dst = appendEscape(dst, c)
				from = i + 1
			}
			i++
			continue
		}
		r, n := decodeRune(s, i)
		if (r == utf8.RuneError && n == 1) || r == '\u2028' || r == '\u2029' {
			dst = append(dst, s[from:i]...)
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			from = i + n
		}
		i += n
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendEscape appends an ASCII byte that can't stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// stringBytes is the length of what appendString writes between the quotes.
func stringBytes[T ~string | ~[]byte](s T) int {
	n := len(s)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			n += int(escapeBytes[c])
			i++
			continue
		}
		r, size := decodeRune(s, i)
		if (r == utf8.RuneError && size == 1) || r == '\u2028' || r == '\u2029' {
			n += len(`\u0000`) - size
		}
		i += size
	}
	return n
}

// decodeRune is utf8.DecodeRune at s[i:], for both kinds of text, without allocating.
func decodeRune[T ~string | ~[]byte](s T, i int) (rune, int) {
	var b [utf8.UTFMax]byte
	n := copy(b[:], s[i:min(i+utf8.UTFMax, len(s))])
	return utf8.DecodeRune(b[:n])
}
