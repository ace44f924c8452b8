package replay

// spoolSent is which numbers need not be sent any more: all below head, and some beyond it,
// since a namespace that can't be written to does not hold up the others. It takes a bit
// for each number from head to the newest one that was sent.
type spoolSent struct {
	head uint64   // lowest number that was not sent
	bits []uint64 // numbers from base on
	base uint64   // a multiple of 64
}

// has tells whether a number was sent.
func (s *spoolSent) has(n uint64) bool {
	if n < s.head {
		return true
	}
	i := (n - s.base) / 64
	return i < uint64(len(s.bits)) && s.bits[i]&(1<<(n%64)) != 0
}

// add notes that a number was sent.
func (s *spoolSent) add(n uint64) {
	if n < s.head {
		return
	}
	for i := (n - s.base) / 64; i >= uint64(len(s.bits)); {
		s.bits = append(s.bits, 0)
	}
	s.bits[(n-s.base)/64] |= 1 << (n % 64)
	for s.has(s.head) {
		s.head++
	}
	if k := (s.head - s.base) / 64; k > uint64(len(s.bits)/2) {
		k = min(k, uint64(len(s.bits)))
		s.bits = append(s.bits[:0], s.bits[k:]...)
		s.base += 64 * k
	}
}

// reset says that all below head was sent, and nothing else.
func (s *spoolSent) reset(head uint64) {
	*s = spoolSent{head: head, base: head &^ 63}
}
