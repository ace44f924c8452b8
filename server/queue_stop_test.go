package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// When a part of a batch finds no room, what follows is refused too, though there is room by
// then: who publishes the rest again has it in order.
func TestQueue_BatchStopsWhereThereIsNoRoom(t *testing.T) {
	eachStore(t, func(t *testing.T, store string) {
		n := startStalled(t, func(o *server.Options) {
			o.Store, o.RingEvents, o.NamespaceRingShare, o.PublishTimeout = store, 64, 4, time.Second
			o.QueueFill, o.QueueLag = 100, time.Hour
		})
		n.fill("default", 4)
		const lines = 2000 // more than go to the log together
		body := strings.Repeat(`{"topic":"a","data":"x"}`+"\n", lines)
		w := n.dial()
		w.send(post("", body, "Content-Type: application/x-ndjson"))
		until(t, "the first ones have waited in vain", func() bool { return n.scrape()[`throng_shed_total{reason="queue_timeout"}`] > 0 })
		n.TurnLoops()
		n.Unstall()
		a := w.answer("POST")
		if got := strings.Count(a.body, `"code":"overloaded"`); got != lines || strings.Count(a.body, "\n") != lines {
			t.Errorf("%d of %d lines are refused in %d", got, lines, strings.Count(a.body, "\n"))
		}
		if got := n.scrape()[`throng_shed_total{reason="queue_timeout"}`]; got != lines {
			t.Errorf("%v events are counted", got)
		}
		n.publish("topic=a", "after")
		s := n.subscribe("topic=a&since=earliest")
		s.takes("after")
		s.Close()
	})
}

// Publishers that wait when the node is closed don't hold it up, and none is told that its
// event is stored.
func TestQueue_CloseWhilePublishersWait(t *testing.T) {
	unless(t, "redis", "the tail waits for room there, not the publisher")
	for _, policy := range []string{"block", "conflate"} {
		n := startStalled(t, func(o *server.Options) {
			o.RingEvents, o.NamespaceRingShare, o.MailboxPublishMax = 64, 4, 16
			o.QueuePolicy, o.QueueLag = policy, time.Hour
		})
		n.fill("default", 4)
		var all []*wire
		for i := range 64 {
			w := n.dial()
			w.send(post(fmt.Sprint("topic=", i), "x"))
			all = append(all, w)
		}
		until(t, "they wait", func() bool { return n.scrape()["throng_ring_full_total"] > 0 })
		n.end()
		for _, w := range all {
			if a, err := w.tryAnswer("POST"); err == nil && a.StatusCode == 200 {
				t.Errorf("%s: an event is stored: %s", policy, a.body)
			}
			w.Close()
		}
	}
}
