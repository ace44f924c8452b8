package simio

import (
	"container/heap"
	"math"
	"time"
)

// Now is the virtual time in nanoseconds since New.
func (k *Kernel) Now() int64 { return k.now }

// Advance moves the clock by d, running what falls due on the way at its own time.
func (k *Kernel) Advance(d time.Duration) {
	if d < 0 {
		k.mistake("Advance(%v): time only goes forward", d)
	}
	end := k.now + max(int64(d), 0)
	k.runDue()
	for k.stepTo(end) {
		k.runDue()
	}
}

// After runs f when the clock has moved by d: inside the Advance or Wait that gets
// there. f may use the kernel and its peers, but must not call Advance or Wait.
func (k *Kernel) After(d time.Duration, f func()) {
	k.put(entry{at: k.now + max(int64(d), 0), run: f})
}

// entry is something that will happen: a held-back edge, or run.
type entry struct {
	at   int64
	seq  uint64 // entries of one moment run in the order they were made
	run  func()
	slot uint32
	reg  uint32
}

func (k *Kernel) put(e entry) {
	k.seq++
	e.seq = k.seq
	heap.Push(&k.later, e)
}

// runDue runs all that is due now.
func (k *Kernel) runDue() {
	for len(k.later) > 0 && k.later[0].at <= k.now {
		e := heap.Pop(&k.later).(entry)
		if e.run != nil {
			e.run()
		} else if s := &k.socks[e.slot]; s.poller != 0 { // if it is stale, collect finds out
			k.pollers[s.poller-1].ready.push(ref{e.slot, e.reg})
		}
	}
}

// forever is a deadline that never comes.
const forever = math.MaxInt64

// stepTo moves the clock to the next entry if that is not after end, else to end, and
// tells whether there is an entry to run. Nothing scheduled and no end: it stays.
func (k *Kernel) stepTo(end int64) bool {
	if len(k.later) > 0 && k.later[0].at <= end {
		k.now = max(k.now, k.later[0].at)
		return true
	}
	if end != forever {
		k.now = max(k.now, end)
	}
	return false
}

// spend lets a call take its time.
func (k *Kernel) spend(d time.Duration) { k.now += int64(d) }

// agenda is a heap by time.
type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	old[len(old)-1] = entry{}
	*a = old[:len(old)-1]
	return e
}
