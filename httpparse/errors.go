package httpparse

import (
	"bytes"
	"errors"
	"strconv"
)

// ErrPartial says that all bytes so far are right and more are needed.
var ErrPartial = errors.New("httpparse: the request is not whole yet; read more and call again")

// Error is a refusal. It lives inside the Request or Chunked that gave it (except from AppendUnescaped) and is
// good until the next call with that value; copy it to keep it.
type Error struct {
	Code   string // stable, snake_case, for problem documents and metrics
	Offset int    // bytes from the start of the head, of the chunked body, or of the escaped text
	Status int    // the HTTP status to answer with
	found  int    // the byte at Offset, the limit that was passed, the FieldID that came twice, or -1
	rule   verdict
}

// Error gives one line: code, offset, what was found, what is wrong, and what would be right.
func (e *Error) Error() string {
	b := make([]byte, 0, 160)
	b = append(b, e.Code...)
	b = append(b, " at byte "...)
	b = strconv.AppendInt(b, int64(e.Offset), 10)
	rule := &rules[e.rule]
	switch {
	case e.found < 0:
	case rule.limit != nil:
		b = append(b, " (the limit is "...)
		b = strconv.AppendInt(b, int64(e.found), 10)
		b = append(b, ')')
	case e.rule == doubledField:
		b = append(b, " ("...)
		b = append(b, FieldID(e.found).String()...)
		b = append(b, ')')
	case e.found > ' ' && e.found < 0x7F:
		b = append(b, " (found '"...)
		b = append(b, byte(e.found), '\'', ')')
	default:
		b = append(b, " (found 0x"...)
		b = append(b, hexDigits[e.found>>4], hexDigits[e.found&15], ')')
	}
	b = append(b, ": "...)
	b = append(b, rule.wrong...)
	b = append(b, "; "...)
	b = append(b, rule.right...)
	return string(b)
}

const hexDigits = "0123456789abcdef"

// set makes e the refusal v at offset off; b is what off points into, shifted by base.
func (e *Error) set(v verdict, off int, b []byte, base int, lim *Limits) *Error {
	rule := &rules[v]
	*e = Error{Code: rule.code, Offset: off, Status: rule.status, found: -1, rule: v}
	at := off - base
	switch {
	case rule.limit != nil:
		e.found = rule.limit(lim)
	case v == bareCR: // it may be gone with the piece before
		e.found = '\r'
	case v == doubledField:
		e.found = int(find(b[at : at+bytes.IndexByte(b[at:], ':')]).id)
	case at >= 0 && at < len(b):
		e.found = int(b[at])
	}
	return e
}

// verdict is what a scanner says of the bytes it was given.
type verdict uint8

const (
	more verdict = iota // all bytes are read and right, the text goes on
	pass                // what was asked for is there and right

	// From here on: refusals, the rows of the table below.
	tlsHello
	badMethod
	methodTooLong
	connectRefused
	extraSpace
	badTarget
	fragmentInTarget
	targetTooLong
	badVersion
	versionUnsupported
	bareCR
	bareLF
	obsFold
	emptyFieldName
	badFieldName
	spaceBeforeColon
	fieldNameTooLong
	badFieldValue
	fieldValueTooLong
	tooManyFields
	headTooLarge
	doubledField
	missingHost
	badHost
	badContentLength
	lengthAndCoding
	badTransferEncoding
	unknownTransferCoding
	codingInHTTP10
	unknownExpectation
	badChunkSize
	chunkSizeTooLong
	badChunkExt
	chunkExtTooLong
	badChunkEnd
	trailerTooLarge
	badEscape
	verdicts
)

// rule is one row of the table of refusals.
type rule struct {
	code   string
	status int
	wrong  string
	right  string
	limit  func(*Limits) int // which limit was passed; nil for a refusal of a byte or a meaning
}

