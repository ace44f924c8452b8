package loops

import (
	"testing"
	"time"

	"throng/internal/simio"
)

// slowly is what calls cost where a broadcast to lateMembers takes a second.
var slowly = simio.Costs{Write: 50 * time.Microsecond, Wait: time.Microsecond}

const lateMembers = 20_000

// onTime is what lateness may be of a loop that is not late: a turn.
const onTime = 30 * time.Millisecond

func lateCrowd(t *testing.T) *crowd {
	t.Helper()
	s := calm()
	s.kernel.Cost = slowly
	s.Heartbeat, s.StallTimeout = time.Hour, time.Hour
	s.RingEvents = 1024
	c := newCrowd(t, s, lateMembers)
	c.broadcast("the first one shows what a write costs")
	c.watch(func() {})
	return c
}

func (c *crowd) broadcast(data string) { c.publish(c.space("crowd"), []string{"all"}, data) }

// watch turns until nothing is left to do, with something between the turns, and tells how
// old the oldest entry was at most, and how late the loop.
func (c *crowd) watch(between func()) (age, late time.Duration) {
	c.tb.Helper()
	for range turnsMax {
		more := c.turn(0)
		f := c.g.Loops()[0].Figures()
		age = max(age, time.Duration(f.RingLagSeconds*1e9))
		late = max(late, time.Duration(f.BehindSeconds*1e9))
		if !more {
			return age, late
		}
		between()
	}
	c.tb.Fatal("the loop does not come to rest")
	return 0, 0
}

func TestLateness_OfAnOrdinaryBroadcastIsNone(t *testing.T) {
	c := lateCrowd(t)
	c.broadcast("the second")
	age, late := c.watch(func() {})
	if age < 900*time.Millisecond || late > onTime {
		t.Errorf("a broadcast of a second: the oldest entry was %v old, and the loop %v late", age, late)
	}
	c.broadcast("one is under way")
	c.turn(0)
	c.broadcast("when another one comes")
	if age, late = c.watch(func() {}); age < 900*time.Millisecond || late > onTime {
		t.Errorf("an entry behind a broadcast: %v old, %v late", age, late)
	}
	c.stop()
}

func TestLateness_OfALoopWithoutTurnsGrows(t *testing.T) {
	c := lateCrowd(t)
	c.broadcast("the second")
	c.turn(0)
	for seconds := range 5 {
		f := c.g.Loops()[0].Figures()
		if late := f.BehindSeconds - float64(seconds); late < 0 || late > onTime.Seconds() {
			t.Errorf("without a turn for %d s it is %v s late", seconds, f.BehindSeconds)
		}
		c.k.Advance(time.Second)
	}
	if _, late := c.watch(func() {}); late < 5*time.Second || late > 6*time.Second {
		t.Errorf("after 5 s without a turn it was %v late", late)
	}
	c.broadcast("the third has a third of the processor")
	begun := c.k.Now()
	_, late := c.watch(func() { c.k.Advance(2 * 256 * slowly.Write) })
	if took := time.Duration(c.k.Now() - begun); late < took/2 || late > took {
		t.Errorf("starved, a broadcast took %v, and the loop was %v late", took, late)
	}
	if f := c.g.Loops()[0].Figures(); f.BehindSeconds != 0 {
		t.Errorf("at rest it is %v s late", f.BehindSeconds)
	}
	c.stop()
}

func TestLateness_OnASlowKernelGrows(t *testing.T) {
	c := lateCrowd(t)
	tenfold := slowly
	tenfold.Write *= 10
	c.k.SetCost(tenfold)
	c.broadcast("the second")
	late := time.Duration(0)
	for begun := c.k.Now(); c.k.Now()-begun < 1e9; {
		c.turn(0)
		late = time.Duration(c.g.Loops()[0].Figures().BehindSeconds * 1e9)
	}
	if late < 500*time.Millisecond {
		t.Errorf("after a second in which writes took ten times what they should, it is %v late", late)
	}
	c.watch(func() {})
	twofold := slowly
	twofold.Write *= 2
	c.k.SetCost(slowly)
	c.broadcast("it is quick again")
	c.watch(func() {})
	c.k.SetCost(twofold)
	c.broadcast("and a little slower")
	if _, late = c.watch(func() {}); late > onTime {
		t.Errorf("writes took twice what they should, and it was %v late", late)
	}
	c.stop()
}

// Publishers that are faster than the loop: its speed is no excuse.
func TestLateness_CountsTheQueue(t *testing.T) {
	c := lateCrowd(t)
	for range 4 {
		c.broadcast("all at once")
	}
	// The second waits for the first, and has its own; the third waits for the second.
	if age, late := c.watch(func() {}); age < 3900*time.Millisecond || late < 1900*time.Millisecond || late > 2200*time.Millisecond {
		t.Errorf("four broadcasts at once: the oldest entry was %v old, and the loop %v late", age, late)
	}
	c.stop()
}

// Broadcasts of many namespaces share the loop; each goes as it should.
func TestLateness_OfManyNamespacesAtOnceIsNone(t *testing.T) {
	s := calm()
	s.kernel.Cost = slowly
	s.Heartbeat, s.StallTimeout = time.Hour, time.Hour
	c := newCrowd(t, s, 0)
	spaces := []string{"a", "b", "c", "d", "e"}
	for range 2000 {
		for _, name := range spaces {
			c.join(c.space(name), "all")
		}
		c.turn(0)
	}
	c.watch(func() {})
	for round := range 2 {
		for _, name := range spaces {
			c.publish(c.space(name), []string{"all"}, "a broadcast")
		}
		age, late := c.watch(func() {})
		if round > 0 && (age < 400*time.Millisecond || late > onTime) {
			t.Errorf("five broadcasts side by side: the oldest entry was %v old, and the loop %v late", age, late)
		}
	}
	c.stop()
}

// What is for others does not make a loop late that sleeps.
func TestLateness_OfALoopThatSleepsIsNone(t *testing.T) {
	c := newCrowd(t, calm(), 1)
	other := c.space("other")
	c.settle()
	if c.g.Loops()[0].patience(false) <= 0 {
		t.Fatal("the loop does not sleep")
	}
	c.publish(other, []string{"nobody"}, "is here")
	c.k.Advance(200 * time.Millisecond)
	if f := c.g.Loops()[0].Figures(); f.RingLagSeconds < 0.2 || f.BehindSeconds != 0 {
		t.Errorf("the oldest entry is %v s old, and the loop %v s late", f.RingLagSeconds, f.BehindSeconds)
	}
	c.settle()
	c.stop()
}
