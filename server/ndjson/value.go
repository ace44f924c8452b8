package ndjson

// depthMax is how deep values may be nested in the one pass; deeper ones are left to
// encoding/json, which has a limit of its own.
const depthMax = 32

// skipValue gives the index behind the value at b[i:]; it is false if there is none
// (RFC 8259, section 3), or one nested deeper than depth.
func skipValue(b []byte, i, depth int) (end int, ok bool) {
	if i >= len(b) || depth == 0 {
		return i, false
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{':
		return skipMembers(b, i, '}', depth)
	case '[':
		return skipMembers(b, i, ']', depth)
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

func skipWord(b []byte, i int, word string) (end int, ok bool) {
	end = i + len(word)
	return end, end <= len(b) && string(b[i:end]) == word
}

// skipMembers skips the array or object at b[i:], which ends with closing.
func skipMembers(b []byte, i int, closing byte, depth int) (end int, ok bool) {
	i = space(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, true
	}
	for {
		if closing == '}' {
			if i, ok = skipString(b, i); !ok {
				return i, false
			}
			if i = space(b, i); i == len(b) || b[i] != ':' {
				return i, false
			}
			i = space(b, i+1)
		}
		if i, ok = skipValue(b, i, depth-1); !ok {
			return i, false
		}
		if i = space(b, i); i == len(b) || b[i] != ',' {
			return i + 1, i < len(b) && b[i] == closing
		}
		i = space(b, i+1)
	}
}

// skipString skips the string at b[i:]. Its bytes need not be UTF-8, and surrogates need
// not be in pairs: it stays as it is written.
func skipString(b []byte, i int) (end int, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return i, false
	}
	i++
	for {
		if i, _ = run(b, i); i == len(b) {
			return i, false
		}
		switch {
		case b[i] == '"':
			return i + 1, true
		case b[i] != '\\' || i+1 == len(b):
			return i, false
		case plainEscapes[b[i+1]] != 0:
			i += 2
		default:
			if _, ok = unicodeEscape(b, i); !ok {
				return i, false
			}
			i += unicodeEscapeBytes
		}
	}
}

// skipNumber skips the number at b[i:] (RFC 8259, section 6).
func skipNumber(b []byte, i int) (end int, ok bool) {
	if b[i] == '-' {
		i++
	}
	switch first := i; {
	case i < len(b) && b[i] == '0':
		i++
	default:
		if i = digits(b, i); i == first {
			return i, false
		}
	}
	if i < len(b) && b[i] == '.' {
		first := i + 1
		if i = digits(b, first); i == first {
			return i, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		first := i
		if i = digits(b, first); i == first {
			return i, false
		}
	}
	return i, true
}

// digits is the index of the first byte from i on that is no digit, or len(b).
func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
