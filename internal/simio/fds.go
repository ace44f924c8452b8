package simio

import "math/bits"

// fdFirst is the lowest number given out: 0, 1 and 2 are taken in every process.
const fdFirst = 3

// fdTable maps descriptors to socket slots and gives out the lowest free number, as
// POSIX wants it: a number that was closed is back at once.
type fdTable struct {
	slots  []uint32 // by fd: slot+1, 0 if closed; grows up to max entries
	used   []uint64 // bit set: open, or below fdFirst
	lowest int      // no number below it is free
	max    int      // first number that is never given out
	open   int
}

func newFDTable(fds int) fdTable {
	return fdTable{used: []uint64{1<<fdFirst - 1}, slots: make([]uint32, fdFirst), max: fds + fdFirst, lowest: fdFirst}
}

// take opens the lowest free number for slot; -1 if there is none.
func (f *fdTable) take(slot uint32) int {
	w := f.lowest / 64
	for w < len(f.used) && f.used[w] == ^uint64(0) {
		w++
	}
	if w == len(f.used) {
		f.used = append(f.used, 0)
	}
	fd := w*64 + bits.TrailingZeros64(^f.used[w])
	f.lowest = fd
	if fd >= f.max {
		return -1
	}
	for fd >= len(f.slots) {
		f.slots = append(f.slots, 0)
	}
	f.used[w] |= 1 << (fd % 64)
	f.slots[fd] = slot + 1
	f.lowest = fd + 1
	f.open++
	return fd
}

// slot gives fd's socket slot.
func (f *fdTable) slot(fd int) (uint32, bool) {
	if fd < 0 || fd >= len(f.slots) || f.slots[fd] == 0 {
		return 0, false
	}
	return f.slots[fd] - 1, true
}

// drop closes fd, which is open.
func (f *fdTable) drop(fd int) {
	f.slots[fd] = 0
	f.used[fd/64] &^= 1 << (fd % 64)
	f.lowest = min(f.lowest, fd)
	f.open--
}
