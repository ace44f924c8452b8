package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// recorder answers publishes with a fixed answer and keeps what was asked.
type recorder struct {
	status   int
	answer   string
	header   http.Header
	requests []*http.Request
	bodies   []string
}

func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	c.requests, c.bodies = append(c.requests, r), append(c.bodies, string(b))
	for k, v := range c.header {
		w.Header()[k] = v
	}
	w.WriteHeader(max(c.status, 200))
	_, _ = io.WriteString(w, c.answer)
}

func TestPublish_RequestIsWhatTheContractSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{answer: `{"id":"1-7"}`}
		c, _ := serve(t, rec, Options{Header: http.Header{"Authorization": {"Bearer t"}, "Content-Type": {"a/b"}}})
		got, err := c.Publish(t.Context(), PublishRequest{Namespace: "shop", Topics: []string{"a b/c+d", "ü#"}, Name: "new order", Data: []byte("x\ny"), IdempotencyKey: "k1", Priority: PriorityHigh})
		if got != (Receipt{ID: "1-7"}) || err != nil {
			t.Fatalf("%+v, %v", got, err)
		}
		r := rec.requests[0]
		if want := "/publish?topic=a%20b%2Fc%2Bd&topic=%C3%BC%23&ns=shop&event=new%20order&priority=high"; r.RequestURI != want || r.Method != "POST" {
			t.Errorf("%s %s, want %s", r.Method, r.RequestURI, want)
		}
		for k, v := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "Idempotency-Key": "k1", "Authorization": "Bearer t"} {
			if r.Header.Get(k) != v {
				t.Errorf("%s: %q, want %q", k, r.Header.Get(k), v)
			}
		}
		if rec.bodies[0] != "x\ny" {
			t.Errorf("body %q", rec.bodies[0])
		}
		if _, err = c.Publish(t.Context(), PublishRequest{Topics: []string{"a", ""}}); err != nil {
			t.Fatal(err)
		}
		if got := rec.requests[1]; got.RequestURI != "/publish?topic=a&topic=" || got.Header.Get("Idempotency-Key") != "" {
			t.Errorf("an empty topic is the server's to refuse: %s", got.RequestURI)
		}
	})
}

func TestPublish_RefusalIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{status: 503, answer: `{"code":"ring_full","detail":"try later","status":503}`,
			header: http.Header{"Content-Type": {"application/problem+json; charset=utf-8"}, "Retry-After": {"3"}}}
		c, w := serve(t, rec, Options{})
		for range 20 {
			_, err := c.Publish(t.Context(), PublishRequest{Topics: []string{"a"}})
			var e *Error
			want := Error{Status: 503, Code: "ring_full", Detail: "try later", RetryAfter: 3 * time.Second}
			if !errors.As(err, &e) || *e != want || !e.Temporary() {
				t.Fatalf("%+v, want %+v", err, want)
			}
		}
		if w.dialed() != 1 {
			t.Errorf("%d connections for 20 refused publishes", w.dialed())
		}
	})
}

func TestPublish_ConnectionIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{answer: `{"id":"1-7"}` + strings.Repeat("\n", 2000)}
		c, w := serve(t, rec, Options{})
		for range 20 {
			if _, err := c.Publish(t.Context(), PublishRequest{Topics: []string{"a"}, Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		if w.dialed() != 1 {
			t.Errorf("%d connections for 20 publishes", w.dialed())
		}
	})
}

func TestPublish_GarbageIsAnError(t *testing.T) {
	for _, answer := range []string{"", "hello", "{}", `{"id":7}`, `{"id":""}`, `[1]`, `{"id":"1-`, strings.Repeat(" ", resultBytesMax+1) + `{"id":"1-1"}`} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := serve(t, &recorder{answer: answer}, Options{})
			var e *Error
			if got, err := c.Publish(t.Context(), PublishRequest{Topics: []string{"a"}}); err == nil || errors.As(err, &e) || got != (Receipt{}) {
				t.Errorf("answer %.20q: %+v, %v", answer, got, err)
			}
		})
	}
}

