package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// slowReader opens a stream whose socket holds little and which is not read.
func (n *node) slowReader(query string, fields ...string) *stream {
	n.t.Helper()
	w := n.dial()
	_ = w.SetReadBuffer(64 << 10)
	w.send(get("/events?"+query, fields...))
	return w.stream()
}

// flood publishes numbered events of some size and gives their IDs.
func (n *node) flood(query string, events, size int) []string {
	n.t.Helper()
	ids := make([]string, events)
	for i := range ids {
		ids[i] = n.publish(query, numbered(i, size))
	}
	return ids
}

func numbered(i, size int) string {
	return fmt.Sprintf("%06d %s", i, strings.Repeat("x", size))
}

// read takes events and gives their IDs; the data must be whole.
func (s *stream) read(events int) []string {
	ids := make([]string, 0, events)
	for range events {
		e := s.next()
		s.whole(e)
		ids = append(ids, e.id)
	}
	return ids
}

func (s *stream) whole(e event) {
	if e.name == "" && (len(e.data) < 7 || strings.Trim(e.data[7:], "x") != "") {
		s.t.Errorf("the data of %s is damaged: %.80q (%d bytes)", e.id, e.data, len(e.data))
	}
}

func same(t *testing.T, who string, got, want []string) {
	t.Helper()
	if len(got) == 0 && len(want) > 0 {
		t.Fatalf("%s got nothing", who)
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("%s: event %d of %d is %v, want %s", who, i, len(want), got[min(i, len(got)-1)], want[i])
		}
	}
}

// A reader that pauses and goes on must be given every byte of every frame: the kernel
// takes frames in parts, and the rest of a frame belongs to nobody else.
func TestSlowReader_GetsEveryEventOnceWhenItGoesOn(t *testing.T) {
	for _, size := range []int{100, 5000, 30000, 60000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			n := start(t, func(o *server.Options) { o.SendBufferBytes = 32 << 10 })
			slow, quick := n.slowReader("topic=a"), n.subscribe("topic=a")
			for round := range 8 {
				events := 4 + 600000/(size+400)/(1+round)
				done := make(chan []string, 1)
				go func() { done <- quick.read(events) }()
				ids := n.flood("topic=a", events, size)
				same(t, "the quick reader", <-done, ids)
				same(t, "the slow reader", slow.read(events), ids)
				slow.extend()
				quick.extend()
			}
			slow.Close()
			quick.Close()
			n.settles()
		})
	}
}

// A reader that sips, one event published for each it takes, is kept at the edge of a
// full socket: that is where a frame is half sent when the row becomes live again.
func TestSlowReader_AtTheEdgeOfAFullSocket(t *testing.T) {
	n := start(t, func(o *server.Options) { o.SendBufferBytes = 16 << 10 })
	slow := n.slowReader("topic=a")
	ids := n.flood("topic=a", 8, 50000)
	for i := range 200 {
		ids = append(ids, n.publish("topic=a", numbered(i, 50000-13*i)))
		e := slow.next()
		slow.whole(e)
		if e.id != ids[i] {
			t.Fatalf("event %d is %s, want %s", i, e.id, ids[i])
		}
	}
	same(t, "the rest", slow.read(8), ids[200:])
	slow.Close()
	n.settles()
}

// lapped starts a node whose ring is passed by a reader that does not read, and floods
// until that has happened.
func lapped(t *testing.T, policy string, set func(*server.Options)) (*node, *stream, []string) {
	n := start(t, func(o *server.Options) {
		o.LagPolicy, o.RingEvents, o.SendBufferBytes = policy, 16, 16<<10
		if set != nil {
			set(o)
		}
	})
	slow, quick := n.slowReader("topic=a"), n.subscribe("topic=a")
	var ids []string
	for i := range 100 {
		ids = append(ids, n.publish("topic=a", numbered(i, 20000)))
		same(t, "the quick reader", quick.read(1), ids[i:])
	}
	quick.Close()
	return n, slow, ids
}

// catchup: the log has what the ring has not.
func TestSlowReader_LappedCatchesUp(t *testing.T) {
	n, slow, ids := lapped(t, "catchup", nil)
	more := make(chan []string, 1)
	go func() { more <- n.flood("topic=a", 500, 3000) }() // the seam moves while it is crossed
	got := slow.read(len(ids) + 500)
	same(t, "the slow reader", got, append(ids, <-more...))
	n.silent("topic=a", slow)
	slow.Close()
	n.settles()
}

// catchup, and the log has forgotten: what is lost is told, and the rest is in order.
func TestSlowReader_LappedBeyondTheLogIsToldAGap(t *testing.T) {
	unless(t, "redis", "this node's memory holds more than Redis was told to keep")
	n, slow, ids := lapped(t, "catchup", func(o *server.Options) { o.RetainEvents = 20 })
	followsWithGap(t, n, slow, ids)
}

// skip: the reader is told a gap and goes on with what is new.
func TestSlowReader_LappedSkips(t *testing.T) {
	n, slow, ids := lapped(t, "skip", nil)
	followsWithGap(t, n, slow, ids)
}

// followsWithGap reads what a lapped reader is given: a beginning without holes, a gap
// that names the last event it had, an end without holes.
func followsWithGap(t *testing.T, n *node, slow *stream, ids []string) {
	t.Helper()
	all := append(ids, n.publish("topic=a", numbered(len(ids), 10)))
	at, gaps := 0, 0
	for at < len(all) {
		e := slow.next()
		if e.name == "" {
			slow.whole(e)
			if e.id != all[at] {
				t.Fatalf("event %d is %+.60v", at, e)
			}
			at++
			continue
		}
		gaps++
		requested, _ := e.requested(t)
		if at == 0 || requested != all[at-1] {
			t.Errorf("the gap begins at %s, the last event was number %d", requested, at)
		}
		for at < len(all) && all[at] != e.id {
			at++
		}
		at++ // the gap ends with that event
	}
	n.silent("topic=a", slow)
	if gaps == 0 || at > len(all) {
		t.Errorf("%d gaps were told, and the reader came to event %d of %d", gaps, at, len(all))
	}
	slow.Close()
	n.settles()
}

// close: the reader comes back with its last ID and misses nothing.
func TestSlowReader_LappedIsClosedAndResumes(t *testing.T) {
	n, slow, ids := lapped(t, "close", nil)
	var got []string
	for last := ""; ; {
		b, err := slow.tryBlock()
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Fatal("the reader was lapped, and is still open")
			}
			break
		}
		if e := parseBlock(t, b); e.data != "" {
			slow.whole(e)
			last = e.id
			got = append(got, last)
		}
	}
	again := n.subscribe("topic=a&since=" + got[len(got)-1])
	same(t, "the slow reader", append(got, again.read(len(ids)-len(got))...), ids)
	slow.Close()
	again.Close()
	n.settles()
}

// A reader that takes nothing for the stall time-out is gone, and its row is free.
func TestSlowReader_StallTimeoutCloses(t *testing.T) {
	n := start(t, func(o *server.Options) { o.StallTimeout, o.SendBufferBytes = 500*time.Millisecond, 16<<10 })
	slow, quick := n.slowReader("topic=a"), n.subscribe("topic=b")
	n.flood("topic=a", 30, 30000)
	until(t, "the stalled reader is closed", func() bool { return n.Stats().Connections <= 2 })
	n.publish("topic=b", "x")
	quick.takes("x")
	slow.Close()
	quick.Close()
	n.settles()
}
