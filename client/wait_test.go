package client

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestSubscription_RetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Since(start))
			if len(at) < 4 {
				problemAnswer(503, `{"code":"draining"}`, "Retry-After", "7")(w, r)
				return
			}
			streamOf("data: x\n\n", true)(w, r)
		})
		c, _ := serve(t, h, Options{BackoffMin: time.Second, BackoffMax: 2 * time.Second})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		take(t, s, 1)
		for i := 1; i < len(at); i++ {
			wait, window := at[i]-at[i-1], min(time.Second<<(i-1), 2*time.Second)
			if wait < 7*time.Second || wait > 7*time.Second+window {
				t.Errorf("attempt %d came %v after the last", i+1, wait)
			}
		}
	})
}

func TestSubscription_RetryFieldIsHonouredAndSurvivesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Since(start))
			if len(at) == 1 {
				streamOf("retry: 3000\n\n", false)(w, r)
				return
			}
			streamOf("", false)(w, r)
		})
		c, _ := serve(t, h, Options{BackoffMin: time.Millisecond, BackoffMax: 4 * time.Millisecond})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Next(ctx); err != context.DeadlineExceeded {
			t.Fatal(err)
		}
		if len(at) != 20 {
			t.Errorf("%d attempts in a minute with retry: 3000", len(at))
		}
	})
}

func TestSubscription_SilenceReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(text string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if text == "" { // not even a head
					<-r.Context().Done()
					return
				}
				streamOf(text, true)(w, r)
			}
		}
		n := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			hang([]string{"", "id: 1-1\n\ndata: a\n\n", "id: 1-2\ndata: b\n\n"}[n-1])(w, r)
		})
		c, _ := serve(t, h, Options{BackoffMin: time.Second})
		var reasons []error
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, OnState: func(st State, err error) {
			if st == Recovering {
				reasons = append(reasons, err)
			}
		}})
		defer s.Close()
		start := time.Now()
		got := take(t, s, 2)
		if got[0].Data != "a" || got[1].Data != "b" {
			t.Errorf("got %+v", got)
		}
		if d := time.Since(start); d < 2*SilenceMaxDefault || d > 2*SilenceMaxDefault+2*time.Second {
			t.Errorf("two silences took %v", d)
		}
		if len(reasons) != 2 || reasons[0] != errSilence || reasons[1] != errSilence {
			t.Errorf("reasons %v", reasons)
		}
	})
}

func TestSubscription_GoodStreamStartsTheBackoffAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bad, good = 10, 6
		var at []time.Duration
		start := time.Now()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Since(start))
			if len(at) <= bad {
				w.WriteHeader(500)
				return
			}
			streamOf("id: 1-1\ndata: x\n\n", false)(w, r)
		})
		c, _ := serve(t, h, Options{BackoffMin: time.Second, BackoffMax: time.Hour})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		take(t, s, good)
		if at[bad] < 10*time.Second { // the sum of ten waits out of windows of 1 to 512 seconds
			t.Errorf("ten failures took %v only", at[bad])
		}
		for i := bad + 1; i < bad+good; i++ {
			if wait := at[i] - at[i-1]; wait > time.Second {
				t.Errorf("%v after a good stream", wait)
			}
		}
	})
}
