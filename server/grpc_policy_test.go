package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"throng/source"
)

// answered is a publish on the gRPC port on its way.
type answered struct {
	events int
	done   atomic.Pointer[[]*source.PublishResponse] // once the call has returned
}

func (a *answered) codes() (codes []string) {
	answers := make([]*source.PublishResponse, a.events)
	if all := a.done.Load(); all != nil {
		answers = *all
	}
	for _, r := range answers {
		switch {
		case r == nil:
			codes = append(codes, "waits")
		case r.GetProblem() != nil:
			codes = append(codes, fmt.Sprint(r.GetProblem().GetCode(), " ", r.GetProblem().GetStatus(), " ", r.GetProblem().GetRetryAfterSeconds() > 0))
		default:
			codes = append(codes, "stored")
		}
	}
	return codes
}

// askGRPC publishes as a call of the gRPC port does.
func (s *stalled) askGRPC(requests ...*source.PublishRequest) *answered {
	a := &answered{events: len(requests)}
	go func() {
		answers := make([]*source.PublishResponse, len(requests))
		backend{s.srv}.Publish(context.Background(), requests, answers)
		a.done.Store(&answers)
	}()
	synctest.Wait()
	return a
}

func asksFor(topic, data string, rank source.Priority) *source.PublishRequest {
	return &source.PublishRequest{Namespace: "a", Topics: []string{topic}, Data: []byte(data), Priority: rank}
}

// What a namespace's policy does with publishes for which there is no room, it does with
// those of the gRPC port.
func TestGRPC_PoliciesOfTheQueueApply(t *testing.T) {
	const low, normal, high = source.Priority_PRIORITY_LOW, source.Priority_PRIORITY_NORMAL, source.Priority_PRIORITY_HIGH
	for _, c := range []struct {
		policy string
		first  []string // what two of one topic, one of low priority, and one of high are answered
		second []string // and what is answered one that comes then
		stored []string // in the end
		late   []string // the answers of the first once there was no room for --publish-timeout
	}{
		{"block", []string{"waits", "waits", "waits", "waits"}, []string{"waits"}, []string{"1", "2", "3", "4", "5"}, []string{"overloaded 503 true", "overloaded 503 true", "overloaded 503 true", "overloaded 503 true"}},
		{"refuse", []string{"queue_full 429 true", "queue_full 429 true", "queue_full 429 true", "queue_full 429 true"}, []string{"queue_full 429 true"}, nil, nil},
		{"shed", []string{"waits", "waits", "waits", "waits"}, []string{"waits"}, []string{"1", "2", "4", "5"}, []string{"overloaded 503 true", "overloaded 503 true", "shed 503 true", "overloaded 503 true"}},
		{"shed-oldest", []string{"waits", "waits", "waits", "waits"}, []string{"waits"}, []string{"1", "2", "4", "5"}, []string{"overloaded 503 true", "overloaded 503 true", "shed 503 true", "overloaded 503 true"}},
		{"conflate", []string{"waits", "waits", "waits", "waits"}, []string{"waits"}, []string{"3", "4", "5"}, []string{"conflated 409 false", "conflated 409 false", "overloaded 503 true", "overloaded 503 true"}},
	} {
		for _, late := range []bool{false, true} {
			stall(t, c.policy, nil, func(s *stalled) {
				s.fill()
				first := s.askGRPC(asksFor("x", "1", normal), asksFor("x", "2", normal), asksFor("y", "3", low), asksFor("z", "4", high))
				second := s.askGRPC(asksFor("x", "5", normal))
				if got := first.codes(); !slices.Equal(got, c.first) {
					t.Errorf("%s: %q, want %q", c.policy, got, c.first)
				}
				if got := second.codes(); !slices.Equal(got, c.second) {
					t.Errorf("%s: the last is %q, want %q", c.policy, got, c.second)
				}
				if late {
					s.wait(2 * s.srv.o.PublishTimeout)
					if got := first.codes(); c.late != nil && !slices.Equal(got, c.late) {
						t.Errorf("%s: %q in the end, want %q", c.policy, got, c.late)
					}
					return
				}
				for range 8 {
					s.wait(lineLook)
					s.turn()
				}
				s.wantStored(c.stored...)
			})
		}
	}
}

// Whatever the policy, the events of an upstream are stored, all of them and in their order:
// what is refused is tried again.
func TestUpstream_NoPolicyLosesItsEvents(t *testing.T) {
	for _, policy := range queuePolicies {
		stall(t, policy, nil, func(s *stalled) {
			u := &upstream{srv: s.srv, log: slog.New(slog.DiscardHandler), address: "h:1", namespace: "a"}
			u.ctx, u.cancel = context.WithCancel(context.Background())
			defer u.cancel()
			s.fill()
			var events []*source.Event
			var all []string
			for i := range 200 {
				all = append(all, fmt.Sprint(i))
				events = append(events, &source.Event{Id: fmt.Sprint("e", i), Topics: []string{"x"}, Data: fmt.Append(nil, i)})
			}
			done := make(chan error, 1)
			go func() {
				defer close(done)
				for part := range slices.Chunk(events, 7) {
					if err := u.take(part); err != nil {
						done <- err
						return
					}
				}
			}()
			s.wait(3 * s.srv.o.PublishTimeout)
			if at := u.position(); at != "" {
				t.Errorf("%s: %s is reached, and there was no room", policy, at)
			}
			for turns := 0; ; turns++ {
				s.turn()
				s.wait(time.Second)
				select {
				case err := <-done:
					if err != nil {
						t.Errorf("%s: %v", policy, err)
					}
					if got := held(t, s.srv, "a")[shareFew:]; !slices.Equal(got, all) {
						t.Errorf("%s: the log has %q", policy, got)
					}
					if at := u.position(); at != "e199" {
						t.Errorf("%s: %s is reached", policy, at)
					}
					return
				default:
				}
				if turns > 5000 {
					t.Fatalf("%s: stuck behind %s", policy, u.position())
				}
			}
		})
	}
}
