package loops

// fifo is a queue that keeps its memory while it is in use and returns to its start
// whenever it runs empty.
type fifo[T any] struct {
	items []T
	at    int
}

func (q *fifo[T]) len() int { return len(q.items) - q.at }

// all is what is in the queue, oldest first, valid until it is next changed.
func (q *fifo[T]) all() []T { return q.items[q.at:] }

func (q *fifo[T]) head() T { return q.items[q.at] }

func (q *fifo[T]) push(v T) {
	if q.at >= cap(q.items)/2 && len(q.items) == cap(q.items) && q.at > 0 {
		n := copy(q.items, q.items[q.at:])
		q.items, q.at = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

func (q *fifo[T]) pop() T {
	v := q.items[q.at]
	var none T
	q.items[q.at] = none
	q.at++
	if q.at == len(q.items) {
		q.items, q.at = q.items[:0], 0
	}
	return v
}
