package sse

import (
	"bytes"
	"errors"
	"math"
	"time"
)

// Limits of a Parser. Zero means the default.
type Limits struct {
	LineBytesMax int // one line of the stream, without its end
	DataBytesMax int // the data of one event, over all of its lines
}

// Defaults of Limits: room for the largest event of a default server (64 KiB) in its longest
// JSON spelling (six bytes for one) ten times over, yet nothing that hurts one reader.
const (
	LineBytesMaxDefault = 4 << 20
	DataBytesMaxDefault = 4 << 20
)

// scanBytesMax is how far the end of a line is looked for at once. Both of its bytes are looked for
// separately, so without a bound a stream that uses only one of them would be read over and over.
const scanBytesMax = 16 << 10

// Why a stream is refused.
var (
	ErrLineTooLong  = errors.New("sse: line of the stream over the limit")
	ErrEventTooLong = errors.New("sse: data of one event over the limit")
)

// Kind is what a stream has told.
type Kind uint8

const (
	KindNone     Kind = iota // nothing yet: more bytes are needed
	KindEvent                // an event was dispatched
	KindPosition             // a block without data has set the last event ID
	KindComment              // a comment: the peer lives
	KindRetry                // the peer has set the reconnection time
)

// Message is one thing a stream has told. Its slices are valid until the next call to the
// Parser or Decoder that returned it. Bytes are handed on as they came; a peer that sends
// something else than UTF-8 is the caller's to judge.
type Message struct {
	Kind  Kind
	ID    []byte        // last event ID, whenever it was set; of KindEvent and KindPosition
	Name  []byte        // event type, empty for "message"; of KindEvent
	Data  []byte        // of KindEvent: the data; of KindComment: what follows the colon
	Retry time.Duration // of KindRetry
}

// Parser follows "parsing an event stream" and "interpreting an event stream" of the standard,
// fed with bytes as they come: CR, LF and CRLF end a line, also when they are torn apart, and a
// line that ends in CR takes effect at once. It keeps only the unfinished line and the
// unfinished event. One goroutine at a time may use it. The zero Parser is ready, with the
// default limits.
type Parser struct {
	Limits Limits // set before the first byte

	line   []byte // the start of a line whose end has not come yet
	data   []byte // data buffer: every line with an LF behind it
	name   []byte // event type buffer
	id     []byte // last event ID buffer; lives across events
	moved  bool   // an id line was seen in this block
	spent  bool   // data and name belong to the message handed out last
	begun  bool   // the first line, which may start with a byte order mark, is over
	skipLF bool   // the last line ended in CR: an LF right behind it belongs to it
	failed error  // told on every call after the first failure
}

// Parse takes bytes from b up to the end of the first message and returns how many it took. With
// KindNone all of b was taken. A line or event over its limit is an error that stays: the
// stream must be given up. An event that is not finished when the stream ends was never sent.
func (p *Parser) Parse(b []byte) (int, Message, error) {
	if p.failed != nil {
		return 0, Message{}, p.failed
	}
	at := 0
	for at < len(b) {
		if p.skipLF {
			p.skipLF = false
			if b[at] == '\n' {
				at++
				continue
			}
		}
		rest := b[at:min(len(b), at+scanBytesMax)]
		end := bytes.IndexByte(rest, '\n')
		if cr := bytes.IndexByte(rest[:lineLen(rest, end)], '\r'); cr >= 0 {
			end = cr
			p.skipLF = true
		}
		n := lineLen(rest, end)
		if len(p.line)+n > maxOr(p.Limits.LineBytesMax, LineBytesMaxDefault) {
			return at, Message{}, p.fail(ErrLineTooLong)
		}
		if end < 0 {
			p.line = append(p.line, rest...)
			at += n
			continue
		}
		at += n + 1
		m, err := p.takeLine(rest[:n])
		if err != nil || m.Kind != KindNone {
			return at, m, err
		}
	}
	return at, Message{}, nil
}

// lineLen is how much of b belongs to a line that ends at end, or does not end when end < 0.
func lineLen(b []byte, end int) int {
	if end < 0 {
		return len(b)
	}
	return end
}

func maxOr(limit, otherwise int) int {
	if limit > 0 {
		return limit
	}
	return otherwise
}

func (p *Parser) fail(err error) error {
	p.failed = err
	return err
}

// takeLine interprets one line, whose last bytes are tail and whose first ones were kept.
func (p *Parser) takeLine(tail []byte) (Message, error) {
	line := tail
	if len(p.line) > 0 {
		p.line = append(p.line, tail...)
		line, p.line = p.line, p.line[:0]
	}
	if !p.begun {
		p.begun = true
		line = bytes.TrimPrefix(line, []byte("\uFEFF"))
	}
	if p.spent {
		p.spent = false
		p.data, p.name = p.data[:0], p.name[:0]
	}
	if len(line) == 0 {
		return p.dispatch(), nil
	}
	if line[0] == ':' {
		return Message{Kind: KindComment, Data: line[1:]}, nil
	}
	field, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	return p.takeField(field, value)
}

// takeField is "process the field" of the standard.
func (p *Parser) takeField(field, value []byte) (Message, error) {
	switch string(field) {
	case "data":
		if len(p.data)+len(value) > maxOr(p.Limits.DataBytesMax, DataBytesMaxDefault) {
			return Message{}, p.fail(ErrEventTooLong)
		}
		p.data = append(p.data, value...)
		p.data = append(p.data, '\n')
	case "event":
		p.name = append(p.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			p.id = append(p.id[:0], value...)
			p.moved = true
		}
	case "retry":
		if d, ok := parseRetry(value); ok {
			return Message{Kind: KindRetry, Retry: d}, nil
		}
	}
	return Message{}, nil
}

// dispatch is "dispatch the event" of the standard, at an empty line.
func (p *Parser) dispatch() Message {
	moved := p.moved
	p.moved = false
	p.spent = true
	if len(p.data) > 0 {
		m := Message{Kind: KindEvent, ID: p.id, Name: p.name, Data: p.data[:len(p.data)-1]}
		if string(m.Name) == defaultName {
			m.Name = nil
		}
		return m
	}
	if moved {
		return Message{Kind: KindPosition, ID: p.id}
	}
	return Message{}
}

// parseRetry reads a reconnection time: milliseconds, ASCII digits only. A time beyond what a
// Duration holds is cut to that.
func parseRetry(b []byte) (time.Duration, bool) {
	const msMax = math.MaxInt64 / int64(time.Millisecond)
	var ms int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if ms > msMax/10 {
			ms = msMax
			continue
		}
		ms = min(ms*10+int64(c-'0'), msMax)
	}
	return time.Duration(ms) * time.Millisecond, len(b) > 0
}
