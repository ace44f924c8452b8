package loops

import "time"

const (
	// tickLength is the wheel's unit of time: heartbeats and time-outs are seconds, and
	// four wake-ups a second cost an idle loop nothing.
	tickLength = 250 * time.Millisecond
	// wheelSlots times tickLength is how far ahead the wheel looks (128 s). What is due
	// later is looked at once a turn of the wheel and put back.
	wheelSlots = 512
)

// wheel is a hashed timing wheel (Varghese and Lauck, 1987, scheme 6) whose lists run
// through the rows: a deadline costs 8 bytes and no timer. It holds no due times: the
// row itself knows what it is waiting for (Loop.due).
type wheel struct {
	rows  []row
	slots [wheelSlots]uint32
	tick  uint32 // the slot being emptied
}

// ticks converts a duration, rounding up.
func ticks(d time.Duration) uint32 {
	return uint32((d + tickLength - 1) / tickLength)
}

// add files a row under the tick at which it wants to be looked at.
func (w *wheel) add(slot, due uint32) {
	ahead := int32(due - w.tick)
	if ahead < 1 {
		ahead = 1
	}
	if ahead > wheelSlots-1 {
		ahead = wheelSlots - 1
	}
	at := (w.tick + uint32(ahead)) % wheelSlots
	r := &w.rows[slot]
	r.wheelPrev = headMark | at
	r.wheelNext = w.slots[at]
	if r.wheelNext != 0 {
		w.rows[r.wheelNext].wheelPrev = slot
	}
	w.slots[at] = slot
}

// headMark tells a list's head, whose wheelPrev then holds the slot of the wheel.
const headMark = 1 << 31

// remove takes a row out of the wheel.
func (w *wheel) remove(slot uint32) {
	r := &w.rows[slot]
	if r.wheelPrev&headMark != 0 {
		w.slots[r.wheelPrev&^headMark] = r.wheelNext
	} else {
		w.rows[r.wheelPrev].wheelNext = r.wheelNext
	}
	if r.wheelNext != 0 {
		w.rows[r.wheelNext].wheelPrev = r.wheelPrev
	}
	r.wheelNext, r.wheelPrev = 0, 0
}

// next gives a row of the current tick's list, or moves on to the next tick up to now;
// 0: nothing is due. The row stays in the wheel: whoever asks files it again.
func (w *wheel) next(now uint32) uint32 {
	for {
		if slot := w.slots[w.tick%wheelSlots]; slot != 0 {
			return slot
		}
		if int32(now-w.tick) <= 0 {
			return 0
		}
		w.tick++
	}
}
