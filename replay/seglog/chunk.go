package seglog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The library's format, as far as its Writer uses it.
const (
	blockBytes = 32 << 10 // chunks never cross the border of two blocks
	blockMask  = blockBytes - 1
	chunkHead  = 7 // CRC (4), length (2), type (1)

	chunkFull   = 1
	chunkFirst  = 2
	chunkMiddle = 3
	chunkLast   = 4
)

// readBytesMax is read in one call at most: from there on, larger pieces gain nothing.
// readBytesMin is read first, because many readers want a few records only; seekBytes while
// a place is looked for.
const (
	readBytesMax = 256 << 10
	readBytesMin = 32 << 10
	seekBytes    = 4 << 10
)

// errInvalid says that no whole chunk is at the place asked for.
var errInvalid = errors.New("seglog: invalid chunk")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the library's: CRC-32C, rotated and shifted, so that data which holds
// checksums does not look like a chunk.
func checksum(b []byte) uint32 {
	c := crc32.Update(0, castagnoli, b)
	return (c>>15 | c<<17) + 0xa282ead8
}

// A readBuf is what a scanner needs while it has a file.
type readBuf struct {
	b     [readBytesMax]byte
	parts []byte // payloads of several chunks are put together here
}

// partsKept is the most that an idle readBuf keeps of parts.
const partsKept = 1 << 20

var readBufs = sync.Pool{New: func() any { return new(readBuf) }}

// A scanner reads payloads, which are what one record of the library holds, from a file.
// One goroutine uses it. What it gives is valid until its next call.
type scanner struct {
	f     vfs.File
	limit int64 // nothing is read at or behind it

	buf  *readBuf
	at   int64 // file offset of buf.b[0]
	n    int   // valid bytes of buf.b
	want int   // bytes to read next
}

// open makes the scanner read another file.
func (s *scanner) open(f vfs.File, limit int64) {
	if s.buf == nil {
		s.buf = readBufs.Get().(*readBuf)
	}
	s.f, s.limit, s.at, s.n, s.want = f, limit, 0, 0, readBytesMin
}

// close gives the buffer back, and closes the file.
func (s *scanner) close() error {
	if s.buf != nil {
		if cap(s.buf.parts) > partsKept {
			s.buf.parts = nil
		}
		readBufs.Put(s.buf)
		s.buf = nil
	}
	f := s.f
	s.f, s.n = nil, 0
	if f == nil {
		return nil
	}
	return f.Close()
}

// bytes gives n bytes at off; errInvalid where the file or limit ends before.
func (s *scanner) bytes(off int64, n int) ([]byte, error) {
	if i := off - s.at; i >= 0 && i+int64(n) <= int64(s.n) {
		return s.buf.b[i : i+int64(n)], nil
	}
	if off+int64(n) > s.limit {
		return nil, errInvalid
	}
	want := min(int64(max(s.want, n)), s.limit-off)
	s.want = min(2*s.want, readBytesMax)
	s.at, s.n = off, 0
	got, err := s.f.ReadAt(s.buf.b[:want], off)
	s.n = got
	if got >= n {
		return s.buf.b[:n], nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errInvalid
	}
	return nil, err
}

// chunk gives the type and the content of the chunk at off, and where the next one is.
func (s *scanner) chunk(off int64) (kind byte, data []byte, next int64, err error) {
	room := blockBytes - int(off&blockMask)
	if room < chunkHead {
		off += int64(room) // too small for a chunk: filled with zeros
		room = blockBytes
	}
	head, err := s.bytes(off, chunkHead)
	if err != nil {
		return 0, nil, off, err
	}
	n := int(binary.LittleEndian.Uint16(head[4:6]))
	kind = head[6]
	if kind < chunkFull || kind > chunkLast || n > room-chunkHead {
		return 0, nil, off, errInvalid
	}
	all, err := s.bytes(off, chunkHead+n)
	if err != nil {
		return 0, nil, off, err
	}
	if binary.LittleEndian.Uint32(all) != checksum(all[6:]) {
		return 0, nil, off, errInvalid
	}
	return kind, all[chunkHead:], off + int64(len(all)), nil
}

// beginning gives the first chunk of the first payload that begins at off or behind it. off
// is the border of a block: parts of a payload that began before are passed over.
func (s *scanner) beginning(off int64) (kind byte, data []byte, next int64, err error) {
	kind, data, next, err = s.chunk(off)
	for err == nil && kind == chunkMiddle {
		kind, data, next, err = s.chunk(next)
	}
	if err == nil && kind == chunkLast {
		kind, data, next, err = s.chunk(next)
	}
	return kind, data, next, err
}

// payload gives the payload that begins at off, and where the next one does; with search,
// the first that begins at or behind off, the border of a block.
func (s *scanner) payload(off int64, search bool) (data []byte, next int64, err error) {
	var kind byte
	if search {
		kind, data, next, err = s.beginning(off)
	} else {
		kind, data, next, err = s.chunk(off)
	}
	if err != nil {
		return nil, next, err
	}
	if kind == chunkFull {
		return data, next, nil
	}
	if kind != chunkFirst {
		return nil, next, errInvalid
	}
	parts := append(s.buf.parts[:0], data...)
	for kind != chunkLast {
		if kind, data, next, err = s.chunk(next); err != nil {
			return nil, next, err
		}
		if kind != chunkMiddle && kind != chunkLast || len(parts)+len(data) > payloadBytesMax {
			return nil, next, errInvalid
		}
		parts = append(parts, data...)
		s.buf.parts = parts
	}
	return parts, next, nil
}
