package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/sse"
)

func TestSubscription_PermanentAnswersEndIt(t *testing.T) {
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want error
	}{
		"400":             {problemAnswer(400, `{"code":"bad_topic","detail":"an empty level","status":400}`), &Error{Status: 400, Code: "bad_topic", Detail: "an empty level"}},
		"401":             {problemAnswer(401, `{"code":"unauthorized","title":"Unauthorized"}`), &Error{Status: 401, Code: "unauthorized", Detail: "Unauthorized"}},
		"403":             {problemAnswer(403, `{}`), &Error{Status: 403}},
		"404 from others": {http.NotFound, &Error{Status: 404}},
		"204":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, &Error{Status: 204}},
		"web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "data: x\n\n")
		}, ErrProtocol},
		"no envelope":         {streamOf("data: plain\n\n", true), ErrProtocol},
		"envelope, no data":   {streamOf("data: {\"id\":\"1-1\",\"topics\":[]}\n\n", true), ErrProtocol},
		"ID not to send back": {streamOf("id: \x01\n\n", true), ErrProtocol},
		"endless ID":          {streamOf("id: "+strings.Repeat("1", 300)+"\n\n", true), ErrProtocol},
		"long line":           {streamOf(":"+strings.Repeat(long, 20), true), sse.ErrLineTooLong},
		"long event":          {streamOf(strings.Repeat("data: "+long+"\n", 20)+"\n", true), sse.ErrEventTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, w := serve(t, c.h, Options{Limits: sse.Limits{LineBytesMax: 1000, DataBytesMax: 1500}})
				var states []string
				s := client.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, JSON: true, OnState: func(s State, _ error) { states = append(states, s.String()) }})
				for range 3 {
					_, err := s.Next(t.Context())
					var got, want *Error
					if errors.As(c.want, &want) {
						if !errors.As(err, &got) || *got != *want {
							t.Fatalf("error %+v, want %+v", err, want)
						}
					} else if !errors.Is(err, c.want) {
						t.Fatalf("error %v, want %v", err, c.want)
					}
				}
				if w.dialed() != 1 {
					t.Errorf("%d connections", w.dialed())
				}
				if got := strings.Join(states, " "); got != "" && got != "CONNECTED DISCONNECTED" {
					t.Errorf("states %s", got)
				}
			})
		})
	}
}

func TestSubscription_HeartbeatsAndSlowReadersAreNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c, _ := serve(t, p, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		go func() {
			time.Sleep(time.Hour)
			p.publish("", "at last")
			p.publish("", "one more")
		}()
		if e := take(t, s, 1)[0]; e.Data != "at last" {
			t.Errorf("got %+v", e)
		}
		time.Sleep(time.Hour) // the application is busy
		if e := take(t, s, 1)[0]; e.Data != "one more" {
			t.Errorf("got %+v", e)
		}
		if p.streams != 1 {
			t.Errorf("%d streams", p.streams)
		}
	})
}

func TestSubscription_StatesTellTheStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		p.publish("", "x")
		p.publish("", "y")
		p.cut = cutAt(len("retry: 100\n\nid: 1-0\n\nid: 1-1\ndata: x\n\n") + 4)
		c, w := serve(t, p, Options{})
		w.refuse = func(dial int) bool { return dial <= 2 }
		var story []string
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, Since: "1-0", OnState: func(st State, err error) {
			story = append(story, fmt.Sprint(st, " ", err != nil))
		}})
		take(t, s, 2)
		s.Close()
		if _, err := s.Next(t.Context()); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
		want := "RECOVERING true, CONNECTED false, RECOVERING true, CONNECTED false, DISCONNECTED true"
		if got := strings.Join(story, ", "); got != want {
			t.Errorf("states %s\n  want %s", got, want)
		}
	})
}

func TestSubscription_CallGivenUpIsResumedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c, _ := serve(t, p, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}, Since: "earliest"})
		defer s.Close()
		for i := range 5 {
			gone := errors.New("no patience")
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, gone)
			if _, err := s.Next(ctx); err != gone {
				t.Fatalf("error %v", err)
			}
			cancel()
			p.publish("", fmt.Sprint(i))
			start := time.Now()
			if e := take(t, s, 1)[0]; e.Data != fmt.Sprint(i) || time.Since(start) != 0 {
				t.Errorf("%+v after %v", e, time.Since(start))
			}
		}
	})
}

func TestSubscription_EndsWithItsContextOrClose(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"in a stream": streamOf(":\n\n", true),
		"in a wait":   problemAnswer(503, "", "Retry-After", "3600"),
		"in the head": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := serve(t, h, Options{SilenceMax: time.Hour})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := c.Subscribe(ctx, SubscribeOptions{Topics: []string{"a"}})
				if _, err := s.Next(t.Context()); err != context.DeadlineExceeded {
					t.Errorf("at the end of the context: %v", err)
				}
				s = c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
				time.AfterFunc(time.Minute, s.Close)
				if _, err := s.Next(t.Context()); err != ErrClosed {
					t.Errorf("at Close: %v", err)
				}
			})
		})
	}
}

func TestSubscriptionAll_EndsWithTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				streamOf("id: 1-1\ndata: a\n\nid: 1-2\ndata: b\n\n", false)(w, r)
				return
			}
			problemAnswer(403, `{"code":"forbidden"}`)(w, r)
		})
		c, _ := serve(t, h, Options{})
		s := c.Subscribe(t.Context(), SubscribeOptions{Topics: []string{"a"}})
		defer s.Close()
		var got []string
		for e, err := range s.All(t.Context()) {
			got = append(got, fmt.Sprint(e.Data, err))
		}
		if want := "[a<nil> b<nil> client: the server refused with 403 Forbidden: forbidden]"; fmt.Sprint(got) != want {
			t.Errorf("got %v", got)
		}
	})
}

func TestSubscribe_RequestIsWhatTheContractSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got *http.Request
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r
			streamOf("data: {\"data\":\"x\"}\n\n", true)(w, r)
		})
		c, _ := serve(t, h, Options{Header: http.Header{"Authorization": {"Bearer t"}}})
		s := c.Subscribe(t.Context(), SubscribeOptions{Namespace: "shop", Topics: []string{"a b/+/c&d=e", "ü/#"}, Since: "1-2", JSON: true})
		defer s.Close()
		take(t, s, 1)
		want := "/events?topic=a%20b%2F%2B%2Fc%26d%3De&topic=%C3%BC%2F%23&ns=shop&since=1-2&format=json"
		if got.RequestURI != want {
			t.Errorf("asked %s\n want %s", got.RequestURI, want)
		}
		for k, v := range map[string]string{"Accept": "text/event-stream", "Accept-Encoding": "identity", "Authorization": "Bearer t", "Last-Event-ID": ""} {
			if got.Header.Get(k) != v {
				t.Errorf("%s: %q, want %q", k, got.Header.Get(k), v)
			}
		}
	})
}
