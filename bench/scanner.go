package bench

import (
	"bytes"
	"errors"
	"fmt"
)

// frame is one block of an event stream (WHATWG HTML, 9.2.6), its fields still aliasing
// the read buffer. A field that was absent is nil.
type frame struct {
	id, event, data []byte
}

// frameSink receives what a scanner finds. An error of frame stops the scan.
type frameSink interface {
	frame(f frame) error
}

// carryBytesMax bounds what a scanner keeps of an unfinished head or block: more than
// any event the scenarios publish.
const carryBytesMax = 256 << 10

var (
	errForeign  = errors.New("bench: a line that is no field of an event stream")
	errHead     = errors.New("bench: not the head of an event stream")
	errTooLong  = errors.New("bench: head or block too long")
	errRepeated = errors.New("bench: a field twice in one block")
)

// scanner cuts the bytes of one stream into its HTTP head and its blocks. Between reads
// it keeps only the bytes of an unfinished block, usually none.
//
// It is stricter than a browser: what throng does not write is an error, so that a byte
// of another connection cannot pass as a comment or an unknown field. A loose scanner
// takes what the standard allows (WHATWG HTML, 9.2.6), but for lines that end with a CR
// alone, and the chunked transfer coding.
type scanner struct {
	carry  []byte
	chunks chunks
	body   bool // the head is through
	loose  bool
}

// feed scans p. It does not keep p, and may change what it holds. errEnded says that the
// body is through.
func (s *scanner) feed(p []byte, to frameSink) error {
	if !s.body {
		rest, err := s.head(p)
		if err != nil || !s.body {
			return err
		}
		p = rest
	}
	var ended error
	if s.chunks.state != chunksOff {
		if p, ended = s.chunks.decode(p); ended != nil && ended != errEnded {
			return ended
		}
	}
	carried := len(s.carry) > 0
	if carried {
		p = append(s.carry, p...)
	}
	rest, err := s.scan(p, to)
	switch {
	case err != nil:
		return err
	case len(rest) > carryBytesMax:
		return errTooLong
	case len(rest) == 0:
		s.carry = nil // a waiting stream keeps no buffer
	case carried:
		s.carry = p[:copy(p, rest)]
	default:
		s.carry = append([]byte(nil), rest...)
	}
	return ended
}

// head collects the head, and returns what follows it once it is through.
func (s *scanner) head(p []byte) ([]byte, error) {
	if len(s.carry) > 0 {
		s.carry = append(s.carry, p...)
		p = s.carry
	}
	end := bytes.Index(p, []byte("\r\n\r\n"))
	switch {
	case end < 0 && len(p) > carryBytesMax:
		return nil, errTooLong
	case end < 0 && len(s.carry) == 0:
		s.carry = bytes.Clone(p)
	}
	if end < 0 {
		return nil, nil
	}
	chunked, err := checkHead(p[:end+2])
	if err == nil && chunked && !s.loose {
		err = fmt.Errorf("%w: chunks: %.300q", errHead, p[:end+2])
	}
	if chunked {
		s.chunks.state = chunkFirst
	}
	s.body, s.carry = err == nil, nil
	return p[end+4:], err
}

// scan hands out the whole blocks of p and returns the unfinished rest.
func (s *scanner) scan(p []byte, to frameSink) ([]byte, error) {
	for {
		block, rest, ok := s.cut(p)
		if !ok {
			return p, nil
		}
		f, err := s.parse(block)
		if err != nil {
			return nil, err
		}
		if err := to.frame(f); err != nil {
			return nil, err
		}
		p = rest
	}
}

// cut takes the first whole block off p, without the empty line that ends it.
func (s *scanner) cut(p []byte) (block, rest []byte, ok bool) {
	if !s.loose {
		end := bytes.Index(p, []byte("\n\n"))
		if end < 0 {
			return nil, p, false
		}
		return p[:end+1], p[end+2:], true
	}
	for at := 0; ; {
		n := bytes.IndexByte(p[at:], '\n')
		if n < 0 {
			return nil, p, false
		}
		if n == 0 || n == 1 && p[at] == '\r' {
			return p[:at], p[at+n+1:], true
		}
		at += n + 1
	}
}

func (s *scanner) parse(block []byte) (frame, error) {
	if s.loose {
		return parseLoose(block), nil
	}
	return parseBlock(block)
}

// checkHead wants a 200 and an event stream, and says whether its body is chunked. head
// ends with its last CRLF.
func checkHead(head []byte) (chunked bool, err error) {
	lower := bytes.ToLower(head)
	ok := bytes.HasPrefix(lower, []byte("http/1.1 200")) && len(lower) > 12 && lower[12] <= ' '
	if value, has := headerValue(lower, "content-type"); !ok || !has || !bytes.HasPrefix(value, []byte("text/event-stream")) {
		return false, fmt.Errorf("%w: %.300q", errHead, head)
	}
	value, has := headerValue(lower, "transfer-encoding")
	if has && string(value) != "chunked" {
		return false, fmt.Errorf("%w: transfer coding %q", errHead, value)
	}
	return has, nil
}

// headerValue finds the first field of a head in small letters.
func headerValue(lower []byte, name string) ([]byte, bool) {
	for line := range bytes.SplitSeq(lower, []byte("\r\n")) {
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && string(key) == name {
			return bytes.TrimSpace(value), true
		}
	}
	return nil, false
}

// parseBlock reads the lines of one block, each ended by a line feed.
func parseBlock(block []byte) (frame, error) {
	var f frame
	for len(block) > 0 {
		end := bytes.IndexByte(block, '\n')
		line := block[:end]
		block = block[end+1:]
		var field *[]byte
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch string(name) {
		case "data":
			field = &f.data
		case "id":
			field = &f.id
		case "event":
			field = &f.event
		case "retry", "":
			continue
		default:
			return f, fmt.Errorf("%w: %.200q", errForeign, line)
		}
		if *field != nil {
			return f, fmt.Errorf("%w: %.200q", errRepeated, line)
		}
		*field = bytes.TrimPrefix(value, []byte(" "))
	}
	return f, nil
}

// parseLoose reads a block by the standard: unknown fields are ignored, the last id and
// event count, data lines are joined.
func parseLoose(block []byte) frame {
	var f frame
	for len(block) > 0 {
		line, rest, _ := bytes.Cut(block, []byte("\n"))
		block = rest
		name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			if f.data == nil {
				f.data = value
				continue
			}
			f.data = append(append(f.data[:len(f.data):len(f.data)], '\n'), value...)
		}
	}
	return f
}
