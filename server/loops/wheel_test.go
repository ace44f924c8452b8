package loops

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestTicks_RoundUp(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		0: 0, 1: 1, tickLength - 1: 1, tickLength: 1, tickLength + 1: 2, 30 * time.Second: 120,
	} {
		if got := ticks(d); got != want {
			t.Errorf("%v: %d ticks, want %d", d, got, want)
		}
	}
}

// wheelModel is a wheel as a list of due times.
type wheelModel struct {
	wheel
	due map[uint32]uint32 // by row
}

func (m *wheelModel) file(slot, due uint32) {
	m.add(slot, due)
	m.due[slot] = due
}

func (m *wheelModel) drop(slot uint32) {
	m.remove(slot)
	delete(m.due, slot)
}

func TestWheel_ShowsEveryRowInItsTick(t *testing.T) {
	for _, start := range []uint32{0, 1 << 31, ^uint32(0) - 3000} {
		rng := rand.New(rand.NewPCG(uint64(start), 1))
		const rows = 200
		m := &wheelModel{wheel: wheel{rows: make([]row, rows+1), tick: start}, due: map[uint32]uint32{}}
		now := start
		for range 20_000 {
			slot := 1 + rng.Uint32N(rows)
			switch _, in := m.due[slot]; {
			case in:
				m.drop(slot)
			case rng.IntN(4) == 0:
				m.file(slot, now+rng.Uint32N(3*wheelSlots))
			default:
				m.file(slot, now+rng.Uint32N(20)-2) // also what is overdue already
			}
			if rng.IntN(3) == 0 {
				now += rng.Uint32N(4)
				m.expire(t, now)
			}
		}
		for slot := range m.due {
			m.drop(slot)
		}
		for i, head := range m.slots {
			if head != 0 {
				t.Fatalf("slot %d of the wheel holds row %d, which was removed", i, head)
			}
		}
	}
}

// expire empties the wheel up to now like a loop: what is not due is filed again. Nothing
// overdue by more than the tick it takes at least may be left.
func (m *wheelModel) expire(t *testing.T, now uint32) {
	t.Helper()
	for looks := 0; ; looks++ {
		slot := m.next(now)
		if slot == 0 {
			break
		}
		due, in := m.due[slot]
		if !in {
			t.Fatalf("tick %d: row %d is shown but was removed", now, slot)
		}
		m.drop(slot)
		if int32(due-now) > 0 { // an early look
			m.file(slot, due)
		}
		if looks > 10_000 {
			t.Fatalf("tick %d: no end", now)
		}
	}
	if m.tick != now {
		t.Fatalf("the wheel stands at %d, want %d", m.tick, now)
	}
	for slot, due := range m.due {
		if int32(due-now) < -2 {
			t.Fatalf("tick %d: row %d was due at %d and not shown", now, slot, due)
		}
	}
}

func TestWheel_GoesOnAfterALongSleep(t *testing.T) {
	const now, due = 1_000_000, 1_000_100 // nobody looked for three days
	m := &wheelModel{wheel: wheel{rows: make([]row, 2)}, due: map[uint32]uint32{}}
	m.file(1, due)
	for at := uint32(now); at < due; at++ {
		m.expire(t, at)
		if _, in := m.due[1]; !in {
			t.Fatalf("the row is gone at %d", at)
		}
	}
	if m.next(due) != 1 {
		t.Error("the row is not shown in its tick")
	}
}
