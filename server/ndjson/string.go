package ndjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Eight bytes at a time, x being a little-endian word: in (x - ones*n) &^ x the high bit
// of a byte is set where the byte is under n. Borrows can mark bytes after a marked one
// wrongly, never the first, and the first is the one that is used.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// under marks the bytes of x that are less than n, n being at most 0x80.
func under(x uint64, n uint64) uint64 { return (x - ones*n) &^ x }

// run is the index of the first byte from i on that does not stand for itself in a
// string: a quote, a backslash, a control character; or len(b). ascii says whether all
// bytes before it are below 0x80.
func run(b []byte, i int) (end int, ascii bool) {
	var high uint64
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		special := (under(x^ones*'"', 1) | under(x^ones*'\\', 1) | under(x, ' ')) & highs
		if special != 0 {
			bit := bits.TrailingZeros64(special)
			high |= x & (1<<bit - 1)
			return i + bit/8, high&highs == 0
		}
		high |= x
	}
	for ; i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' '; i++ {
		high |= uint64(b[i])
	}
	return i, high&highs == 0
}

// string reads the string at b[i:], and gives the text it stands for and the index behind
// it. It is false for what is no string, and for one whose text is not valid UTF-8.
func (l *Line) string(b []byte, i int) (text []byte, end int, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return nil, i, false
	}
	i++
	end, ascii := run(b, i)
	if end == len(b) || !ascii && !utf8.Valid(b[i:end]) {
		return nil, end, false
	}
	if b[end] == '"' {
		return b[i:end:end], end + 1, true
	}
	from := len(l.text)
	for {
		l.text = append(l.text, b[i:end]...)
		if end == len(b) || !ascii && !utf8.Valid(b[i:end]) {
			return nil, end, false
		}
		if b[end] == '"' {
			return l.text[from:len(l.text):len(l.text)], end + 1, true
		}
		if i, ok = l.escape(b, end); !ok {
			return nil, i, false
		}
		end, ascii = run(b, i)
	}
}

// plainEscapes are what the letter behind a backslash stands for; 0: not a letter of these.
var plainEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what the escape at b[i:] stands for, and gives the index behind it. It
// is false for what is no escape, and for half of a surrogate pair.
func (l *Line) escape(b []byte, i int) (end int, ok bool) {
	if b[i] != '\\' || i+1 >= len(b) {
		return i, false
	}
	if c := plainEscapes[b[i+1]]; c != 0 {
		l.text = append(l.text, c)
		return i + 2, true
	}
	r, ok := unicodeEscape(b, i)
	if !ok {
		return i, false
	}
	i += unicodeEscapeBytes
	if utf16.IsSurrogate(r) {
		low, ok := unicodeEscape(b, i)
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return i, false
		}
		i += unicodeEscapeBytes
	}
	l.text = utf8.AppendRune(l.text, r)
	return i, true
}

const unicodeEscapeBytes = len(`\u0000`)

// unicodeEscape reads the \uXXXX at b[i:].
func unicodeEscape(b []byte, i int) (r rune, ok bool) {
	if len(b)-i < unicodeEscapeBytes || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	for _, c := range b[i+2 : i+unicodeEscapeBytes] {
		digit := hexDigits[c]
		if digit == 0 {
			return 0, false
		}
		r = r<<4 | rune(digit-1)
	}
	return r, true
}

// hexDigits are the values of hexadecimal digits and 1; 0: not a digit.
var hexDigits = func() (t [256]uint8) {
	for i, c := range []byte("0123456789abcdef") {
		t[c] = uint8(i + 1)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = uint8(i + 11)
	}
	return t
}()
