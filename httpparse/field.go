package httpparse

// fieldLine reads one "name: value" CRLF, or the empty line that ends a section, resuming where it stopped.
// Request heads and trailers share it. The offsets are those of the buffer given to scan; the owner of a buffer
// that moves on shifts them.
type fieldLine struct {
	nameAt, nameEnd   int
	valueAt, valueEnd int // without leading whitespace, with trailing
	state             lineState
	empty             bool // the line was the empty one
}

// lineState is where in a field line the next byte belongs.
type lineState uint8

const (
	lineStart lineState = iota // nothing of the line read
	lineName                   // in the name
	lineSpace                  // after the colon
	lineValue                  // in the value
	lineFeed                   // after CR
)

// scan reads from b[i:] to the end of the line. It gives the index after it and pass, or more, or a refusal
// and its offset.
func (l *fieldLine) scan(b []byte, i int, lim *Limits) (int, verdict) {
	switch l.state {
	case lineStart:
		if i == len(b) {
			return i, more
		}
		l.empty = false
		if b[i] == '\r' {
			l.empty = true
			l.state = lineFeed
			return l.feed(b, i+1)
		}
		if !isToken(b[i]) {
			return i, refusedStart(b[i])
		}
		l.nameAt = i
		l.state = lineName
		fallthrough
	case lineName:
		for i < len(b) && isToken(b[i]) {
			i++
		}
		if i-l.nameAt > lim.FieldNameBytesMax {
			return l.nameAt + lim.FieldNameBytesMax, fieldNameTooLong
		}
		if i == len(b) {
			return i, more
		}
		if b[i] != ':' {
			return i, refusedName(b[i])
		}
		l.nameEnd = i
		i++
		l.state = lineSpace
		fallthrough
	case lineSpace:
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		if i == len(b) {
			return i, more
		}
		l.valueAt = i
		l.state = lineValue
		fallthrough
	case lineValue:
		i = valueEnd(b, i)
		if i-l.valueAt > lim.FieldValueBytesMax {
			return l.valueAt + lim.FieldValueBytesMax, fieldValueTooLong
		}
		if i == len(b) {
			return i, more
		}
		if b[i] != '\r' {
			return i, refusedValue(b[i])
		}
		l.valueEnd = i
		i++
		if i < len(b) && b[i] == '\n' {
			l.state = lineStart
			return i + 1, pass
		}
		l.state = lineFeed
	}
	return l.feed(b, i)
}

// feed expects the LF after a CR.
func (l *fieldLine) feed(b []byte, i int) (int, verdict) {
	if i == len(b) {
		return i, more
	}
	if b[i] != '\n' {
		return i - 1, bareCR
	}
	l.state = lineStart
	return i + 1, pass
}

// shift moves the offsets by -n bytes, when the n bytes before them are gone.
func (l *fieldLine) shift(n int) {
	l.nameAt -= n
	l.nameEnd -= n
	l.valueAt -= n
	l.valueEnd -= n
}

// refusedStart says why c cannot begin a field line.
func refusedStart(c byte) verdict {
	switch c {
	case ' ', '\t':
		return obsFold
	case ':':
		return emptyFieldName
	case '\n':
		return bareLF
	}
	return badFieldName
}

// refusedName says why c cannot end a field name.
func refusedName(c byte) verdict {
	switch c {
	case ' ', '\t':
		return spaceBeforeColon
	case '\n':
		return bareLF
	}
	return badFieldName
}

// refusedValue says why c cannot end a field value.
func refusedValue(c byte) verdict {
	if c == '\n' {
		return bareLF
	}
	return badFieldValue
}
