package replay

import (
	"encoding/binary"
	"errors"
	"fmt"

	"throng/sse"
)

// A stored record is what one event is on disk. Its number, its length and a checksum are
// the segmented log's. The bytes, in their order:
//
//	version  1 byte, recordVersion
//	flags    1 byte, recordKeyed and recordNamed
//	time     8 bytes, unix milliseconds of the append, little endian
//	key      16 bytes of the key's hash and 32 of the sum, if recordKeyed
//	topics   how many, then each with its length before it (uvarints)
//	name     with its length before it, if recordNamed; never empty
//	data     the rest
//
// An event has exactly one such encoding, so what decodes encodes back to the same bytes.
const (
	recordVersion = 1

	recordKeyed = 1 << 0
	recordNamed = 1 << 1

	recordFixed = 1 + 1 + 8
	recordKey   = len(keyHash{}) + 32
)

// errRecord says that bytes are not a stored record.
var errRecord = errors.New("replay: not a stored event")

// recordBytesMax is what an event needs at most in its stored form.
func recordBytesMax(r *Record) int {
	n := recordFixed + recordKey + 2*binary.MaxVarintLen32 + len(r.Event.Name) + len(r.Event.Data)
	for _, t := range r.Event.Topics {
		n += binary.MaxVarintLen32 + len(t)
	}
	return n
}

// appendRecord appends the stored form of an event; hash is read where the record has a key.
func appendRecord(dst []byte, r *Record, hash *keyHash, ms int64) []byte {
	e := r.Event
	var flags byte
	if r.Key != "" {
		flags |= recordKeyed
	}
	if e.Name != "" {
		flags |= recordNamed
	}
	dst = append(dst, recordVersion, flags)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(ms))
	if r.Key != "" {
		dst = append(dst, hash[:]...)
		dst = append(dst, r.Sum[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Topics)))
	for _, t := range e.Topics {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
		dst = append(dst, t...)
	}
	if e.Name != "" {
		dst = binary.AppendUvarint(dst, uint64(len(e.Name)))
		dst = append(dst, e.Name...)
	}
	return append(dst, e.Data...)
}

// A recordView is a stored record taken apart. Its slices are parts of the record's bytes.
type recordView struct {
	ms         int64  // unix milliseconds of the append
	key        []byte // hash and sum, recordKey bytes; nil without a key
	topics     []byte // the topics as they are stored, without their count
	topicCount int
	name       []byte
	data       []byte
}

// hash is the hash of the record's key; there must be one.
func (v *recordView) hash() keyHash { return keyHash(v.key) }

// sum is the fingerprint beside the key; there must be one.
func (v *recordView) sum() [32]byte { return [32]byte(v.key[len(keyHash{}):]) }

// parseRecord takes a stored record apart, whatever it is: it allocates only for an error.
func parseRecord(b []byte) (v recordView, err error) {
	if len(b) < recordFixed || b[0] != recordVersion || b[1]&^(recordKeyed|recordNamed) != 0 {
		return v, badRecord(b, "head")
	}
	flags := b[1]
	v.ms = int64(binary.LittleEndian.Uint64(b[2:]))
	rest := b[recordFixed:]
	if flags&recordKeyed != 0 {
		if len(rest) < recordKey {
			return v, badRecord(b, "key")
		}
		v.key, rest = rest[:recordKey:recordKey], rest[recordKey:]
	}
	count, rest, ok := cutUvarint(rest)
	if !ok || count > uint64(len(rest)) {
		return v, badRecord(b, "topics")
	}
	topics := rest
	for range count {
		if _, rest, ok = cutText(rest); !ok {
			return v, badRecord(b, "topics")
		}
	}
	v.topics, v.topicCount = topics[:len(topics)-len(rest)], int(count)
	if flags&recordNamed != 0 {
		if v.name, rest, ok = cutText(rest); !ok || len(v.name) == 0 {
			return v, badRecord(b, "name")
		}
	}
	v.data = rest
	return v, nil
}

// badRecord names the part that is wrong.
func badRecord(b []byte, part string) error {
	return fmt.Errorf("%w: %s of %d bytes", errRecord, part, len(b))
}

// cutUvarint takes a number off the front, in its shortest form only.
func cutUvarint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], true
	}
	v, n := binary.Uvarint(b)
	if n <= 0 || b[n-1] == 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// cutText takes a length and that many bytes off the front.
func cutText(b []byte) (text, rest []byte, ok bool) {
	n, rest, ok := cutUvarint(b)
	if !ok || n > uint64(len(rest)) {
		return nil, nil, false
	}
	return rest[:n:n], rest[n:], true
}

// internedMax is how many lists of topics, and how many names, a decoder remembers: those
// of a page or two. What is remembered is shared by the events that have it.
const internedMax = 128

// A topicList is topics in both forms: as they are stored, and cut out of the same bytes.
type topicList struct {
	stored string
	list   []string
}

// A recordDecoder makes events of stored records. It belongs to one goroutine at a time.
type recordDecoder struct {
	topics map[string]topicList // by what is stored
	names  map[string]string

	lastTopics topicList // of the record before: the most likely ones
	lastName   string
}

// decode fills an event, except for its ID. Its data is part of v: it is the caller's to
// seal the event before those bytes are used again.
func (d *recordDecoder) decode(v *recordView, e *sse.Event) {
	if string(v.topics) != d.lastTopics.stored {
		d.internTopics(v)
	}
	if string(v.name) != d.lastName {
		d.internName(v)
	}
	e.Topics, e.Name, e.Data = d.lastTopics.list, d.lastName, v.data
}

// internTopics makes the topics of v the last ones.
func (d *recordDecoder) internTopics(v *recordView) {
	known, ok := d.topics[string(v.topics)]
	if !ok {
		known.stored = string(v.topics)
		if v.topicCount > 0 {
			known.list = make([]string, v.topicCount)
		}
		rest := v.topics
		for i := range known.list {
			var t []byte
			t, rest, _ = cutText(rest) // parseRecord has been through it
			end := len(v.topics) - len(rest)
			known.list[i] = known.stored[end-len(t) : end]
		}
		if d.topics == nil || len(d.topics) >= internedMax {
			d.topics = make(map[string]topicList)
		}
		d.topics[known.stored] = known
	}
	d.lastTopics = known
}

// internName makes the name of v the last one.
func (d *recordDecoder) internName(v *recordView) {
	name, ok := d.names[string(v.name)]
	if !ok {
		name = string(v.name)
		if d.names == nil || len(d.names) >= internedMax {
			d.names = make(map[string]string)
		}
		d.names[name] = name
	}
	d.lastName = name
}
