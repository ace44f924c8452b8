package sse

import (
	"bytes"
	"strconv"
	"strings"
)

// Comment is the smallest block that changes nothing at the reader: a heartbeat.
const Comment = ":\n\n"

// defaultName is the name a reader gives to an event without one ("dispatch the event", step 5
// of the standard); sending it would only cost bytes.
const defaultName = "message"

// frameLayout is what has to be known about an event before its frame is written.
type frameLayout struct {
	name   string // as it goes on the wire; empty: no event line
	bytes  int    // length of the whole frame
	breaks bool   // the data has a CR or LF
	crs    bool   // the data has a CR
}

// layout measures the text frame of e.
func layout(e *Event) frameLayout {
	f := frameLayout{name: wireName(e.Name)}
	lines, text := 1, len(e.Data)
	lf := bytes.Count(e.Data, []byte{'\n'})
	if cr := bytes.Count(e.Data, []byte{'\r'}); cr > 0 {
		f.crs = true
		text -= cr
		lines += cr
		if lf > 0 {
			lines -= bytes.Count(e.Data, []byte("\r\n"))
		}
	}
	text -= lf
	lines += lf
	f.breaks = lines > 1
	f.bytes = headBytes(e.ID, f.name) + lines*len("data: \n") + text + len("\n")
	return f
}

// headBytes is the length of the id and event lines.
func headBytes(id ID, name string) int {
	n := len("id: \n") + id.textBytes()
	if name != "" {
		n += len("event: \n") + len(name)
	}
	return n
}

// AppendFrame appends the event as one block of a stream:
//
//	id: 1-2
//	event: name
//	data: first line
//	data: second line
//
// and an empty line. The data is split at CR, LF and CRLF, so a reader gets every line break as
// LF. Empty data is still a data line, because a block without one is not dispatched. The
// event line is left out for an empty name and for "message", which mean the same. A name is cut
// at its first CR, LF or NUL, so that even an unchecked name can't write a field of its own.
// dst grows at most once.
func AppendFrame(dst []byte, e *Event) []byte {
	f := layout(e)
	return appendFrame(grow(dst, f.bytes), e, f)
}

// grow makes room for n more bytes: exactly n in a new buffer, otherwise at least twice as much
// as before.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	b := make([]byte, len(dst), max(len(dst)+n, 2*cap(dst)))
	copy(b, dst)
	return b
}

func appendFrame(dst []byte, e *Event, f frameLayout) []byte {
	dst = appendHead(dst, e.ID, f.name)
	rest := e.Data
	for f.breaks {
		at, skip := lineEnd(rest, f.crs)
		if at < 0 {
			break
		}
		dst = append(dst, "data: "...)
		dst = append(dst, rest[:at]...)
		dst = append(dst, '\n')
		rest = rest[at+skip:]
	}
	dst = append(dst, "data: "...)
	dst = append(dst, rest...)
	return append(dst, "\n\n"...)
}

// appendHead appends the id line and, unless name is empty, the event line.
func appendHead(dst []byte, id ID, name string) []byte {
	dst = append(dst, "id: "...)
	dst = id.AppendTo(dst)
	dst = append(dst, '\n')
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	return dst
}

// lineEnd is the index of the first line break of b and its length; -1 when there is none.
// crs says whether b may hold a CR at all.
func lineEnd(b []byte, crs bool) (at, skip int) {
	at = bytes.IndexByte(b, '\n')
	if !crs {
		return at, 1
	}
	line := b
	if at >= 0 {
		line = b[:at]
	}
	cr := bytes.IndexByte(line, '\r')
	switch {
	case cr < 0:
		return at, 1
	case cr+1 == at:
		return cr, 2
	}
	return cr, 1
}

// wireName is the name as it may go on the wire: empty when no event line is needed.
func wireName(name string) string {
	if at := strings.IndexAny(name, "\r\n\x00"); at >= 0 {
		name = name[:at]
	}
	if name == defaultName {
		return ""
	}
	return name
}

// AppendIDBlock appends the block with only an id: a reader dispatches nothing, but resumes
// after id from then on.
func AppendIDBlock(dst []byte, id ID) []byte {
	dst = append(dst, "id: "...)
	dst = id.AppendTo(dst)
	return append(dst, "\n\n"...)
}

// AppendRetry appends the block that sets the reader's reconnection time, in milliseconds. A
// negative time is sent as 0.
func AppendRetry(dst []byte, ms int) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendUint(dst, uint64(max(ms, 0)), 10)
	return append(dst, "\n\n"...)
}
