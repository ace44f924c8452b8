package ringbuf

// Mailbox is a bounded queue from many producers to one consumer. Any
// goroutine may push; one at a time may take. The consumer's role may move to
// another goroutine if there is a happens-before edge between the two.
//
// It is a [Broadcast] with a single reader, who, being the last one by
// definition, can clear each slot as it leaves.
type Mailbox[T any] struct {
	ring   *Broadcast[T]
	reader *Reader[T] // the consumer's
}

// NewMailbox makes a mailbox of size slots, a power of two from SizeMin to
// SizeMax.
func NewMailbox[T any](size int) (*Mailbox[T], error) {
	ring, err := NewBroadcast[T](size, 1)
	if err != nil {
		return nil, err
	}
	return &Mailbox[T]{ring: ring, reader: ring.Reader(0)}, nil
}

// TryPush puts v at the end of the queue, or returns false when the mailbox is
// full. It never waits. Any goroutine may call it; what one goroutine pushes
// is taken in that order.
func (m *Mailbox[T]) TryPush(v T) bool {
	_, ok := m.ring.TryPublish(v)
	return ok
}

// Pop takes the oldest value, or returns false when there is none. The slot is
// cleared, so the mailbox keeps nothing alive. Consumer only.
func (m *Mailbox[T]) Pop() (v T, ok bool) {
	head := m.reader.released.Load()
	if head == m.reader.available && m.reader.Available() == head {
		return v, false
	}
	var zero T
	p := m.reader.At(head)
	v, *p = *p, zero
	m.reader.Release(head + 1)
	return v, true
}

// PopInto takes up to len(dst) of the oldest values, stores them in order from
// dst[0] and returns how many. All their slots are cleared and given back with
// one atomic store. Consumer only.
func (m *Mailbox[T]) PopInto(dst []T) int {
	var zero T
	head := m.reader.released.Load()
	n := min(m.reader.Available()-head, uint64(len(dst)))
	for i := range dst[:n] {
		p := m.reader.At(head + uint64(i))
		dst[i], *p = *p, zero
	}
	m.reader.Release(head + n)
	return int(n)
}

// Empty reports whether Pop would return false: the condition to wait on at a
// [Gate]. A value whose push has not yet returned, and any behind it, may not
// count. Consumer only.
func (m *Mailbox[T]) Empty() bool {
	return m.reader.Available() == m.reader.released.Load()
}

// Len returns how many slots are taken, from 0 to Size, pushes under way
// included. It is a snapshot, for gauges and for shedding load. Any goroutine
// may call it.
func (m *Mailbox[T]) Len() int { return m.ring.Lag(0) }

// Size returns the number of slots.
func (m *Mailbox[T]) Size() int { return m.ring.Size() }
