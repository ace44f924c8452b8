package seglog

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
)

const (
	// frameBytes ends a frame: large enough that its head costs nothing, small enough that
	// a reader which starts in its middle has not much to pass over.
	frameBytes = 64 << 10
	// payloadBytesMax bounds what a reader takes into memory for one frame.
	payloadBytesMax = frameBytes + RecordBytesMax + 64
	// outKept is the most that an idle framer keeps of its output buffer.
	outKept = 1 << 20
)

// A framer turns batches into bytes of a segment. Those that are not needed are pooled:
// the library's Writer alone is 40 KiB, too much for every log that is open.
type framer struct {
	w   *record.Writer
	out output
	len [2 * binary.MaxVarintLen64]byte
}

// output collects what the library writes.
type output struct{ b []byte }

// Write implements io.Writer; it never fails.
func (o *output) Write(p []byte) (int, error) {
	o.b = append(o.b, p...)
	return len(p), nil
}

var framers = sync.Pool{New: func() any {
	f := &framer{}
	f.w = record.NewWriter(&f.out)
	return f
}}

var zeros [2 * blockBytes]byte

// newFramer gives a framer for a file that has end bytes.
func newFramer(end int64) *framer {
	f := framers.Get().(*framer)
	f.seek(int(end & blockMask))
	return f
}

// release gives it back. What it holds is lost.
func (f *framer) release() {
	if cap(f.out.b) > outKept {
		f.out.b = nil
	}
	framers.Put(f)
}

// seek brings the library's Writer to an offset inside a block, by a record that nobody
// sees: it can't be told one.
func (f *framer) seek(offset int) {
	at := int(f.w.Size() & blockMask)
	if at == offset {
		return
	}
	if blockBytes-at < chunkHead {
		at = 0
	}
	n := blockBytes - at - chunkHead // up to the end of this block
	switch {
	case offset >= at+chunkHead:
		n = offset - at - chunkHead
	case offset >= chunkHead:
		n += offset - chunkHead
	}
	f.payload(zeros[:n])
	f.flush()
	f.out.b = f.out.b[:0]
}

// payload writes one record of the library.
func (f *framer) payload(parts ...[]byte) {
	w, _ := f.w.Next() // errors are those of output, which has none
	for _, p := range parts {
		_, _ = w.Write(p)
	}
}

// flush moves all that was written to the output.
func (f *framer) flush() { _ = f.w.Flush() }

// batch encodes records, the first of which has number first in a segment that begins with
// number base, and gives the bytes to be written. They are valid until the next call.
func (f *framer) batch(base, first uint64, records [][]byte) []byte {
	f.out.b = f.out.b[:0]
	for len(records) > 0 {
		n, size := 1, len(records[0])
		for n < len(records) && size+len(records[n]) <= frameBytes {
			size += len(records[n])
			n++
		}
		f.frame(first-base, records[:n])
		records, first = records[n:], first+uint64(n)
	}
	f.flush()
	return f.out.b
}

// frame writes one frame.
func (f *framer) frame(delta uint64, records [][]byte) {
	w, _ := f.w.Next()
	b := binary.AppendUvarint(f.len[:0], delta)
	b = binary.AppendUvarint(b, uint64(len(records)))
	_, _ = w.Write(b)
	for _, r := range records {
		_, _ = w.Write(binary.AppendUvarint(f.len[:0], uint64(len(r))))
		_, _ = w.Write(r)
	}
}

var errFrame = errors.New("seglog: invalid frame")

// parseFrame reads the head of a frame: how far its first record is from the segment's,
// how many it has, and their bytes.
func parseFrame(payload []byte) (delta, count uint64, body []byte, err error) {
	delta, n := binary.Uvarint(payload)
	if n <= 0 {
		return 0, 0, nil, errFrame
	}
	count, m := binary.Uvarint(payload[n:])
	if m <= 0 || count == 0 || count > numberMax {
		return 0, 0, nil, errFrame
	}
	return delta, count, payload[n+m:], nil
}

// parseRecord reads the first record of a frame's body.
func parseRecord(body []byte) (record, rest []byte, err error) {
	if len(body) > 0 && body[0] < 0x80 { // one byte of length
		if n := int(body[0]) + 1; n <= len(body) {
			return body[1:n:n], body[n:], nil
		}
		return nil, nil, errFrame
	}
	size, n := binary.Uvarint(body)
	if n <= 0 || size > uint64(len(body)-n) {
		return nil, nil, errFrame
	}
	end := n + int(size)
	return body[n:end:end], body[end:], nil
}
