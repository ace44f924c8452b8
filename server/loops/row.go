package loops

import (
	"throng/poller"
	"throng/sse"
	"throng/topics"
)

// state is what a row is doing; doc.go has the picture.
type state uint8

const (
	stateFree      state = iota
	stateCatchUp         // is given what the log has, up to its point of attachment
	stateLive            // fan-outs write to it
	stateLagging         // is a cursor into the ring
	stateLingering       // a refused request: the answer, then what still comes is thrown away
)

// row is one stream, or one refused request. It holds no pointer: the garbage collector
// never looks at the table. 56 bytes.
type row struct {
	cursor    uint64       // next sequence of the ring that it has not dealt with
	fd        int32        //
	gen       uint32       // of its token
	ns        uint32       // Namespace.Index
	chain     topics.Chain // its memberships
	wheelNext uint32       // rows of the same slot of the wheel
	wheelPrev uint32       //
	quiet     uint32       // tick of the last byte that the socket took
	side      uint32       // its side record; 0: none
	heard     uint32       // bytes the client has sent
	since     uint32       // tick of the hand-over
	state     state
	format    sse.Format
	queued    bool   // in the ready queue
	blocked   bool   // the socket is full: an edge will tell
	armed     bool   // the poller reports Writable
	finished  bool   // lingering: FIN sent
	trial     uint16 // number of the trial that the stream is on; 0: none
}

// side is what a row needs while it is not simply live. No pointers. 56 bytes.
type side struct {
	last sse.ID  // the client has everything that it wants up to here
	upTo sse.ID  // CatchUp: the point of attachment; below last while the client is ahead of this node
	pin  uint32  // the rest of a frame that the socket took in part; 0: none
	next uint32  // row behind it in its queue; in the free list
	prev uint32  // row before it in its queue
	head uint32  // the first of its events in the scan's picks; 0: none
	tail uint32  // the last of them
	in   queueID // the queue that it is in
	sure bool    // ahead of this node: the log knows its ID
}

// table is the rows of one loop with their side records and pins. Slot 0 is never used.
type table struct {
	slab     *poller.Slab[row]
	sideSlab *poller.Slab[side]
	rows     []row
	sides    []side
	used     uint32 // rows[1:used] have been used at least once
	free     uint32 // free list, by wheelNext
	count    int

	sidesUsed uint32
	sidesFree uint32

	pins     [][]byte
	pinsFree []uint32
	pinsMax  int
}

func newTable(rowsMax, pinsMax int) (*table, error) {
	rows, err := poller.NewSlab[row](rowsMax + 1)
	if err != nil {
		return nil, err
	}
	sides, err := poller.NewSlab[side](rowsMax + 1)
	if err != nil {
		_ = rows.Close()
		return nil, err
	}
	return &table{slab: rows, sideSlab: sides, rows: rows.Rows(), sides: sides.Rows(),
		used: 1, sidesUsed: 1, pins: make([][]byte, 1), pinsMax: pinsMax}, nil
}

// take gives a slot, lowest unused or last freed, or 0 when the table is full.
func (t *table) take() uint32 {
	slot := t.free
	switch {
	case slot != 0:
		t.free = t.rows[slot].wheelNext
	case int(t.used) < len(t.rows):
		slot = t.used
		t.used++
	default:
		return 0
	}
	t.count++
	t.rows[slot] = row{gen: t.rows[slot].gen}
	return slot
}

// put frees a slot; tokens of its old generation are stale from now on.
func (t *table) put(slot uint32) {
	t.dropSide(slot)
	r := &t.rows[slot]
	*r = row{gen: r.gen + 1, wheelNext: t.free}
	t.free = slot
	t.count--
}

// find gives the row of a token, or nil when the token is stale.
func (t *table) find(token poller.Token) *row {
	slot := token.Slot()
	if slot == 0 || slot >= t.used {
		return nil
	}
	r := &t.rows[slot]
	if r.state == stateFree || r.gen != token.Gen() {
		return nil
	}
	return r
}

func (t *table) token(slot uint32) poller.Token {
	return poller.MakeToken(slot, t.rows[slot].gen)
}

// sideOf gives the row's side record and makes one if there is none. There are as many
// as rows, so there always is one.
func (t *table) sideOf(slot uint32) *side {
	r := &t.rows[slot]
	if r.side == 0 {
		if t.sidesFree != 0 {
			r.side = t.sidesFree
			t.sidesFree = t.sides[r.side].next
		} else {
			r.side = t.sidesUsed
			t.sidesUsed++
		}
		t.sides[r.side] = side{}
	}
	return &t.sides[r.side]
}

func (t *table) dropSide(slot uint32) {
	r := &t.rows[slot]
	if r.side == 0 {
		return
	}
	s := &t.sides[r.side]
	t.unpin(s)
	s.next = t.sidesFree
	t.sidesFree = r.side
	r.side = 0
}

// pin keeps the rest of a half-sent frame; false: the table of pins is full.
func (t *table) pin(s *side, rest []byte) bool {
	if n := len(t.pinsFree); n > 0 {
		s.pin = t.pinsFree[n-1]
		t.pinsFree = t.pinsFree[:n-1]
	} else if len(t.pins) <= t.pinsMax {
		s.pin = uint32(len(t.pins))
		t.pins = append(t.pins, nil)
	} else {
		return false
	}
	t.pins[s.pin] = rest
	return true
}

func (t *table) unpin(s *side) {
	if s.pin == 0 {
		return
	}
	t.pins[s.pin] = nil
	t.pinsFree = append(t.pinsFree, s.pin)
	s.pin = 0
}

// pinned is how many half-sent frames are kept.
func (t *table) pinned() int { return len(t.pins) - 1 - len(t.pinsFree) }

func (t *table) close() {
	_ = t.slab.Close()
	_ = t.sideSlab.Close()
}
