//go:build linux

package topics

// Cursor walks the members of a set over as many turns as its owner likes, while rows
// join and leave: each member that was there at Start and is there until its turn comes
// is visited, none twice, and none that joined after Start. The zero value is ready for
// Start; while it is active a Cursor must not be copied.
type Cursor struct {
	x          *Index // nil: not active
	set        Set
	at         uint32 // the member that comes next; 0: the end
	prev, next *Cursor
}

// Start puts c, which must not be active, before the newest member of s. The set must
// be valid (held, or with members); it stays so until Stop.
func (x *Index) Start(s Set, c *Cursor) {
	if c.x != nil {
		panic("topics: Start of an active cursor")
	}
	*c = Cursor{x: x, set: s, at: x.sets[s].head}
	x.sets[s].walk = x.walks.add(x.sets[s].walk, c)
}

// Peek gives the row that Next would give, or 0 (which is a row too) at the end: a hint
// for whoever wants to have it at hand by then.
func (c *Cursor) Peek() uint32 {
	if c.at == 0 {
		return 0
	}
	return c.x.members.rows[c.at].row
}

// Next gives the row of the next member. After the last one ok is false and the cursor
// is stopped.
func (c *Cursor) Next() (row uint32, ok bool) {
	if c.at == 0 {
		if c.x != nil {
			c.x.Stop(c)
		}
		return 0, false
	}
	m := &c.x.members.rows[c.at]
	c.at = m.next
	return m.row, true
}

// Stop ends a walk. On a cursor that is not active it does nothing.
func (x *Index) Stop(c *Cursor) {
	if c.x == nil {
		return
	}
	s := c.set
	x.sets[s].walk = x.walks.remove(x.sets[s].walk, c)
	*c = Cursor{}
	x.tidy(s)
}

// walks are the active cursors, a list for each set that has any. A set names its list
// by the slot, so the tables stay without pointers and a Leave looks only at the cursors
// of its own set.
type walks struct {
	first []*Cursor // by slot; 0 is unused
	free  []uint32
	live  int
}

// walksWarm is how many sets are walked at once before the lists grow: fan-outs of that
// many namespaces under way in one loop.
const walksWarm = 64

func newWalks() walks {
	return walks{first: make([]*Cursor, 1, walksWarm), free: make([]uint32, 0, walksWarm)}
}

// add puts c into the list at slot, or for 0 a new one, and gives the slot.
func (w *walks) add(slot uint32, c *Cursor) uint32 {
	if slot == 0 {
		w.live++
		if n := len(w.free); n > 0 {
			slot = w.free[n-1]
			w.free = w.free[:n-1]
		} else {
			slot = uint32(len(w.first))
			w.first = append(w.first, nil)
		}
	}
	if c.next = w.first[slot]; c.next != nil {
		c.next.prev = c
	}
	w.first[slot] = c
	return slot
}

// remove takes c out of the list at slot and gives the slot, or 0 if it was the last.
func (w *walks) remove(slot uint32, c *Cursor) uint32 {
	if c.next != nil {
		c.next.prev = c.prev
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.first[slot] = c.next
	}
	if w.first[slot] != nil {
		return slot
	}
	w.live--
	w.free = append(w.free, slot)
	return 0
}

// step moves the cursors of a slot on from a member that goes.
func (w *walks) step(slot, member, next uint32) {
	for c := w.first[slot]; c != nil; c = c.next {
		if c.at == member {
			c.at = next
		}
	}
}