// rules is the one home of codes, statuses and texts.
var rules = [verdicts]rule{
	tlsHello:              {"tls_hello", 400, "this is a TLS handshake, the port speaks plain HTTP", "use http:// or a TLS proxy in front", nil},
	badMethod:             {"bad_method", 400, "a request begins with its method", "send a token and one space, as in \"GET /\"", nil},
	methodTooLong:         {"method_too_long", 501, "no method is that long", "use a registered method", func(l *Limits) int { return l.MethodBytesMax }},
	connectRefused:        {"connect_refused", 501, "CONNECT asks for a tunnel, this is no proxy", "use GET, POST or OPTIONS", nil},
	extraSpace:            {"extra_space", 400, "the request line has a space too many", "put one space each between method, target and version", nil},
	badTarget:             {"bad_target", 400, "this cannot be in a request target", "use /path?query, http://host/path?query or, for OPTIONS, *, with other bytes percent-encoded", nil},
	fragmentInTarget:      {"fragment_in_target", 400, "a fragment is never sent", "send %23 for a #", nil},
	targetTooLong:         {"target_too_long", 414, "the request target is too long", "send a shorter path and query", func(l *Limits) int { return l.TargetBytesMax }},
	badVersion:            {"bad_version", 400, "the request line must end with the version", "send HTTP/1.1 and CRLF", nil},
	versionUnsupported:    {"version_unsupported", 505, "this HTTP version is not spoken here", "use HTTP/1.1 or HTTP/1.0", nil},
	bareCR:                {"bare_cr", 400, "CR without LF", "end lines with CRLF", nil},
	bareLF:                {"bare_lf", 400, "LF without CR", "end lines with CRLF", nil},
	obsFold:               {"obs_fold", 400, "a line begins with whitespace", "send a field on one line, folding is obsolete", nil},
	emptyFieldName:        {"empty_field_name", 400, "a field without a name", "send \"Name: value\"", nil},
	badFieldName:          {"bad_field_name", 400, "this cannot be in a field name", "field names are tokens, followed by a colon", nil},
	spaceBeforeColon:      {"space_before_colon", 400, "whitespace in or after a field name", "put the colon right after the name", nil},
	fieldNameTooLong:      {"field_name_too_long", 431, "a field name is too long", "send a shorter name", func(l *Limits) int { return l.FieldNameBytesMax }},
	badFieldValue:         {"bad_field_value", 400, "a control byte in a field value", "send visible text, spaces and tabs", nil},
	fieldValueTooLong:     {"field_value_too_long", 431, "a field value is too long", "send a shorter value", func(l *Limits) int { return l.FieldValueBytesMax }},
	tooManyFields:         {"too_many_fields", 431, "the head has too many fields", "send fewer fields", func(l *Limits) int { return min(l.HeadersMax, headersCeiling) }},
	headTooLarge:          {"head_too_large", 431, "the head is too large", "send fewer and shorter fields", func(l *Limits) int { return min(l.HeadBytesMax, headBytesCeiling) }},
	doubledField:          {"doubled_field", 400, "this field may come once only, even with the same value", "send it once", nil},
	missingHost:           {"missing_host", 400, "an HTTP/1.1 request has no Host", "send one Host field", nil},
	badHost:               {"bad_host", 400, "this is no host", "send name, name:port, 192.0.2.1 or [2001:db8::1]:port", nil},
	badContentLength:      {"bad_content_length", 400, "this is no Content-Length", "send one decimal number below 2^63, digits only", nil},
	lengthAndCoding:       {"length_and_coding", 400, "Content-Length and Transfer-Encoding contradict each other", "send only one of the two", nil},
	badTransferEncoding:   {"bad_transfer_encoding", 400, "the end of this body cannot be known", "send \"Transfer-Encoding: chunked\", once", nil},
	unknownTransferCoding: {"unknown_transfer_coding", 501, "this transfer coding is not spoken here", "send \"Transfer-Encoding: chunked\", alone", nil},
	codingInHTTP10:        {"coding_in_http10", 400, "HTTP/1.0 has no Transfer-Encoding", "send Content-Length or use HTTP/1.1", nil},
	unknownExpectation:    {"unknown_expectation", 417, "this expectation cannot be met", "send \"Expect: 100-continue\" or nothing", nil},
	badChunkSize:          {"bad_chunk_size", 400, "this cannot be in a chunk size", "send hexadecimal digits and CRLF", nil},
	chunkSizeTooLong:      {"chunk_size_too_long", 400, "a chunk size has too many digits", "send smaller chunks, without leading zeros", func(l *Limits) int { return min(l.ChunkSizeDigitsMax, chunkSizeDigitsCeiling) }},
	badChunkExt:           {"bad_chunk_ext", 400, "a control byte in a chunk extension", "send no extensions", nil},
	chunkExtTooLong:       {"chunk_ext_too_long", 400, "the chunk extensions of this body are too long", "send no extensions", func(l *Limits) int { return l.ChunkExtBytesMax }},
	badChunkEnd:           {"bad_chunk_end", 400, "a chunk is longer than its size says", "end its data with CRLF", nil},
	trailerTooLarge:       {"trailer_too_large", 431, "the trailer section is too large", "send no trailers", func(l *Limits) int { return l.TrailerBytesMax }},
	badEscape:             {"bad_escape", 400, "a % without two hexadecimal digits", "send %25 for a %", nil},
}
