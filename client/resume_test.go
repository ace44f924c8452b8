package client

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/sse"
)

// take calls Next n times and fails the test on an error.
func take(t *testing.T, s *Subscription, n int) []Event {
	t.Helper()
	var out []Event
	for range n {
		e, err := s.Next(t.Context())
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(out), n, err)
		}
		out = append(out, e)
	}
	return out
}

// cutAt breaks the first streams after these numbers of bytes, and no later one.
func cutAt(bytes ...int) func(stream int) int {
	return func(n int) int {
		if n > len(bytes) {
			return -1
		}
		return bytes[n-1]
	}
}

// dataOf is the data of the i-th event of a chaos run: of all lengths, with line breaks.
func dataOf(i int) string {
	return strings.Repeat(fmt.Sprintf("line %d\n", i), i%7) + strings.Repeat("x", i*i%97)
}

// TestSubscription_ChaosLosesAndDoublesNothing: streams break at any byte, are refused, hang,
// send half an answer, or meet no server at all; every event arrives once and in order.
func TestSubscription_ChaosLosesAndDoublesNothing(t *testing.T) {
	const events = 150
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, seed, events) })
		})
	}
}

func chaos(t *testing.T, seed uint64, events int) {
	random := rand.New(rand.NewPCG(seed, 1))
	p := newPeer()
	p.cut = func(int) int { return random.IntN(1500) } // one stream at a time: no lock needed
	p.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
		switch random.IntN(12) {
		case 0:
			problemAnswer(503, `{"code":"overloaded"}`, "Retry-After", "2")(w, r)
		case 1:
			problemAnswer(429, "not JSON at all")(w, r)
		case 2:
			streamOf("data: torn", true)(w, r)
		case 3:
			w.WriteHeader(502)
		case 4:
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	}
	c, w := serve(t, p, Options{})
	w.refuse = func(int) bool { return random.IntN(10) == 0 }
	json := seed%2 == 1
	s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, Since: "earliest", JSON: json})
	defer s.Close()
	go func() {
		for i := range events {
			p.publish("n", dataOf(i))
			if i%10 == 0 {
				time.Sleep(300 * time.Millisecond)
			}
		}
	}()
	for i, e := range take(t, s, events) {
		want := Event{ID: fmt.Sprintf("1-%d", i+1), Name: "n", Data: dataOf(i)}
		if e.ID != want.ID || e.Name != want.Name || e.Data != want.Data || (len(e.Topics) == 1) != json {
			t.Fatalf("seed %d: event %d is %+v, want %+v", seed, i, e, want)
		}
	}
	if p.streams < 5 {
		t.Errorf("seed %d: only %d streams: nothing was broken", seed, p.streams)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	p.cut = nil
	if e, err := s.Next(ctx); err != context.DeadlineExceeded {
		t.Fatalf("seed %d: one too many: %+v, %v", seed, e, err)
	}
}

func TestSubscription_EventTornAnywhereComesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		head := len(sse.AppendIDBlock(sse.AppendRetry(nil, 100), sse.ID{Major: 1}))
		p := newPeer()
		first := p.publish("n", "hello\nworld")
		frame := len(p.events[0].Frame(sse.FormatText))
		p.cut = func(n int) int {
			if n > head+frame {
				return -1
			}
			return n - 1
		}
		c, _ := serve(t, p, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, Since: "earliest"})
		defer s.Close()
		if e := take(t, s, 1)[0]; e.Data != "hello\nworld" || e.ID != first.String() {
			t.Errorf("got %+v", e)
		}
		if p.streams != head+frame+1 {
			t.Errorf("it came with stream %d, not with the first one that had all of its %d bytes", p.streams, head+frame)
		}
	})
}

func TestSubscription_NothingReceivedStillResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		p.publish("", "before")
		p.cut = func(n int) int {
			if n == 1 {
				go func() { // while the client is away
					time.Sleep(10 * time.Millisecond)
					p.publish("", "meanwhile")
				}()
				return len("retry: 100\n\nid: 1-1\n\n")
			}
			return -1
		}
		c, _ := serve(t, p, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		if e := take(t, s, 1)[0]; e.Data != "meanwhile" {
			t.Errorf("got %+v", e)
		}
		if got := p.seen(); len(got) != 2 || got[0] != "" || got[1] != "1-1" {
			t.Errorf("Last-Event-ID of the streams: %q", got)
		}
	})
}

func TestSubscription_SinceIsUsedUntilAnIDIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		for range 3 {
			p.publish("", "x")
		}
		p.cut = cutAt(5, len("retry: 100\n\nid: 1-1\n\nid: 1-2\ndata: x\n\n")+3)
		c, _ := serve(t, p, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, Since: "1-1"})
		defer s.Close()
		if got := take(t, s, 2); got[0].ID != "1-2" || got[1].ID != "1-3" || s.LastID() != "1-3" {
			t.Errorf("got %+v", got)
		}
		want := []string{"topic=a&since=1-1", "topic=a&since=1-1", "topic=a"} // and then by Last-Event-ID
		if fmt.Sprint(p.queries) != fmt.Sprint(want) {
			t.Errorf("queries %q, want %q", p.queries, want)
		}
	})
}

func TestSubscription_GapIsAnEventAndIsToldOnce(t *testing.T) {
	for _, json := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer()
			for i := range 9 {
				p.publish("", fmt.Sprint(i))
			}
			p.forget(5)
			broken := false
			c, _ := serve(t, p, Options{})
			s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, Since: "1-2", JSON: json})
			defer s.Close()
			for i, e := range take(t, s, 5) {
				if e.IsGap() != (i == 0) {
					t.Fatalf("event %d: %+v", i, e)
				}
				if want := (Gap{Requested: "1-2", Earliest: "1-6"}); i == 0 && e.Gap() != want {
					t.Errorf("gap %+v, want %+v", e.Gap(), want)
				}
				if i > 0 && (e.ID != fmt.Sprintf("1-%d", i+5) || e.Gap() != Gap{}) {
					t.Errorf("event %d: %+v", i, e)
				}
				if !broken {
					broken = true
					_ = s.stream.close(io.ErrUnexpectedEOF)
				}
			}
		})
	}
}

func TestSubscription_IdsMoveWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			streams++
			switch streams {
			case 1:
				streamOf("retry: 10\n\nid: 1-1\n\nid: 1-8\n\nid:\n\nid: 1-9", false)(w, r)
			default:
				streamOf("data: from "+r.Header.Get("Last-Event-ID")+"\n\n", true)(w, r)
			}
		})
		c, _ := serve(t, h, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		if e := take(t, s, 1)[0]; e.Data != "from 1-8" || s.LastID() != "1-8" {
			t.Errorf("got %+v, position %q", e, s.LastID())
		}
	})
}
