package loops

import (
	"testing"
	"time"

	"throng/sse"
)

// broadcasts makes a crowd, and entries for it that are in the log already, so that what
// is counted is the loop's own.
func broadcasts(tb testing.TB, members, events int) (*crowd, []Entry) {
	tb.Helper()
	s := calm()
	s.Heartbeat, s.StallTimeout = time.Hour, time.Hour
	c := newCrowd(tb, s, members)
	ns := c.space("crowd")
	entries := make([]Entry, events)
	for i := range entries {
		entries[i] = Entry{Event: c.append(ns, []string{"all"}, "eighty bytes of data are what a small event has: a price, a score or a position"), NS: ns}
	}
	return c, entries
}

// rest turns until the loop has nothing to do.
func (c *crowd) rest() {
	for c.turn(0) {
	}
}

func TestFanOut_AllocatesNothing(t *testing.T) {
	const members, warm, counted = 300, 80, 100
	c, entries := broadcasts(t, members, warm+counted+1) // AllocsPerRun runs once more
	at := 0
	next := func() {
		if !c.g.TryPublish(entries[at]) {
			t.Fatal("the ring is full")
		}
		at++
		c.rest()
	}
	for range warm {
		next()
	}
	if n := testing.AllocsPerRun(counted, next); n != 0 {
		t.Errorf("%v allocations for an event to %d members, want 0", n, members)
	}
	for i, p := range c.peers {
		if got := blocks(p); got != headBlocks+uint64(at) {
			t.Fatalf("member %d has %d blocks, want %d", i, got, headBlocks+at)
		}
	}
	c.stop()
}

func TestHeartbeat_AllocatesNothing(t *testing.T) {
	const members, counted = 300, 20
	s := calm()
	c := newCrowd(t, s, members)
	beats := func() {
		for range ticks(s.Heartbeat) {
			c.k.Advance(tickLength)
			c.rest()
		}
	}
	beats()
	before := c.g.Loops()[0].Figures().Heartbeats
	if n := testing.AllocsPerRun(counted, beats); n != 0 {
		t.Errorf("%v allocations for a heartbeat of %d members, want 0", n, members)
	}
	if n := c.g.Loops()[0].Figures().Heartbeats - before; n < members*counted {
		t.Errorf("%d heartbeats, want %d at least: nothing was measured", n, members*counted)
	}
	c.stop()
}

// TestLagging_AllocatesNothing lets every member take each frame in two parts.
func TestLagging_AllocatesNothing(t *testing.T) {
	const members, warm, counted = 60, 80, 20
	c, entries := broadcasts(t, members, warm+counted+1)
	half := len(entries[0].Event.Frame(sse.FormatText))/2 + 5
	for _, p := range c.peers {
		p.SetWindow(half)
	}
	at := 0
	next := func() {
		if !c.g.TryPublish(entries[at]) {
			t.Fatal("the ring is full")
		}
		at++
		c.rest()
		if n := c.g.Loops()[0].table.pinned(); n != members {
			t.Fatalf("%d frames are half sent, want %d", n, members)
		}
		c.settle()
	}
	for range warm {
		next()
	}
	if n := testing.AllocsPerRun(counted, next); n != 0 {
		t.Errorf("%v allocations for an event to %d slow members, want 0", n, members)
	}
	for i, p := range c.peers {
		if got := blocks(p); got != headBlocks+uint64(at) {
			t.Fatalf("member %d has %d blocks, want %d", i, got, headBlocks+at)
		}
	}
	c.stop()
}
