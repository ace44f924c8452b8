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

// equalFold compares text without regard to case. b must be free of control bytes other than HTAB; lower must be lower
// case, of letters, digits, "-", "/" and ":", in all of which bit 0x20 is set.
func equalFold(b []byte, lower string) bool { return len(b) == len(lower) && sameFold(b, lower) }

// sameFold is equalFold for texts of one length.
func sameFold(b []byte, lower string) bool {
	n := len(b)
	if n != len(lower) {
		return false
	}
	if n >= 8 {
		for i := 0; i >= 0 && i < n-7; i += 8 {
			if load64(b, i)|word.fold != load64(lower, i) {
				return false
			}
		}
		return load64(b, n-8)|word.fold == load64(lower, n-8)
	}
	if n >= 4 {
		return load32(b, 0)|0x20202020 == load32(lower, 0) && load32(b, n-4)|0x20202020 == load32(lower, n-4)
	}
	for i := range n {
		if b[i]|0x20 != lower[i] {
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

// The loads are written byte by byte, as the compiler then sees from i >= 0 && i < len(b)-7 and the like that nothing
// needs a check, and makes one load of each.
func load64[T []byte | string](b T, i int) uint64 {
	return uint64(b[i]) | uint64(b[i+1])<<8 | uint64(b[i+2])<<16 | uint64(b[i+3])<<24 |
		uint64(b[i+4])<<32 | uint64(b[i+5])<<40 | uint64(b[i+6])<<48 | uint64(b[i+7])<<56
}

func load32[T []byte | string](b T, i int) uint32 {
	return uint32(b[i]) | uint32(b[i+1])<<8 | uint32(b[i+2])<<16 | uint32(b[i+3])<<24
}

func load16(b []byte, i int) uint16 { return uint16(b[i]) | uint16(b[i+1])<<8 }
