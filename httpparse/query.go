package httpparse

import "bytes"

// NextParam cuts the first key=value off a query without its question mark. All three are views of query, still
// escaped; value is nil without an equals sign. Empty pairs, as in "a=1&&b=2", are skipped; only a query of
// nothing but ampersands gives an empty pair. Walk a query with
//
//	for len(query) > 0 {
//		key, value, query = NextParam(query)
//	}
func NextParam(query []byte) (key, value, rest []byte) {
	query = skipAmpersands(query)
	if end := bytes.IndexByte(query, '&'); end >= 0 {
		query, rest = query[:end:end], skipAmpersands(query[end:])
	}
	if eq := bytes.IndexByte(query, '='); eq >= 0 {
		return query[:eq:eq], query[eq+1:], rest
	}
	return query, nil, rest
}

func skipAmpersands(q []byte) []byte {
	for len(q) > 0 && q[0] == '&' {
		q = q[1:]
	}
	return q
}

// AppendUnescaped appends src to dst with %XX decoded to bytes (RFC 3986 §2.1) and everything else as it is: +
// stays a plus. It decodes any byte, NUL and line ends too; what may be in the result is the caller's to judge.
// A percent sign without two hexadecimal digits gives dst as it was and an *Error of its own, with the offset of
// the percent sign in src. dst may be src[:0], as the result is never longer.
func AppendUnescaped(dst, src []byte) ([]byte, error) {
	kept := len(dst)
	for at := 0; ; {
		p := bytes.IndexByte(src[at:], '%')
		if p < 0 {
			return append(dst, src[at:]...), nil
		}
		dst = append(dst, src[at:at+p]...)
		at += p
		if len(src)-at < 3 {
			return dst[:kept], new(Error).set(badEscape, at, src, 0, nil)
		}
		high, ok1 := unhex(src[at+1])
		low, ok2 := unhex(src[at+2])
		if !ok1 || !ok2 {
			return dst[:kept], new(Error).set(badEscape, at, src, 0, nil)
		}
		dst = append(dst, high<<4|low)
		at += 3
	}
}

// unhex gives the value of a hexadecimal digit.
func unhex(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case lowerByte(c)-'a' <= 5:
		return lowerByte(c) - 'a' + 10, true
	}
	return 0, false
}
