package httpparse

// MethodID is a registered method, for a switch instead of comparisons.
type MethodID uint8

// Methods of RFC 9110 §9.3 and RFC 5789. CONNECT never reaches a caller.
const (
	MethodOther MethodID = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodOptions
	MethodTrace
	MethodPatch
)

// Form is the form of the request target (RFC 9112 §3.2).
type Form uint8

// Authority-form belongs to CONNECT and is refused.
const (
	FormOrigin   Form = iota // /path?query
	FormAbsolute             // http://authority/path?query
	FormAsterisk             // *, for OPTIONS only
)

// Request is one request head. One goroutine at a time may use it; the zero value is ready, and it is meant to be
// reused. It is about 1.3 KB and holds its fields itself. Exported fields are good after Parse has consumed the
// head; byte slices alias the buffer given to that last call.
type Request struct {
	Method        []byte // as sent, case matters
	Path          []byte // never empty; as sent, escapes and all; "*" in asterisk-form; "/" where absolute-form has none
	Query         []byte // as sent, without the question mark; nil when there is none
	Host          []byte // the authority of absolute-form, else the Host field; nil only in HTTP/1.0
	ContentLength int64  // bytes; -1 when not sent
	MethodID      MethodID
	Form          Form
	Minor         uint8 // 0 or 1, of HTTP/1.x
	Chunked       bool  // the body is chunked; with neither this nor ContentLength > 0 there is no body
	KeepAlive     bool  // RFC 9112 §9.3: 1.1 unless close, 1.0 only with keep-alive
	// ExpectContinue is set by "Expect: 100-continue" in HTTP/1.1; HTTP/1.0 must not be answered with 100.
	ExpectContinue bool
	// ConnectionUpgrade is set by the Connection option "upgrade", without which Upgrade means nothing
	// (RFC 9110 §7.8).
	ConnectionUpgrade bool

	state      headState
	options    uint8     // of Connection, see semantics.go
	nfields    uint8     // used part of fields
	seen       int       // bytes judged by the call that gave ErrPartial; 0 when there is nothing to resume
	mark       int       // where the part of the request line in progress begins
	line       fieldLine // the field line in progress
	methodSpan span
	pathSpan   span
	querySpan  span            // 0: none
	hostSpan   span            // 0: none
	have       uint32          // a bit for each recognised field there is
	known      [fieldIDs]uint8 // number of its first line + 1; good where have says so
	fields     [headersCeiling]fieldSpans
	buf        []byte
	fault      Error
}

// span is a half-open range of offsets into the head, 16 bits each, in one word.
type span uint32

func spanOf(from, to int) span { return span(uint16(from)) | span(to)<<16 }

func (s span) from() int { return int(uint16(s)) }

func (s span) to() int { return int(s >> 16) }

func (s span) of(b []byte) []byte { return b[s.from():s.to():s.to()] }

type fieldSpans struct{ name, value span }

// begin forgets the last request but for its views, which finish and stop set. The array of fields is left as it is,
// nfields says what of it is in use.
func (r *Request) begin() {
	r.ContentLength = -1
	r.MethodID, r.Form, r.Minor, r.Chunked = MethodOther, FormOrigin, 0, false
	r.KeepAlive, r.ExpectContinue, r.ConnectionUpgrade = false, false, false
	r.state, r.options, r.nfields, r.line.state = headStart, 0, 0, lineStart
	r.have = 0
	r.seen, r.mark = 0, 0
	r.querySpan, r.hostSpan = 0, 0
}

// Len is the number of field lines.
func (r *Request) Len() int { return int(r.nfields) }

// Field gives field line i, 0 <= i < Len(), in the order sent; the name as sent, the value without whitespace
// around it. Anything but such an i gives nil.
func (r *Request) Field(i int) (name, value []byte) {
	if i < 0 || i >= int(r.nfields) || r.buf == nil {
		return nil, nil
	}
	f := &r.fields[i]
	return f.name.of(r.buf), f.value.of(r.buf)
}

// Known gives the value of the first line of a recognised field, in one look-up.
func (r *Request) Known(id FieldID) (value []byte, ok bool) {
	if id >= fieldIDs || r.have&(1<<id) == 0 || r.buf == nil {
		return nil, false
	}
	return r.fields[r.known[id]-1].value.of(r.buf), true
}

// Header gives the value of the first line of any field; the name's case does not matter. It walks the fields:
// use Known where the name is recognised.
func (r *Request) Header(name string) (value []byte, ok bool) {
	if r.buf == nil {
		return nil, false
	}
	for i := range r.fields[:r.nfields] {
		f := &r.fields[i]
		if f.name.to()-f.name.from() == len(name) && sameName(f.name.of(r.buf), name) {
			return f.value.of(r.buf), true
		}
	}
	return nil, false
}

// sameName compares two names of equal length without regard to case.
func sameName(a []byte, b string) bool {
	for i, c := range a {
		if lowerByte(c) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

// methodOf is case-sensitive, as methods are (RFC 9110 §9.1).
func methodOf(m []byte) (id MethodID, connect bool) {
	switch string(m) {
	case "GET":
		id = MethodGet
	case "HEAD":
		id = MethodHead
	case "POST":
		id = MethodPost
	case "PUT":
		id = MethodPut
	case "DELETE":
		id = MethodDelete
	case "OPTIONS":
		id = MethodOptions
	case "TRACE":
		id = MethodTrace
	case "PATCH":
		id = MethodPatch
	case "CONNECT":
		connect = true
	}
	return id, connect
}
