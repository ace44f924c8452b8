package sse

import (
	"cmp"
	"errors"
	"math"
	"strconv"
)

// IDBytesMax is the length of the longest ID: two numbers of 20 digits and the dash.
const IDBytesMax = 20 + 1 + 20

// ErrID says that a text is not an ID.
var ErrID = errors.New("sse: not an event ID of the form number-number")

// ID is the position of an event in the one order of its namespace. Clients treat its text as
// opaque. Major is the epoch (or the milliseconds of a Redis stream), Minor the number inside it.
// The zero ID comes before every event. A plain value: copy it freely.
type ID struct{ Major, Minor uint64 }

// ParseID reads the text of an ID: two decimal uint64 joined by a dash, without sign and
// without leading zeros, so that an ID has exactly one text. Any other text is ErrID. It does
// not allocate.
func ParseID[T ~string | ~[]byte](s T) (ID, error) {
	if len(s) > IDBytesMax {
		return ID{}, ErrID
	}
	major, n := parseNumber(s, 0)
	if n == 0 || n == len(s) || s[n] != '-' {
		return ID{}, ErrID
	}
	minor, end := parseNumber(s, n+1)
	if end == n+1 || end != len(s) {
		return ID{}, ErrID
	}
	return ID{Major: major, Minor: minor}, nil
}

// parseNumber reads the canonical decimal number at s[i:] and returns it with the index after
// it; the index is i when there is none.
func parseNumber[T ~string | ~[]byte](s T, i int) (uint64, int) {
	var v uint64
	at := i
	for ; at < len(s) && s[at] >= '0' && s[at] <= '9'; at++ {
		d := uint64(s[at] - '0')
		if v > (math.MaxUint64-d)/10 {
			return 0, i
		}
		v = v*10 + d
	}
	if at-i > 1 && s[i] == '0' {
		return 0, i
	}
	return v, at
}

// String is the text that ParseID reads back.
func (i ID) String() string {
	var b [IDBytesMax]byte
	return string(i.AppendTo(b[:0]))
}

// AppendTo appends the text of the ID, at most IDBytesMax bytes.
func (i ID) AppendTo(dst []byte) []byte {
	dst = strconv.AppendUint(dst, i.Major, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, i.Minor, 10)
}

// Compare is -1 when i comes before o, 0 when they are the same, +1 when it comes after.
func (i ID) Compare(o ID) int {
	if c := cmp.Compare(i.Major, o.Major); c != 0 {
		return c
	}
	return cmp.Compare(i.Minor, o.Minor)
}

// Less reports whether i comes before o.
func (i ID) Less(o ID) bool {
	return i.Major < o.Major || i.Major == o.Major && i.Minor < o.Minor
}

// IsZero reports whether i is the position before every event.
func (i ID) IsZero() bool { return i == ID{} }

// Next is the ID right after i. After the last number of an epoch comes the next epoch, so
// Next is always later than i, but for the very last ID of all, which stays itself.
func (i ID) Next() ID {
	switch {
	case i.Minor != math.MaxUint64:
		i.Minor++
	case i.Major != math.MaxUint64:
		i.Major, i.Minor = i.Major+1, 0
	}
	return i
}

// textBytes is the length of the ID's text.
func (i ID) textBytes() int { return digits(i.Major) + 1 + digits(i.Minor) }

// digits is the length of the decimal text of v.
func digits(v uint64) int {
	n := 1
	for v >= 10 {
		v /= 10
		n++
	}
	return n
}
