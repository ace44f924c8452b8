package httpparse

import "strconv"

const (
	// headBytesCeiling is the highest HeadBytesMax: offsets into a head are kept in 16 bits, which makes a field
	// eight bytes.
	headBytesCeiling = 1<<16 - 1
	// headersCeiling is the highest HeadersMax: the fields of a Request are one array inside it, so that a
	// Request is one piece of memory without pointers to chase.
	headersCeiling = 128
	// chunkSizeDigitsCeiling keeps a chunk size inside an int64.
	chunkSizeDigitsCeiling = 15
)

// Limits bounds what a client may make the parser read. It is read-only while a parser uses it, so one value may
// serve every connection. A value over its ceiling counts as the ceiling; [Limits.Check] tells at start.
type Limits struct {
	// HeadBytesMax, bytes, default 16 KiB: request line, fields and empty line together. Cookies and tokens of
	// real clients stay under 8 KiB; it is also what one dribbling connection can hold of our memory.
	HeadBytesMax int
	// TargetBytesMax, bytes, default 8 KiB: the request target. RFC 9112 §3 wants 8000 to be accepted.
	TargetBytesMax int
	// MethodBytesMax, bytes, default 24: the longest registered method has 17. It also bounds how long random
	// letters can pass for a method.
	MethodBytesMax int
	// HeadersMax, field lines, default 100: browsers behind two proxies send about 40.
	HeadersMax int
	// FieldNameBytesMax, bytes, default 128: the longest registered name has 47.
	FieldNameBytesMax int
	// FieldValueBytesMax, bytes, default 8 KiB: one field value with its trailing whitespace, so that a single
	// field cannot take the whole head.
	FieldValueBytesMax int
	// ChunkSizeDigitsMax, hexadecimal digits, default 8: chunks under 4 GiB, leading zeros counted.
	ChunkSizeDigitsMax int
	// ChunkExtBytesMax, bytes, default 256: all chunk extensions of one body together (RFC 9112 §7.1.1), as they
	// are read and dropped and would otherwise be work without an end.
	ChunkExtBytesMax int
	// TrailerBytesMax, bytes, default 2 KiB: the trailer section with its empty line; it is dropped too.
	TrailerBytesMax int
}

// DefaultLimits gives the documented defaults.
func DefaultLimits() Limits {
	return Limits{
		HeadBytesMax:       16 << 10,
		TargetBytesMax:     8 << 10,
		MethodBytesMax:     24,
		HeadersMax:         100,
		FieldNameBytesMax:  128,
		FieldValueBytesMax: 8 << 10,
		ChunkSizeDigitsMax: 8,
		ChunkExtBytesMax:   256,
		TrailerBytesMax:    2 << 10,
	}
}

// LimitError says which limit is impossible and what would be accepted.
type LimitError struct {
	Name          string // the field of Limits
	Got, Min, Max int
}

func (e *LimitError) Error() string {
	return "httpparse: " + e.Name + " is " + strconv.Itoa(e.Got) + "; " + strconv.Itoa(e.Min) + " to " +
		strconv.Itoa(e.Max) + " is accepted"
}

// Check gives a *LimitError for the first impossible value, else nil. The lowest head is
// "GET / HTTP/1.0" with its two line ends.
func (l *Limits) Check() error {
	for _, c := range [...]LimitError{
		{"HeadBytesMax", l.HeadBytesMax, 18, headBytesCeiling},
		{"TargetBytesMax", l.TargetBytesMax, 1, l.HeadBytesMax},
		{"MethodBytesMax", l.MethodBytesMax, 3, l.HeadBytesMax},
		{"HeadersMax", l.HeadersMax, 1, headersCeiling},
		{"FieldNameBytesMax", l.FieldNameBytesMax, 4, l.HeadBytesMax},
		{"FieldValueBytesMax", l.FieldValueBytesMax, 1, l.HeadBytesMax},
		{"ChunkSizeDigitsMax", l.ChunkSizeDigitsMax, 1, chunkSizeDigitsCeiling},
		{"ChunkExtBytesMax", l.ChunkExtBytesMax, 0, headBytesCeiling},
		{"TrailerBytesMax", l.TrailerBytesMax, 2, headBytesCeiling},
	} {
		if c.Got < c.Min || c.Got > c.Max {
			return &c
		}
	}
	return nil
}
