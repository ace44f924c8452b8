package httpparse

// Chunked decodes one chunked body (RFC 9112 §7.1) as it comes. The zero value is at the start of a body; one
// goroutine at a time may use it. Set it to Chunked{} for the next body.
type Chunked struct {
	left     int64 // payload bytes of this chunk still to come
	offset   int   // bytes of the body judged so far
	state    chunkState
	digits   uint8     // of the size in progress
	ext      int       // bytes of extensions so far, of the whole body
	trailers int       // bytes of the trailer section so far
	line     fieldLine // the trailer line in progress, offsets relative to the next src
	fault    Error
}

// chunkState is where in a chunked body the next byte belongs.
type chunkState uint8

const (
	chunkSize    chunkState = iota // in the size
	chunkExt                       // in the extensions
	chunkSizeLF                    // after the CR of a size line
	chunkData                      // in the data
	chunkDataCR                    // after the data
	chunkDataLF                    // after the CR behind the data
	chunkTrailer                   // in the trailer section
	chunkDone                      // after the last byte
	chunkFailed                    // after a refusal
)

// Decode judges bytes from the start of src up to and including the next run of payload. data is that run, a
// view of src, and may be empty; n is how many bytes of src are done with. Append data to the body, drop n
// bytes, and call again while n bytes were given and some are left:
//
//	for !done && len(src) > 0 {
//		data, n, done, err = c.Decode(src, lim)
//		...
//		body, src = append(body, data...), src[n:]
//	}
//
// Every byte is judged once and none has to be kept: n is len(src) unless data ended or the body did. With done,
// src[n:] is the next request. A refusal is an *Error kept in c, its offset counted from the body's first byte;
// then, and after the end, further calls repeat the answer with n = 0.
func (c *Chunked) Decode(src []byte, lim *Limits) (data []byte, n int, done bool, err error) {
	switch c.state {
	case chunkFailed:
		return nil, 0, false, &c.fault
	case chunkDone:
		return nil, 0, true, nil
	}
	i, v := c.framing(src, lim)
	if v > pass {
		c.fault.set(v, c.offset+i, src, c.offset, lim)
		c.state = chunkFailed
		return nil, 0, false, &c.fault
	}
	if c.state == chunkData {
		end := i + int(min(c.left, int64(len(src)-i)))
		data = src[i:end:end]
		c.left -= int64(len(data))
		i = end
		if c.left == 0 {
			c.state = chunkDataCR
		}
	}
	c.offset += i
	return data, i, c.state == chunkDone, nil
}

// Pending is how many payload bytes the current chunk has announced and not given yet: with it a server refuses a
// body that will be too large before it comes.
func (c *Chunked) Pending() int64 { return c.left }

// framing reads from the start of b up to payload or the end of the body.
func (c *Chunked) framing(b []byte, lim *Limits) (i int, v verdict) {
	for i < len(b) && c.state != chunkData && c.state != chunkDone {
		if c.state == chunkTrailer {
			if i, v = c.trailer(b, i, lim); v != pass {
				return i, v
			}
			continue
		}
		if v = c.frameByte(b[i], lim); v != pass {
			if v == bareCR {
				i--
			}
			return i, v
		}
		i++
	}
	return i, pass
}

// frameByte judges one byte between two runs of payload.
func (c *Chunked) frameByte(ch byte, lim *Limits) verdict {
	switch c.state {
	case chunkSize:
		return c.sizeByte(ch, lim)
	case chunkExt:
		switch {
		case ch == '\r':
			c.state = chunkSizeLF
		case ch == '\n':
			return bareLF
		case classOf[ch]&classValue == 0:
			return badChunkExt
		default:
			return c.extByte(lim)
		}
	case chunkSizeLF:
		if ch != '\n' {
			return bareCR
		}
		c.digits = 0
		c.state = chunkData
		if c.left == 0 {
			c.state = chunkTrailer
		}
	case chunkDataCR:
		if ch != '\r' {
			return badChunkEnd
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if ch != '\n' {
			return bareCR
		}
		c.state = chunkSize
	}
	return pass
}

// sizeByte judges a byte of 1*HEXDIG or what may follow it.
func (c *Chunked) sizeByte(ch byte, lim *Limits) verdict {
	digit, ok := unhex(ch)
	switch {
	case ok && int(c.digits) >= min(lim.ChunkSizeDigitsMax, chunkSizeDigitsCeiling):
		return chunkSizeTooLong
	case ok:
		c.left = c.left<<4 | int64(digit)
		c.digits++
	case c.digits == 0:
		return badChunkSize
	case ch == '\r':
		c.state = chunkSizeLF
	case ch == ';':
		c.state = chunkExt
		return c.extByte(lim)
	case ch == '\n':
		return bareLF
	default:
		return badChunkSize
	}
	return pass
}

// extByte counts a byte of an extension, its semicolon too.
func (c *Chunked) extByte(lim *Limits) verdict {
	c.ext++
	if c.ext > lim.ChunkExtBytesMax {
		return chunkExtTooLong
	}
	return pass
}

// trailer reads one line of the trailer section, or what is there of it.
func (c *Chunked) trailer(b []byte, i int, lim *Limits) (int, verdict) {
	if budget := max(0, lim.TrailerBytesMax-c.trailers); len(b)-i > budget {
		b = b[:i+budget]
	}
	next, v := c.line.scan(b, i, lim)
	switch {
	case v == pass:
		c.trailers += next - i
		if c.line.empty {
			c.state = chunkDone
		}
	case v == more:
		c.trailers += next - i
		if c.trailers >= lim.TrailerBytesMax {
			return next, trailerTooLarge
		}
		c.line.shift(len(b))
		return next, pass
	}
	return next, v
}