func TestPublish_SpooledIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := serve(t, &recorder{status: 202, answer: `{"spooled":"12"}`}, Options{})
		if got, err := c.Publish(t.Context(), PublishRequest{Topics: []string{"a"}}); got != (Receipt{Spooled: "12"}) || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		c, _ = serve(t, &recorder{answer: `{"spooled":"12"}` + "\n" + `{"id":"1-1"}` + "\n"}, Options{})
		got, err := c.PublishBatch(t.Context(), "", make([]PublishRequest, 2))
		if err != nil || len(got) != 2 || got[0] != (Result{Receipt: Receipt{Spooled: "12"}}) || got[1] != (Result{Receipt: Receipt{ID: "1-1"}}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestPublish_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			<-r.Context().Done()
		}), Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Publish(ctx, PublishRequest{Topics: []string{"a"}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestPublishBatch_LinesAndResultsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{answer: `{"id":"1-1"}` + "\n" + `{"error":{"status":400,"code":"bad_topic","detail":"no","retry_after":7}}` + "\n" + `{"error":"too big"}` + "\n" + `{"id":"1-2"}` + "\n"}
		c, w := serve(t, rec, Options{})
		batch := []PublishRequest{
			{Topics: []string{"a"}, Data: []byte("line\nbreak \"<&>\u2028")},
			{Topics: []string{"+"}, Name: "n", Namespace: "shop"},
			{Topics: []string{"a", "b"}, IdempotencyKey: "k", Priority: PriorityLow},
			{},
		}
		got, err := c.PublishBatch(t.Context(), "shop", batch)
		if err != nil || len(got) != 4 {
			t.Fatalf("%+v, %v", got, err)
		}
		var first, second *Error
		if got[0] != (Result{Receipt: Receipt{ID: "1-1"}}) || got[3] != (Result{Receipt: Receipt{ID: "1-2"}}) || !errors.As(got[1].Err, &first) || !errors.As(got[2].Err, &second) {
			t.Fatalf("results %+v", got)
		}
		if *first != (Error{Status: 400, Code: "bad_topic", Detail: "no", RetryAfter: 7 * time.Second}) || *second != (Error{Detail: "too big"}) {
			t.Errorf("errors %+v and %+v", first, second)
		}
		r := rec.requests[0]
		if r.RequestURI != "/publish?ns=shop" || r.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s with %s", r.RequestURI, r.Header.Get("Content-Type"))
		}
		lines := strings.Split(strings.TrimSuffix(rec.bodies[0], "\n"), "\n")
		if len(lines) != 4 || lines[1] != `{"topics":["+"],"event":"n","data":""}` || lines[2] != `{"topics":["a","b"],"data":"","key":"k","priority":"low"}` {
			t.Errorf("lines %q", lines)
		}
		var back struct{ Data string }
		if err := json.Unmarshal([]byte(lines[0]), &back); err != nil || back.Data != string(batch[0].Data) {
			t.Errorf("%v: %q", err, back.Data)
		}
		if got, err = c.PublishBatch(t.Context(), "shop", nil); got != nil || err != nil || w.dialed() != 1 {
			t.Errorf("an empty batch: %v, %v", got, err)
		}
	})
}

func TestPublishBatch_TornAnswerGivesWhatIsKnown(t *testing.T) {
	for _, answer := range []string{`{"id":"1-1"}` + "\n" + `{"id":"1-`, `{"id":"1-1"}` + "\n", `{"id":"1-1"}`} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := serve(t, &recorder{answer: answer}, Options{})
			got, err := c.PublishBatch(t.Context(), "", make([]PublishRequest, 3))
			if len(got) != 1 || got[0].ID != "1-1" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestPublishBatch_WhatCantBeSentIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		c, _ := serve(t, rec, Options{})
		for _, bad := range []PublishRequest{{Data: []byte("\xff")}, {Namespace: "other"}} {
			if _, err := c.PublishBatch(t.Context(), "shop", []PublishRequest{{}, bad}); err == nil || !strings.Contains(err.Error(), "event 1 ") {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if len(rec.requests) != 0 {
			t.Error("it was sent")
		}
	})
}

func ExampleClient_Publish() {
	c, err := New("http://127.0.0.1:8080", Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := c.Publish(context.Background(), PublishRequest{Topics: []string{"room/7"}, Data: []byte("hello"), IdempotencyKey: "order-4711"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("published as", receipt.ID)
}

func ExampleClient_Subscribe() {
	c, err := New("http://127.0.0.1:8080", Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	s := c.Subscribe(ctx, SubscribeOptions{Topics: []string{"room/+"}, JSON: true})
	defer s.Close()
	for e, err := range s.All(ctx) {
		switch {
		case err != nil:
			fmt.Println(err)
		case e.IsGap():
			fmt.Println("lost what came before", e.Gap().Earliest)
		default:
			fmt.Println(e.Topics, e.Data)
		}
	}
}
