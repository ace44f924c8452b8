package ringbuf

import (
	"testing"
	"unsafe"
)

// word is where a hot word lies in its struct, in bytes.
type word struct {
	name         string
	offset, size uintptr
}

// requireApart fails unless neighbours in words, which are in order, have a
// whole line between them, so that no alignment puts two on one line.
func requireApart(t *testing.T, words ...word) {
	t.Helper()
	for i := 1; i < len(words); i++ {
		a, b := words[i-1], words[i]
		if b.offset < a.offset+a.size+lineBytes {
			t.Errorf("%s at %d and %s at %d are less than %d bytes apart", a.name, a.offset, b.name, b.offset, lineBytes)
		}
	}
}

func TestLayout_BroadcastHotWordsOnTheirOwnLines(t *testing.T) {
	var b Broadcast[uint64]
	requireApart(t,
		word{"readers", unsafe.Offsetof(b.readers), unsafe.Sizeof(b.readers)},
		word{"claimed", unsafe.Offsetof(b.claimed), unsafe.Sizeof(b.claimed)},
		word{"gate", unsafe.Offsetof(b.gate), unsafe.Sizeof(b.gate)},
		word{"what follows", unsafe.Sizeof(b), 0},
	)
}

func TestLayout_ReaderHotWordsOnTheirOwnLines(t *testing.T) {
	var r [2]Reader[uint64]
	next := unsafe.Sizeof(r[0])
	requireApart(t,
		word{"available", unsafe.Offsetof(r[0].available), unsafe.Sizeof(r[0].available)},
		word{"released", unsafe.Offsetof(r[0].released), unsafe.Sizeof(r[0].released)},
		word{"the next reader's slots", next + unsafe.Offsetof(r[1].slots), unsafe.Sizeof(r[1].slots)},
		word{"the next reader's released", next + unsafe.Offsetof(r[1].released), unsafe.Sizeof(r[1].released)},
	)
}

func TestLayout_GateHotWordsOnTheirOwnLines(t *testing.T) {
	var g Gate
	requireApart(t,
		word{"strategy", unsafe.Offsetof(g.strategy), unsafe.Sizeof(g.strategy)},
		word{"waiting", unsafe.Offsetof(g.waiting), unsafe.Sizeof(g.waiting)},
		word{"mu", unsafe.Offsetof(g.mu), unsafe.Sizeof(g.mu)},
	)
}

func TestLayout_SlotTakesEightBytesBesideItsValue(t *testing.T) {
	if size := unsafe.Sizeof(slot[*int]{}); size != 8+unsafe.Sizeof((*int)(nil)) {
		t.Errorf("a slot of a pointer takes %d bytes", size)
	}
}
