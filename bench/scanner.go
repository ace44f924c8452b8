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
// it keeps only the bytes of an unfinished block, usually none. It is stricter than a
// browser: what the server under test does not write is an error, so that a byte of
// another connection cannot pass as a comment or an unknown field.
type scanner struct {
	carry []byte
	body  bool // the head is through
}

// feed scans p, which it does not keep.
func (s *scanner) feed(p []byte, to frameSink) error {
	if len(s.carry) == 0 {
		rest, err := s.scan(p, to)
		if err == nil && len(rest) > 0 {
			s.carry = append(s.carry[:0], rest...)
		}
		return err
	}
	s.carry = append(s.carry, p...)
	rest, err := s.scan(s.carry, to)
	switch {
	case err != nil:
		return err
	case len(rest) > carryBytesMax:
		return errTooLong
	case len(rest) == 0 && cap(s.carry) > carryKeptBytes:
		s.carry = nil
	default:
		s.carry = s.carry[:copy(s.carry, rest)]
	}
	return nil
}

// carryKeptBytes is the largest empty buffer worth keeping for the next unfinished block.
const carryKeptBytes = 512

// scan hands out the whole blocks of p and returns the unfinished rest.
func (s *scanner) scan(p []byte, to frameSink) ([]byte, error) {
	if !s.body {
		end := bytes.Index(p, []byte("\r\n\r\n"))
		if end < 0 {
			return p, nil
		}
		if err := checkHead(p[:end+2]); err != nil {
			return nil, err
		}
		s.body, p = true, p[end+4:]
	}
	for {
		end := bytes.Index(p, []byte("\n\n"))
		if end < 0 {
			return p, nil
		}
		f, err := parseBlock(p[:end+1])
		if err != nil {
			return nil, err
		}
		if err := to.frame(f); err != nil {
			return nil, err
		}
		p = p[end+2:]
	}
}

// checkHead wants a 200, an event stream and no chunks. head ends with its last CRLF.
func checkHead(head []byte) error {
	lower := bytes.ToLower(head)
	if !bytes.HasPrefix(lower, []byte("http/1.1 200 ")) ||
		!bytes.Contains(lower, []byte("\r\ncontent-type: text/event-stream")) ||
		bytes.Contains(lower, []byte("\r\ntransfer-encoding:")) {
		return fmt.Errorf("%w: %.300q", errHead, head)
	}
	return nil
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
