package simio

// keepBytesMax is the largest buffer kept for reuse when it has become empty.
const keepBytesMax = 64 << 10

// buffers holds the bytes of those sockets that have any, so that a quiet one costs
// nothing but an index. Index 0 is no buffer.
type buffers struct {
	q    []queue
	free []uint32
}

// queue is bytes in order; b[head:] are there.
type queue struct {
	b    []byte
	head int
}

func newBuffers() buffers { return buffers{q: make([]queue, 1)} }

// push appends p to the buffer *at, making one if there is none.
func (b *buffers) push(at *uint32, p []byte) {
	if len(p) == 0 {
		return
	}
	if *at == 0 {
		if n := len(b.free); n > 0 {
			*at, b.free = b.free[n-1], b.free[:n-1]
		} else {
			*at = uint32(len(b.q))
			b.q = append(b.q, queue{})
		}
	}
	q := &b.q[*at]
	if q.head > len(q.b)/2 {
		q.b = q.b[:copy(q.b, q.b[q.head:])]
		q.head = 0
	}
	q.b = append(q.b, p...)
}

// view is all of the buffer, valid until it is next touched.
func (b *buffers) view(at uint32) []byte {
	q := &b.q[at]
	return q.b[q.head:]
}

// skip drops the first n bytes of the buffer *at, and an empty buffer.
func (b *buffers) skip(at *uint32, n int) {
	if n == 0 {
		return
	}
	q := &b.q[*at]
	q.head += n
	b.giveBack(at)
}

// cut drops the last n bytes of the buffer *at, and an empty buffer.
func (b *buffers) cut(at *uint32, n int) {
	if n == 0 {
		return
	}
	q := &b.q[*at]
	q.b = q.b[:len(q.b)-n]
	b.giveBack(at)
}

// giveBack frees the buffer *at if it is empty.
func (b *buffers) giveBack(at *uint32) {
	q := &b.q[*at]
	if q.head < len(q.b) {
		return
	}
	q.b, q.head = q.b[:0], 0
	if cap(q.b) > keepBytesMax {
		q.b = nil
	}
	b.free = append(b.free, *at)
	*at = 0
}

// drop empties and frees the buffer *at, if there is one.
func (b *buffers) drop(at *uint32) {
	if *at != 0 {
		b.skip(at, len(b.view(*at)))
	}
}
