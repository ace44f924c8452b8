package seglog

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// A segment is one file of a Log.
type segment struct {
	header
	path string

	// Guarded by Log.mu.
	last uint64 // number of the last record that counts; first-1 if none does
	end  int64  // bytes up to where the last record ends; of a segment of an earlier start: of the file

	marks []mark // places in it, if this run wrote it; by offset

	// Under Log.appending:
	unsynced bool // not forced to disk as a whole
	suspect  bool // the disk refused to keep all of it, and another try would prove nothing
}

// A mark is a place where a frame begins, and its first record. There is one for each
// markBytes, so that they cost a 4000th of what they mark.
type mark struct {
	off   int64
	first uint64
}

const markBytes = 64 << 10

// nearest is the last mark that is not beyond a record.
func (s *segment) nearest(number uint64) (m mark, ok bool) {
	i, found := slices.BinarySearchFunc(s.marks, number, func(m mark, n uint64) int { return cmp.Compare(m.first, n) })
	if !found {
		i--
	}
	if i < 0 {
		return mark{}, false
	}
	return s.marks[i], true
}

// header is the first payload of a segment's file.
type header struct {
	flags byte
	seq   uint64 // number of the file; rises with each, with holes
	prev  uint64 // seq of the segment before; 0: none was held
	epoch uint64
	first uint64 // number of the first record
}

const (
	headerMagic = "throng segment 1"
	headerBytes = len(headerMagic) + 1 + 4*8
	// headerEnd is where the first frame begins.
	headerEnd = chunkHead + int64(headerBytes)

	// flagAfterUnsynced: when this segment was begun, the one before it was not known to be
	// on disk as a whole, so a power cut may have torn it anywhere.
	flagAfterUnsynced = 1
)

func (h *header) encode() []byte {
	b := make([]byte, 0, headerBytes)
	b = append(b, headerMagic...)
	b = append(b, h.flags)
	for _, v := range [...]uint64{h.seq, h.prev, h.epoch, h.first} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func parseHeader(b []byte) (h header, ok bool) {
	if len(b) != headerBytes || string(b[:len(headerMagic)]) != headerMagic {
		return h, false
	}
	b = b[len(headerMagic):]
	h.flags = b[0]
	for i, v := range [...]*uint64{&h.seq, &h.prev, &h.epoch, &h.first} {
		*v = binary.LittleEndian.Uint64(b[1+8*i:])
	}
	return h, h.valid() && h.seq > h.prev
}

// nameFormat: seq, epoch, first. The header repeats them under a checksum; the name is for
// people, and for numbers that must rise even if no header can be read.
const nameFormat = "%010d-%d-%d.seg"

func (h *header) name() string { return fmt.Sprintf(nameFormat, h.seq, h.epoch, h.first) }

func parseName(name string) (h header, ok bool) {
	n, err := fmt.Sscanf(name, nameFormat, &h.seq, &h.epoch, &h.first)
	return h, err == nil && n == 3 && h.valid() && h.name() == name
}

// numberMax bounds all that rises, so that adding never overflows.
const numberMax = 1 << 62

func (h *header) valid() bool {
	return h.seq > 0 && h.seq < numberMax && h.epoch > 0 && h.epoch < numberMax && h.first > 0 && h.first < numberMax
}
