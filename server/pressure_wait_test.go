package server

import (
	"testing"
	"time"

	"throng/server/loops"
)

// In a loop's mailbox only streams are the line of those who were let in: a refused request that
// waits there, when the last stream has come long ago, says nothing of how long a stream waits.
func TestWaits_RefusedRequestsAreNoLineOfStreams(t *testing.T) {
	const noFD = -1 // no loop runs: nobody looks at it
	s, _ := unserved(t, nil)
	w := s.watch.waits
	ns, err := s.hub.acquire("default", true)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.release()
	line := func() time.Duration { // of streams, by another tick
		w.tick(tickEvery)
		at := (w.ticks - 1) % waitTicks
		return w.last[at] - w.turns[at]
	}
	aMinute := func() { // passes
		for i, at := range w.attach.at {
			if !at.IsZero() {
				w.attach.at[i] = at.Add(-time.Minute)
			}
		}
	}
	s.streams.Allow()
	line()
	aMinute()
	if !s.group.TryRefuse(noFD, []byte("no"), nil) {
		t.Fatal("the mailbox is full")
	}
	if got := line(); got != 0 || w.inside != 1 {
		t.Errorf("a refused request waits, and %v is how long streams do; %d inside", got, w.inside)
	}
	if !s.group.TryAttach(noFD, &loops.Attach{NS: ns.Namespace, Topics: []string{"a"}}) {
		t.Fatal("the mailbox is full")
	}
	line()
	aMinute()
	if got := line(); got < time.Minute || w.inside != 2 {
		t.Errorf("a stream waits for a minute, and it is %v; %d inside", got, w.inside)
	}
}
