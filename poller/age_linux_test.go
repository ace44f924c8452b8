package poller

import (
	"sync/atomic"
	"testing"
	"time"
)

// A request's age is what it has waited: in the queue of connections, and for a reactor that
// does something else.
func TestConn_Age(t *testing.T) {
	const wait = 60 * time.Millisecond
	ages := make(chan time.Duration, 8)
	var late atomic.Bool
	d := newDoor(t, func(g *guest, _ []byte) {
		if late.Load() {
			time.Sleep(wait)
		}
		ages <- g.Age()
		g.say("ok")
	})
	w := d.dial("x")
	time.Sleep(wait)
	d.serve()
	w.reads("ok")
	queued := <-ages
	at := patience
	for range 5 { // the machine may be busy with something else
		w.sends("y")
		w.reads("ok")
		at = min(at, <-ages)
	}
	late.Store(true)
	w.sends("z")
	w.reads("ok")
	held := <-ages
	if queued < wait/2 || queued > patience || at >= wait/2 || held < wait/2 || held > patience {
		t.Errorf("%v old after %v in the queue, %v at once, %v after %v at the reactor", queued, wait, at, held, wait)
	}
}
