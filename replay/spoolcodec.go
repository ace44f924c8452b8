package replay

import (
	"encoding/binary"
	"fmt"

	"throng/sse"
)

// An event that waits is kept as a version, flags, the epoch of its number, the fingerprint
// of 32 bytes, then namespace, key (if it has one), topics behind their count, name and data;
// each text behind its length. Numbers are uvarints.
const (
	spooledVersion = 1
	spooledKeyed   = 1 << 0
	spooledFixed   = 2
)

func appendSpooled(dst []byte, epoch uint64, ns string, r *Record) []byte {
	e := r.Event
	size := spooledFixed + binary.MaxVarintLen64 + len(r.Sum) + 5*binary.MaxVarintLen32 + len(ns) + len(r.Key) + len(e.Name) + len(e.Data)
	for _, t := range e.Topics {
		size += binary.MaxVarintLen32 + len(t)
	}
	if dst == nil {
		dst = make([]byte, 0, size)
	}
	var flags byte
	if r.Key != "" {
		flags |= spooledKeyed
	}
	dst = append(dst, spooledVersion, flags)
	dst = binary.AppendUvarint(dst, epoch)
	dst = append(dst, r.Sum[:]...)
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	text(ns)
	if r.Key != "" {
		text(r.Key)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Topics)))
	for _, t := range e.Topics {
		text(t)
	}
	text(e.Name)
	dst = binary.AppendUvarint(dst, uint64(len(e.Data)))
	return append(dst, e.Data...)
}

// spooledNamespace reads the namespace alone.
func spooledNamespace(b []byte) (string, error) {
	_, ns, _, err := spooledHead(b)
	return string(ns), err
}

// spooledHead reads what comes before the key.
func spooledHead(b []byte) (epoch uint64, ns, rest []byte, err error) {
	const sum = len(Record{}.Sum)
	if len(b) < spooledFixed || b[0] != spooledVersion || b[1]&^spooledKeyed != 0 {
		return 0, nil, nil, badRecord(b, "head of a spooled event")
	}
	epoch, rest, ok := cutUvarint(b[spooledFixed:])
	if !ok || len(rest) < sum {
		return 0, nil, nil, badRecord(b, "epoch of a spooled event")
	}
	if ns, rest, ok = cutText(rest[sum:]); !ok {
		return 0, nil, nil, badRecord(b, "namespace of a spooled event")
	}
	return epoch, ns, rest, nil
}

// parseSpooled makes a Record of what waits under a number. Nothing of b is kept. A record
// without a key of its publisher gets one of the spool's.
func parseSpooled(b []byte, identity string, number uint64) (r Record, err error) {
	epoch, ns, rest, err := spooledHead(b)
	if err != nil {
		return r, err
	}
	r.Sum = [32]byte(b[len(b)-len(rest)-len(ns)-uvarintBytes(len(ns))-len(r.Sum):])
	var text []byte
	ok := true
	r.Key = fmt.Sprintf("spool-%s-%d-%d", identity, epoch, number)
	if b[1]&spooledKeyed != 0 {
		text, rest, ok = cutText(rest)
		r.Key = string(text)
	}
	count := uint64(0)
	if ok {
		count, rest, ok = cutUvarint(rest)
	}
	e := &sse.Event{}
	if ok = ok && count <= uint64(len(rest)); ok {
		e.Topics = make([]string, 0, count)
	}
	for i := uint64(0); ok && i < count; i++ {
		text, rest, ok = cutText(rest)
		e.Topics = append(e.Topics, string(text))
	}
	if ok {
		text, rest, ok = cutText(rest)
		e.Name = string(text)
	}
	if ok {
		text, rest, ok = cutText(rest)
		e.Data = append([]byte{}, text...)
	}
	if !ok || len(rest) > 0 {
		return r, badRecord(b, "body of a spooled event")
	}
	r.Event = e
	return r, nil
}

// uvarintBytes is how long a length is in its stored form.
func uvarintBytes(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}
