package sse

import "io"

// readBytes is how much a Decoder asks its reader for at once: some dozens of usual events.
const readBytes = 4 << 10

// emptyReadsMax is how often a reader may return nothing and no error before it is called
// broken, as in package bufio.
const emptyReadsMax = 100

// Decoder reads messages from a stream. One goroutine at a time may use it.
type Decoder struct {
	parser Parser
	r      io.Reader
	buf    []byte
	rest   []byte // bytes of buf that are not parsed yet
	err    error  // what the reader said last; told once rest is used up
}

// NewDecoder is a Decoder that reads r, with limits l.
func NewDecoder(r io.Reader, l Limits) *Decoder {
	return &Decoder{parser: Parser{Limits: l}, r: r, buf: make([]byte, readBytes)}
}

// Next waits for the next message; its Kind is never KindNone. The error is io.EOF when the
// stream has ended, also in the middle of an event (which is then no event), ErrLineTooLong or
// ErrEventTooLong, io.ErrNoProgress, or what the reader returned.
func (d *Decoder) Next() (Message, error) {
	empty := 0
	for {
		n, m, err := d.parser.Parse(d.rest)
		d.rest = d.rest[n:]
		if err != nil || m.Kind != KindNone {
			return m, err
		}
		if d.err != nil {
			return Message{}, d.err
		}
		n, d.err = d.r.Read(d.buf)
		d.rest = d.buf[:n]
		if n > 0 || d.err != nil {
			empty = 0
		} else if empty++; empty == emptyReadsMax {
			return Message{}, io.ErrNoProgress
		}
	}
}
