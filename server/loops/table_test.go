package loops

import (
	"math/rand/v2"
	"testing"

	"throng/poller"
)

func newTestTable(t *testing.T, rows, pins int) *table {
	t.Helper()
	tab, err := newTable(rows, pins)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tab.close)
	return tab
}

// tableModel is what a table should hold.
type tableModel struct {
	*testing.T
	tab   *table
	rng   *rand.Rand
	rows  map[uint32]poller.Token
	pins  map[uint32]string // by row
	stale []poller.Token
}

func TestTable_BehavesLikeAMap(t *testing.T) {
	const rows, pins = 40, 7
	m := &tableModel{T: t, tab: newTestTable(t, rows, pins), rng: rand.New(rand.NewPCG(1, 4)),
		rows: map[uint32]poller.Token{}, pins: map[uint32]string{}}
	for step := range 50_000 {
		switch {
		case m.rng.IntN(3) > 0:
			m.touch(pins)
		case m.rng.IntN(2) == 0:
			m.take(rows)
		default:
			m.put()
		}
		if step%100 == 0 {
			m.compare()
		}
	}
	for slot := range m.rows {
		m.tab.put(slot)
	}
	if m.tab.count != 0 || m.tab.pinned() != 0 || freeSides(m.tab) != int(m.tab.sidesUsed)-1 {
		t.Errorf("%d rows, %d pins left, %d of %d sides free", m.tab.count, m.tab.pinned(), freeSides(m.tab), m.tab.sidesUsed-1)
	}
}

func (m *tableModel) take(rowsMax int) {
	slot := m.tab.take()
	if full := len(m.rows) == rowsMax; full != (slot == 0) {
		m.Fatalf("with %d rows take gives %d", len(m.rows), slot)
	}
	if slot == 0 {
		return
	}
	if _, taken := m.rows[slot]; taken {
		m.Fatalf("slot %d is given twice", slot)
	}
	r := &m.tab.rows[slot]
	if *r != (row{gen: r.gen}) {
		m.Fatalf("slot %d is not clean: %+v", slot, *r)
	}
	r.state = stateLive
	m.rows[slot] = m.tab.token(slot)
}

func (m *tableModel) put() {
	for slot, token := range m.rows {
		m.tab.put(slot)
		m.stale = append(m.stale, token)
		delete(m.rows, slot)
		delete(m.pins, slot)
		return
	}
}

// touch pins, changes or lets go of a row's bytes.
func (m *tableModel) touch(pinsMax int) {
	for slot := range m.rows {
		s := m.tab.sideOf(slot)
		switch _, pinned := m.pins[slot]; {
		case pinned && m.rng.IntN(2) == 0:
			m.tab.dropSide(slot)
			delete(m.pins, slot)
		case pinned:
			m.tab.unpin(s)
			m.tab.unpin(s) // changes nothing
			delete(m.pins, slot)
		default:
			text := string(rune('a' + m.rng.IntN(26)))
			ok := m.tab.pin(s, []byte(text))
			if want := len(m.pins) < pinsMax; ok != want {
				m.Fatalf("with %d pins of %d: %v", len(m.pins), pinsMax, ok)
			}
			if ok {
				m.pins[slot] = text
			}
		}
		return
	}
}

func (m *tableModel) compare() {
	m.Helper()
	if m.tab.count != len(m.rows) || m.tab.pinned() != len(m.pins) {
		m.Fatalf("%d rows and %d pins, want %d and %d", m.tab.count, m.tab.pinned(), len(m.rows), len(m.pins))
	}
	for slot, token := range m.rows {
		r := m.tab.find(token)
		if r != &m.tab.rows[slot] {
			m.Fatalf("the token of slot %d does not find its row", slot)
		}
		held := ""
		if r.side != 0 {
			held = string(m.tab.pins[m.tab.sides[r.side].pin])
		}
		if held != m.pins[slot] {
			m.Fatalf("slot %d holds %q, want %q", slot, held, m.pins[slot])
		}
	}
	for _, token := range m.stale {
		if m.tab.find(token) != nil {
			m.Fatalf("the stale token %#x finds a row", token)
		}
	}
}

func TestTable_FindsNothingOutside(t *testing.T) {
	tab := newTestTable(t, 3, 1)
	slot := tab.take()
	for _, token := range []poller.Token{0, poller.MakeToken(0, 0), poller.MakeToken(2, 0), poller.MakeToken(1<<31, 0), tab.token(slot)} {
		if tab.find(token) != nil { // the last one: taken, but it has no state yet
			t.Errorf("token %#x finds a row", token)
		}
	}
}

func TestTable_UsesFreedSlotsFirst(t *testing.T) {
	tab := newTestTable(t, 1000, 1)
	for range 10 {
		tab.take()
	}
	tab.put(3)
	tab.put(7)
	if a, b, c := tab.take(), tab.take(), tab.take(); a != 7 || b != 3 || c != 11 {
		t.Errorf("slots %d, %d, %d; want 7, 3, 11", a, b, c)
	}
}
