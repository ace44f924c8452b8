package httpparse

import "bytes"

// targetForm judges the first byte of the target, so that garbage is refused before the rest of the line is read.
func (r *Request) targetForm(c byte) verdict {
	switch c {
	case '/':
		r.Form = FormOrigin
	case '*':
		r.Form = FormAsterisk
	case 'h', 'H':
		r.Form = FormAbsolute
	case ' ':
		return extraSpace
	case '#':
		return fragmentInTarget
	default:
		return badTarget
	}
	return pass
}

// target reads on to the space after the target and splits it.
func (r *Request) target(b []byte, i int, lim *Limits) (int, verdict) {
	i = targetEnd(b, i)
	if i-r.mark > lim.TargetBytesMax {
		return r.mark + lim.TargetBytesMax, targetTooLong
	}
	if i == len(b) {
		return i, more
	}
	switch b[i] {
	case ' ':
	case '#':
		return i, fragmentInTarget
	case '\r', '\n': // HTTP/0.9
		return i, badVersion
	default:
		return i, badTarget
	}
	path := r.mark
	switch r.Form {
	case FormAsterisk:
		if i-path > 1 {
			return path + 1, badTarget
		}
	case FormAbsolute:
		off, v := r.authority(b, path, i)
		if v != pass {
			return off, v
		}
		path = off
	}
	r.splitPath(b, path, i)
	i++
	r.mark = i
	r.state = headVersion
	return i, pass
}

// authority reads the scheme and authority of absolute-form and gives the index after them.
func (r *Request) authority(b []byte, from, to int) (int, verdict) {
	at := from
	switch {
	case to-from > len("http://") && equalFold(b[from:from+len("http://")], "http://"):
		at += len("http://")
	case to-from > len("https://") && equalFold(b[from:from+len("https://")], "https://"):
		at += len("https://")
	default:
		return from, badTarget
	}
	end := at
	for end < to && b[end] != '/' && b[end] != '?' {
		end++
	}
	if off := hostFault(b, at, end); off >= 0 {
		return off, badHost
	}
	r.hostSpan = spanOf(at, end)
	return end, pass
}

// splitPath sets the path and query of b[from:to]. An empty path stands for "/" (RFC 9110 §4.2.3); the last slash
// of the scheme's "//" is one to point at.
func (r *Request) splitPath(b []byte, from, to int) {
	if q := bytes.IndexByte(b[from:to], '?'); q >= 0 {
		r.querySpan = spanOf(from+q+1, to)
		to = from + q
	}
	if from == to {
		to = r.hostSpan.from()
		from = to - 1
	}
	r.pathSpan = spanOf(from, to)
}

// hostFault checks b[from:to] as uri-host [ ":" port ] (RFC 9110 §7.2, RFC 3986 §3.2.2) and gives the offset of
// the first wrong byte, or -1. The empty host is wrong: no http URI has one (RFC 9110 §4.2.1).
func hostFault(b []byte, from, to int) int {
	b = b[:to]
	i := from
	if i < len(b) && b[i] == '[' {
		for i++; i < len(b) && classOf[b[i]]&classIPv6 != 0; i++ {
		}
		if i == len(b) || b[i] != ']' || i == from+1 {
			return i
		}
		i++
	} else {
		for {
			for i < len(b) && classOf[b[i]]&classHost != 0 {
				i++
			}
			if i == len(b) || b[i] != '%' {
				break
			}
			if len(b)-i < 3 || classOf[b[i+1]]&classOf[b[i+2]]&classHex == 0 {
				return i
			}
			i += 3
		}
		if i == from {
			return i
		}
	}
	if i == len(b) {
		return -1
	}
	if b[i] != ':' {
		return i
	}
	return portFault(b, i+1)
}

// portFault checks b[from:] as *DIGIT up to 65535 and gives the offset of the first wrong byte, or -1.
func portFault(b []byte, from int) int {
	port := 0
	for i := from; i < len(b); i++ {
		digit := b[i] - '0'
		if digit > 9 {
			return i
		}
		if port = port*10 + int(digit); port > 65535 {
			return i
		}
	}
	return -1
}
