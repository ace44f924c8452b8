package httpparse

import (
	"encoding/binary"
	"math/bits"
)

// Classes of bytes, one bit each in classOf.
const (
	classToken  = 1 << iota // tchar, RFC 9110 §5.6.2
	classValue              // field-content, SP and HTAB, RFC 9110 §5.5
	classTarget             // what a request target may hold, see doc.go
	classHost               // unreserved of a reg-name, RFC 3986 §3.2.2, without sub-delims
	classIPv6               // inside the brackets of an IP-literal, without IPvFuture and zones
	classDigit
	classHex
)

var classOf = classes()

func classes() (t [256]uint8) {
	mark := func(class uint8, set string) {
		for i := range len(set) {
			t[set[i]] |= class
		}
	}
	for c := range 256 {
		if c >= 0x20 && c != 0x7F || c == '\t' {
			t[c] |= classValue
		}
		if c > 0x20 && c < 0x7F && c != '#' {
			t[c] |= classTarget
		}
	}
	const digits, hexLetters = "0123456789", "abcdefABCDEF"
	const alnum = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	mark(classToken, alnum+"!#$%&'*+-.^_`|~")
	mark(classHost, alnum+"-._~")
	mark(classIPv6, digits+hexLetters+":.")
	mark(classDigit, digits)
	mark(classHex, digits+hexLetters)
	return t
}

func isToken(c byte) bool { return classOf[c]&classToken != 0 }

// Eight bytes at a time, x being a little-endian word: in (x - ones*n) &^ x the high bit of a byte is set where the
// byte is under n, in x + ones where it is 0x7F. Borrows and carries can mark bytes after a marked one wrongly, never
// the first, and the first is the one that is used.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// valueEnd gives the index of the first byte from i on that cannot be in a field value, or len(b).
func valueEnd(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		stop := ((x - ones*' ') | (x&^highs + ones)) &^ x & highs // under 0x20, or 0x7F
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && classOf[b[i]]&classValue != 0 {
		i++
	}
	return i
}

// targetEnd gives the index of the first byte from i on that cannot be in a request target, or len(b).
func targetEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		hash := x ^ ones*'#'
		if stop := ((x - ones*'!') | (x + ones) | x | ((hash - ones) &^ hash)) & highs; stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	for i < len(b) && classOf[b[i]]&classTarget != 0 {
		i++
	}
	return i
}

// equalFold compares ASCII text without regard to case; lower must be lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c-'A' <= 'Z'-'A' {
		c |= 0x20
	}
	return c
}

// trimSpace gives b[from:to] without SP and HTAB at its ends, as indices (OWS, RFC 9110 §5.6.3).
func trimSpace(b []byte, from, to int) (int, int) {
	for from < to && (b[from] == ' ' || b[from] == '\t') {
		from++
	}
	for from < to && (b[to-1] == ' ' || b[to-1] == '\t') {
		to--
	}
	return from, to
}
