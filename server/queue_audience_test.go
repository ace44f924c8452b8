package server_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/server"
	"throng/source"
)

// A batch that is seconds of work for the loops is stored whole, line by line as they get on,
// and every stream has all of it; a publish of somebody else finds room beside it.
func TestQueue_BatchForAllStreamsIsStoredWhole(t *testing.T) {
	unless(t, "redis", "the tail waits for room there, not the publisher")
	const streams, events = 200, 1500
	for name, publish := range map[string]func(n *node) int{"NDJSON": publishLines, "gRPC": publishStream} {
		t.Run(name, func(t *testing.T) {
			n := start(t, withGRPC(nil))
			var readers sync.WaitGroup
			var heard atomic.Int64
			for range streams {
				s := n.subscribe("topic=all")
				_ = s.SetDeadline(time.Now().Add(4 * patience))
				readers.Go(func() {
					for range events + 1 {
						for {
							line, err := s.r.ReadSlice('\n')
							if err != nil {
								return
							}
							if bytes.HasPrefix(line, []byte("data:")) {
								break
							}
						}
						heard.Add(1)
					}
				})
			}
			done := make(chan int)
			go func() { done <- publish(n) }()
			until(t, "some of it is there", func() bool { return heard.Load() > streams })
			n.publish("topic=all", "of somebody else")
			if stored := <-done; stored != events {
				t.Errorf("%d of %d events are stored", stored, events)
			}
			readers.Wait()
			if got := heard.Load(); got != streams*(events+1) {
				t.Errorf("%d events were heard, want %d", got, streams*(events+1))
			}
		})
	}
}

// publishLines says how many of a batch are stored.
func publishLines(n *node) int {
	w := n.dial()
	_ = w.SetDeadline(time.Now().Add(4 * patience))
	w.send(post("", strings.Repeat(`{"topic":"all","data":"0123456789"}`+"\n", 1500), "Content-Type: application/x-ndjson"))
	return strings.Count(w.answer("POST").body, `{"id":`)
}

// publishStream does the same with a stream of the gRPC port.
func publishStream(n *node) (stored int) {
	backend, _ := n.backend()
	stream, err := backend.PublishStream(inTime(n.t))
	if err != nil {
		n.t.Error(err)
		return 0
	}
	go func() {
		for i := range 1500 {
			_ = stream.Send(text("all", fmt.Sprint(i)))
		}
		_ = stream.CloseSend()
	}()
	for {
		a, err := stream.Recv()
		if err != nil {
			return stored
		}
		if _, ok := a.GetOutcome().(*source.PublishResponse_Id); ok {
			stored++
		}
	}
}

// What is left of a batch after a part of it found no room is refused with it: the loops are
// not waited for again and again.
func TestQueue_BatchThatStoppedWaitsNoMore(t *testing.T) {
	unless(t, "redis", "the tail waits for room there, not the publisher")
	n := startStalled(t, func(o *server.Options) {
		o.RingEvents, o.NamespaceRingShare, o.PublishTimeout = 64, 8, time.Second
	})
	reader := n.dial()
	reader.send(get("/events?topic=a"))
	until(t, "the stream is there", func() bool {
		n.TurnLoops()
		return n.scrape()[`throng_connections{kind="sse"}`] == 1
	})
	n.fill("default", 8)
	const lines = 9000
	w := n.dial()
	w.send(post("", strings.Repeat(`{"topic":"a","data":"x"}`+"\n", lines), "Content-Type: application/x-ndjson"))
	begun := time.Now()
	if got := strings.Count(w.answer("POST").body, `"code":"overloaded"`); got != lines {
		t.Errorf("%d of %d lines are refused", got, lines)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("they were told so after %v", took)
	}
	n.Unstall()
}
