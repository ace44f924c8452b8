package replay

// dequePage is how many items one page of a deque holds. It is also the most items that
// any code here handles under one lock: 64 entries of 24 bytes are 1.5 KiB, small enough
// for a namespace with one event, and a few hundred nanoseconds of work.
const dequePage = 64

// A deque is a queue in pages: it grows without copying what it holds, gives pages back
// as they empty, and owns nothing when it is empty. Its zero value is ready. It belongs
// to whoever holds the lock of the struct it is in.
type deque[T any] struct {
	pages []*[dequePage]T
	head  int // items of pages[0] that were popped
	n     int // items held
}

// at gives the item i, 0 is the oldest. The pointer is good until that item is popped.
func (d *deque[T]) at(i int) *T {
	i += d.head
	return &d.pages[i/dequePage][i%dequePage]
}

// push adds an item at the new end.
func (d *deque[T]) push(v T) {
	i := d.head + d.n
	if i == len(d.pages)*dequePage {
		d.pages = append(d.pages, new([dequePage]T))
	}
	d.pages[i/dequePage][i%dequePage] = v
	d.n++
}

// pop removes the oldest item; there must be one.
func (d *deque[T]) pop() T {
	p := &d.pages[0][d.head]
	v := *p
	clear(d.pages[0][d.head : d.head+1]) // the page lives on, what the item points to may go
	d.head++
	d.n--
	switch {
	case d.n == 0:
		*d = deque[T]{}
	case d.head == dequePage:
		d.pages[0] = nil
		d.pages = d.pages[1:] // append moves the rest to a fresh array when this one is used up
		d.head = 0
	}
	return v
}
