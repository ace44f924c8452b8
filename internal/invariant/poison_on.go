//go:build throngpoison

package invariant

import "bytes"

// Poisoning tells whether Poison does anything.
const Poisoning = true

// poisonByte occurs in no UTF-8 text, no HTTP head and no SSE field.
const poisonByte = 0xfe

// Poison overwrites b[:len(b)]. Call it with all of a buffer that goes back to its
// pool; bytes beyond len may belong to somebody else and are left alone.
func Poison(b []byte) {
	for i := range b {
		b[i] = poisonByte
	}
}

// Poisoned tells whether b holds nothing but poison; an empty b does not.
func Poisoned(b []byte) bool {
	return len(b) > 0 && bytes.Count(b, []byte{poisonByte}) == len(b)
}
