//go:build linux

package topics

import (
	"errors"

	"throng/poller"
)

const (
	chunkBytes = 32 // half a cache line; most names, all up to 27 bytes, fit one
	chunkText  = chunkBytes - 4
	bucketsMin = 16 // one cache line of buckets
)

// entry is one name of a dict.
type entry struct {
	hash uint32
	next uint32 // in the bucket's list; in the free list
	key  uint32
	text uint32 // first chunk
}

func (e *entry) link() *uint32 { return &e.next }

// chunk is a piece of a name. The first byte of a name's first chunk is its length.
// Pieces of one size can never be fragmented: what is free always fits.
type chunk struct {
	next uint32 // of the same name; in the free list
	text [chunkText]byte
}

func (c *chunk) link() *uint32 { return &c.next }

type chunkPool = pool[chunk, *chunk]

// chunksFor is how many chunks a name of n bytes takes.
func chunksFor(n int) int { return (1 + n + chunkText - 1) / chunkText }

// dict numbers names; a name is a key and 0 to 255 bytes. Numbers are dense and stay
// until the name is removed, so other tables use them as their index.
//
// Names are found by linear hashing (W. Litwin, "Linear Hashing: A New Tool for File and
// Table Addressing", VLDB 1980): with one bucket for each entry, an add splits one
// bucket and nothing else moves.
type dict struct {
	entries pool[entry, *entry]
	slab    *poller.Slab[uint32]
	buckets []uint32 // first entry of each; n are in use
	n       uint32
	mask    uint32 // the smallest 2^k-1 >= n-1
	peak    uint32 // the largest n so far
	chunks  *chunkPool
	full    error // what add says when there is no entry left
}

func newDict(max int, chunks *chunkPool, full error) (dict, error) {
	slab, err := poller.NewSlab[uint32](max + bucketsMin)
	if err != nil {
		return dict{}, err
	}
	d := dict{slab: slab, buckets: slab.Rows(), n: bucketsMin, mask: bucketsMin - 1, peak: bucketsMin, chunks: chunks, full: full}
	d.entries, err = newPool[entry](max)
	if err != nil {
		return dict{}, errors.Join(err, slab.Close())
	}
	return d, nil
}

func (d *dict) close() error {
	d.buckets = nil
	return errors.Join(d.entries.close(), closeSlab(d.slab))
}

// bytes is how much of entries and buckets has ever been written.
func (d *dict) bytes() int {
	return d.entries.bytes() + 4*int(d.peak)
}

// bucket is where names with this hash are.
func (d *dict) bucket(hash uint32) uint32 {
	b := hash & d.mask
	if b >= d.n { // not split off yet
		b &= d.mask >> 1
	}
	return b
}

// find gives the name's number, or 0.
func (d *dict) find(key, hash uint32, name string) uint32 {
	id := d.buckets[d.bucket(hash)]
	for id != 0 {
		e := &d.entries.rows[id]
		if e.hash == hash && e.key == key && d.equal(e.text, name) {
			return id
		}
		id = e.next
	}
	return 0
}

// add gives a number to a name that has none, or fails with nothing changed.
func (d *dict) add(key, hash uint32, name string) (uint32, error) {
	if d.entries.room() == 0 {
		return 0, d.full
	}
	if d.chunks.room() < chunksFor(len(name)) {
		return 0, errFullNames
	}
	id := d.entries.take()
	b := d.bucket(hash)
	d.entries.rows[id] = entry{hash: hash, next: d.buckets[b], key: key, text: d.store(name)}
	d.buckets[b] = id
	if d.entries.live > d.n {
		d.split()
	}
	return id, nil
}

// remove frees the number and its name.
func (d *dict) remove(id uint32) {
	e := &d.entries.rows[id]
	at := &d.buckets[d.bucket(e.hash)]
	for *at != id {
		at = &d.entries.rows[*at].next
	}
	*at = e.next
	for c := e.text; c != 0; {
		next := d.chunks.rows[c].next
		d.chunks.give(c)
		c = next
	}
	d.entries.give(id)
	for d.n > bucketsMin && d.n > 2*d.entries.live { // at most two rounds
		d.merge()
	}
}

// split adds a bucket and moves to it what belongs there, out of the one bucket that
// has held it so far.
func (d *dict) split() {
	added := d.n
	d.n++
	d.peak = max(d.peak, d.n)
	if added > d.mask {
		d.mask = d.mask<<1 | 1
	}
	from := &d.buckets[added&(d.mask>>1)]
	to := &d.buckets[added]
	*to = 0
	for *from != 0 {
		id := *from
		e := &d.entries.rows[id]
		if e.hash&d.mask != added {
			from = &e.next
			continue
		}
		*from = e.next
		e.next = *to
		*to = id
	}
}

// merge undoes the last split. A table that has shrunk then keeps few buckets in the
// processor's caches.
func (d *dict) merge() {
	d.n--
	end := &d.buckets[d.n&(d.mask>>1)]
	for *end != 0 {
		end = &d.entries.rows[*end].next
	}
	*end = d.buckets[d.n]
	if d.n == d.mask>>1+1 {
		d.mask >>= 1
	}
}

// store puts a name into chunks and gives the first. There must be room.
func (d *dict) store(name string) uint32 {
	first := d.chunks.take()
	c := &d.chunks.rows[first]
	c.text[0] = byte(len(name))
	name = name[copy(c.text[1:], name):]
	for name != "" {
		c.next = d.chunks.take()
		c = &d.chunks.rows[c.next]
		name = name[copy(c.text[:], name):]
	}
	c.next = 0
	return first
}

// equal compares a stored name.
func (d *dict) equal(text uint32, name string) bool {
	c := &d.chunks.rows[text]
	if int(c.text[0]) != len(name) {
		return false
	}
	part := c.text[1:]
	for {
		n := min(len(part), len(name))
		if string(part[:n]) != name[:n] {
			return false
		}
		if name = name[n:]; name == "" {
			return true
		}
		c = &d.chunks.rows[c.next]
		part = c.text[:]
	}
}

// name gives a stored name: a view of the table, or of buf when it is in pieces.
func (d *dict) name(id uint32, buf *[BytesMax]byte) []byte {
	c := &d.chunks.rows[d.entries.rows[id].text]
	size := int(c.text[0])
	if size < chunkText {
		return c.text[1 : 1+size]
	}
	n := copy(buf[:size], c.text[1:])
	for n < size {
		c = &d.chunks.rows[c.next]
		n += copy(buf[n:size], c.text[:])
	}
	return buf[:size]
}
