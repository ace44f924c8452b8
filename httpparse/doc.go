// Package httpparse is a strict HTTP/1.1 request grammar: bytes in, views out (RFC 9110, RFC 9112).
//
// [Parse] reads a request head, [Chunked] a chunked body, [NextParam] and [AppendUnescaped] a query. The package
// does no I/O, starts nothing, allocates nothing while it parses, and never copies: every view aliases the
// caller's buffer and is good for as long as those bytes stay where they are.
//
// # Incremental
//
// A head may come in pieces. Parse keeps, inside [Request], the state it stopped in and offsets instead of
// slices, so the buffer may grow and move between calls, and the next call goes on with the first new byte. A
// byte is judged when it arrives: a TLS hello, a control byte or a head over a limit is refused at once, not
// after the empty line. A head fed whole and the same head fed byte by byte give the same request or the same
// error at the same offset; the fuzz tests hold that. Lines that are whole and plain are read by words of eight
// bytes (plain.go), all else by the state machine, which looks once more at a line that was not plain.
//
// # Strict where leniency is how requests are smuggled
//
// Two parsers that disagree about where a request ends let one client's bytes become another client's request.
// So this one refuses instead of repairing: bare CR or LF, folded lines, whitespace before a colon, control
// bytes and NUL anywhere, names that are not tokens, a Content-Length that is not one plain decimal number, the
// same singleton field twice even with equal values, Content-Length beside Transfer-Encoding, any transfer
// coding but one single chunked, Transfer-Encoding in HTTP/1.0, a missing, doubled, empty or malformed Host,
// more than one space in the request line, a fragment in the target, and anything over a [Limits] value.
//
// Decisions where the RFCs leave a choice:
//
//   - One CRLF before the request line is skipped (RFC 9112 §2.2), a second one is refused.
//   - Targets are origin-form, absolute-form with http or https, or * for OPTIONS. CONNECT is refused (501). Target
//     bytes are 0x21 to 0x7E without #: browsers send | [ ] { } as they are. Bytes over 0x7F must be percent-encoded.
//   - An absolute-form authority replaces Host (RFC 9112 §3.2.2), which must be there and well-formed nevertheless.
//   - A host is letters, digits, "-._~", %XX, or a bracketed IPv6 address. RFC 3986 also has sub-delims in names, but
//     a comma is what a proxy leaves when it joins two Host fields. No zones, no IPvFuture.
//   - Versions are HTTP/1.0 and HTTP/1.1; every other well-formed version is 505.
//   - Bytes from 0x80 on are opaque in field values (obs-text, RFC 9110 §5.5).
//   - Percent escapes in the target are left to [AppendUnescaped]; there + is a plus, not a space.
//   - Chunk extensions are skipped as RFC 9112 §7.1.1 asks, bounded for the whole body, and end only with CRLF.
//     Trailers obey the grammar of fields, are bounded, and are dropped.
//   - A method that is too long is 501 (RFC 9112 §3), a target 414, fields and heads 431 (RFC 6585 §5).
//
// # Refusals
//
// Every refusal is an [*Error] with a stable code, a byte offset and the status to answer with; the table in
// errors.go is the one place where they are written. After a refusal the connection's framing is unknown: answer
// and close.
package httpparse
