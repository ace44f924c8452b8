package loops

import (
	"runtime"
	"sync/atomic"
)

// baton says who may touch a loop. A loop's goroutine holds it except while it sleeps in
// its poller; meanwhile whoever brings news may borrow it and give the loop a short
// turn on the spot. For one event to one reader that saves what the delivery itself
// costs again: the system call that wakes the loop's thread, the switch to it and back
// (docs/decisions has the numbers). What is more than a short turn is left to the loop.
//
//	awake ──leave──▶ asleep ◀──▶ borrowed
//	  ▲                │             │ more than a short turn was left: wake
//	  └──────take──────┴─────────────┘
type baton struct {
	_     [64]byte
	state atomic.Int32
	_     [60]byte
}

const (
	batonAwake    = iota // the loop's goroutine holds it
	batonAsleep          // nobody does, and nothing was left to do
	batonBorrowed        // a bringer of news does
)

// leave lays the baton down. The loop must look for news once more after it.
func (b *baton) leave() { b.state.Store(batonAsleep) }

// take picks it up again. A borrower's turn is short, so waiting for its end is too.
func (b *baton) take() {
	for b.state.Load() != batonAwake && !b.state.CompareAndSwap(batonAsleep, batonAwake) {
		runtime.Gosched()
	}
}

// borrow takes it if the loop sleeps.
func (b *baton) borrow() bool {
	return b.state.Load() == batonAsleep && b.state.CompareAndSwap(batonAsleep, batonBorrowed)
}

// asleep says whether nothing was left to do: who brings news for the loop wakes it, or deals
// with it. Anybody may ask.
func (b *baton) asleep() bool { return b.state.Load() == batonAsleep }

// giveBack ends a borrowing; the borrower must look for news once more after it.
func (b *baton) giveBack() { b.state.Store(batonAsleep) }

// handBack ends it by making the loop go on: it must be woken.
func (b *baton) handBack() { b.state.Store(batonAwake) }

// borrowedWrites is the budget of a borrowed turn: one round, in which each kind of work
// has its quantum. A device's event is one write.
const borrowedWrites = quantum

// borrowedTurnsMax is how many turns one borrower gives before the loop must see to what
// others bring meanwhile.
const borrowedTurnsMax = 2

// nudge sees to it that news is dealt with: at once and here if the loop sleeps, by the
// loop if it is awake, by the borrower if there is one. Each of them looks for news
// after it has laid the baton down, and the news is there before anybody asks for the
// baton, so at least one of the two sees the other.
func (l *Loop) nudge() {
	for rounds := 1; l.baton.borrow(); rounds++ {
		more := l.turn(nil, borrowedWrites)
		if more || rounds == borrowedTurnsMax || l.timeless && l.table.count > 0 || l.stopping.Load() {
			l.baton.handBack()
			l.wake()
			return
		}
		l.baton.giveBack()
		if !l.news() {
			return
		}
	}
}
