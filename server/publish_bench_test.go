package server

import (
	"fmt"
	"log/slog"
	"testing"

	"throng/breaker"
	"throng/replay"
	"throng/sse"
)

// benchNode is a server whose loops run, without its ports.
func benchNode(b *testing.B) *Server {
	b.Helper()
	o := Defaults()
	o.Listen, o.Admin, o.Loops = "127.0.0.1:0", "", 2
	s, err := New(o, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	s.group.Start()
	b.Cleanup(s.release)
	return s
}

// What one event costs from the namespace's door through the log into the ring, without
// HTTP and without a stream: all that breakers and policies add is in it.
func BenchmarkPublishNow(b *testing.B) {
	s := benchNode(b)
	ns, err := s.hub.acquire("bench", true)
	if err != nil {
		b.Fatal(err)
	}
	defer ns.release()
	data := make([]byte, 100)
	records := make([]replay.Record, 1)
	b.ReportAllocs()
	for b.Loop() {
		records[0] = replay.Record{Event: &sse.Event{Topics: []string{"device/1"}, Data: data}}
		for {
			done, err := ns.publishNow(records, priorityNormal)
			if err != nil {
				b.Fatal(err)
			}
			if done {
				break
			}
			s.group.NudgeAll() // without a stream nobody else does
		}
	}
}

// The same where publishers meet: through the mailbox, in batches as they come.
func BenchmarkPublish_Mailbox(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := benchNode(b)
			ns, err := s.hub.acquire("bench", true)
			if err != nil {
				b.Fatal(err)
			}
			defer ns.release()
			data := make([]byte, 100)
			b.ReportAllocs()
			for b.Loop() {
				p := s.hub.pendingFor(size)
				for range size {
					p.records = append(p.records, replay.Record{Event: &sse.Event{Topics: []string{"device/1"}, Data: data}})
				}
				if _, err := ns.publish(p); err != nil {
					b.Fatal(err)
				}
				s.hub.recycle(p)
			}
		})
	}
}

// What the queue's breaker and the limit of publishes add to a publish while nothing is wrong.
func BenchmarkPublish_BreakersClosed(b *testing.B) {
	s := benchNode(b)
	b.ReportAllocs()
	for b.Loop() {
		if !s.publishes.Allow() || s.queue.shut() {
			b.Fatal("something is wrong")
		}
		s.queue.settle(breaker.Pass{}, nil)
	}
}
