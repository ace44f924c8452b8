package loops

import (
	"testing"
	"time"

	"throng/poller"
	"throng/ringbuf"
)

// peeking looks at something in the middle of a turn, at each call of WriteMany.
type peeking struct {
	poller.Poller
	look func()
}

func (p *peeking) WriteMany(sends []poller.Send) {
	p.look()
	p.Poller.WriteMany(sends)
}

// A loop that had nothing to do for a while is not late when something comes: what it was not
// there for is not how long that waits.
func TestLateness_OfALoopThatWasIdleIsNone(t *testing.T) {
	for _, wait := range []ringbuf.Strategy{ringbuf.Block, ringbuf.Spin} {
		s := calm()
		s.Options.Wait = wait
		s.Heartbeat, s.StallTimeout = time.Hour, time.Hour
		c := newCrowd(t, s, 100)
		l := c.g.Loops()[0]
		looked, late := 0, 0.0
		l.poll = &peeking{l.poll, func() {
			looked++
			late = max(late, l.Figures().BehindSeconds)
		}}
		for range 3 {
			l.patience(false)
			c.k.Advance(10 * time.Second) // the process was stopped, or its clock is coarse
			c.broadcast("comes after a pause")
			c.watch(func() {})
		}
		if looked < 3 || late > onTime.Seconds() {
			t.Errorf("%v: in %d looks the loop was up to %v s late", wait, looked, late)
		}
		c.stop()
	}
}

// One that is stuck in its first turn after a pause is late from when that was first seen.
func TestLateness_OfALoopThatIsStuckGrows(t *testing.T) {
	c := newCrowd(t, calm(), 1)
	l := c.g.Loops()[0]
	l.patience(false)
	c.k.Advance(10 * time.Second)
	l.baton.take()
	if _, ok := c.g.ring.TryPublish(Entry{Event: c.append(c.space("crowd"), []string{"all"}, "x"), NS: c.space("crowd"), At: c.k.Now()}); !ok {
		t.Fatal("the ring is full")
	}
	for tenths := range 5 {
		if late := l.Figures().BehindSeconds; late != float64(tenths)/10 {
			t.Errorf("after %d00 ms it is %v s late", tenths, late)
		}
		c.k.Advance(100 * time.Millisecond)
	}
	c.settle()
	if late := l.Figures().BehindSeconds; late != 0 {
		t.Errorf("at rest it is %v s late", late)
	}
	c.stop()
}

// A pause of the whole process in the middle of a turn, or a turn on a processor that others
// have, teaches nothing about what a write costs: real overload shows at once afterwards.
func TestLateness_AfterAPauseOverloadStillShows(t *testing.T) {
	c := lateCrowd(t)
	l := c.g.Loops()[0]
	before := l.pace.cost
	paused := false
	plain := l.poll
	l.poll = &peeking{plain, func() {
		if !paused {
			paused = true
			c.k.Advance(10 * time.Second)
		}
	}}
	c.broadcast("and in its middle the process is stopped")
	c.watch(func() {})
	if l.pace.cost > slack*before {
		t.Errorf("a write cost %.0f ns before, and after a pause %.0f", before, l.pace.cost)
	}
	l.poll = plain
	c.broadcast("the next one has a tenth of the processor")
	if _, late := c.watch(func() { c.k.Advance(9 * 256 * slowly.Write) }); late < 3*time.Second {
		t.Errorf("starved after a pause, the loop was %v late", late)
	}
	c.stop()
}
