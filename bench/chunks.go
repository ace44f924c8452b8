package bench

import (
	"errors"
	"fmt"
)

// chunks takes the chunked transfer coding (RFC 9112, 7.1) off the bytes of a body, in
// place and piece by piece. It keeps no bytes, so that a waiting stream costs nothing.
type chunks struct {
	left  uint32 // of the chunk's data; of its size, while that is read
	state chunkState
}

type chunkState byte

const (
	chunksOff  chunkState = iota // the body is not chunked
	chunkFirst                   // before the first digit of a size
	chunkSize                    // in the size
	chunkExt                     // between the size and the end of its line
	chunkData
	chunkCR      // after the data
	chunkLF      // after that CR
	chunkTrailer // at the start of a line after the last chunk
	chunkField   // in such a line
	chunkOver    // the body is through
)

var (
	errChunks = errors.New("bench: not the chunked transfer coding")
	// errEnded is the end of a body: the server has ended the stream.
	errEnded = errors.New("bench: the body has ended")
)

// chunkBytesMax bounds one chunk; no server of events sends such a one.
const chunkBytesMax = 1 << 28

// decode moves the data in p together at its start and returns it. With errEnded, data
// before the end is returned too.
func (c *chunks) decode(p []byte) ([]byte, error) {
	out := p[:0]
	for i := 0; i < len(p); {
		if c.state == chunkData {
			n := min(int(c.left), len(p)-i)
			out = append(out, p[i:i+n]...)
			i += n
			if c.left -= uint32(n); c.left == 0 {
				c.state = chunkCR
			}
			continue
		}
		if err := c.step(p[i]); err != nil {
			return out, fmt.Errorf("%w: %.100q", err, p[i:])
		}
		i++
		if c.state == chunkOver {
			if i < len(p) {
				return out, fmt.Errorf("%w: bytes after the end: %.100q", errChunks, p[i:])
			}
			return out, errEnded
		}
	}
	return out, nil
}

// step reads one byte that is no data.
func (c *chunks) step(b byte) error {
	switch c.state {
	case chunkFirst, chunkSize:
		if v, ok := hexDigit(b | 0x20); ok { // capitals too; digits have that bit
			if c.left = c.left<<4 | uint32(v); c.left > chunkBytesMax {
				return errChunks
			}
			c.state = chunkSize
			return nil
		}
		if c.state == chunkFirst || b != ';' && b != '\r' && b != '\n' && b != ' ' {
			return errChunks
		}
		c.state = chunkExt
		return c.step(b)
	case chunkExt:
		switch {
		case b != '\n':
		case c.left > 0:
			c.state = chunkData
		default:
			c.state = chunkTrailer
		}
	case chunkCR:
		if b != '\r' {
			return errChunks
		}
		c.state = chunkLF
	case chunkLF:
		if b != '\n' {
			return errChunks
		}
		c.state = chunkFirst
	case chunkTrailer:
		switch b {
		case '\n':
			c.state = chunkOver
		case '\r':
		default:
			c.state = chunkField
		}
	case chunkField:
		if b == '\n' {
			c.state = chunkTrailer
		}
	case chunkOver:
		return errChunks
	}
	return nil
}
