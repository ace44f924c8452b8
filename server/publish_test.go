package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"throng/server"
)

// Who publishes gets the ID that readers see; IDs rise in the order of the answers.
func TestPublish_AnswersTheID(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	w := n.dial()
	w.send(post("topic=a", "x"))
	a := w.answer("POST")
	id := idOf(t, a)
	if a.Header.Get("Content-Type") != "application/json" || a.body != "{\"id\":\""+id+"\"}\n" {
		t.Errorf("the answer is %q as %q", a.body, a.Header.Get("Content-Type"))
	}
	if e := s.next(); e.id != id {
		t.Errorf("the reader got %+v, the publisher %s", e, id)
	}
	if next := n.publish("topic=b", "y"); !follows(t, id, next) {
		t.Errorf("after %s came %s", id, next)
	}
	s.Close()
	w.Close()
	n.settles()
}

// Many publishers at once: each event is stored once, every reader sees one order, and
// it is the order of the IDs.
func TestPublish_ConcurrentIsOneOrder(t *testing.T) {
	n := start(t, func(o *server.Options) { o.RingEvents, o.MailboxPublishMax = 64, 16 })
	const publishers, each = 16, 100
	readers := []*stream{n.subscribe("topic=a"), n.subscribe("topic=%23"), n.subscribe("topic=a&topic=b&format=json")}
	var all sync.WaitGroup
	for p := range publishers {
		w := n.dial()
		all.Go(func() {
			for i := range each {
				for {
					if _, err := w.Write([]byte(post("topic=a", fmt.Sprint(p, " ", i)))); err != nil {
						t.Error(err)
						return
					}
					a, err := w.tryAnswer("POST")
					if err != nil {
						t.Error(err)
						return
					}
					if a.StatusCode == 200 {
						break
					}
					if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" { // a full mailbox
						t.Errorf("answered %s", a.Status)
					}
				}
			}
		})
	}
	var order [3][]string
	for i, s := range readers {
		last := map[string]int{}
		for range publishers * each {
			e := s.next()
			order[i] = append(order[i], e.id)
			data := e.data
			if i == 2 {
				var v struct{ Data string }
				_ = json.Unmarshal([]byte(data), &v)
				data = v.Data
			}
			p, number, _ := strings.Cut(data, " ")
			if want := fmt.Sprint(last[p]); number != want {
				t.Fatalf("publisher %s: got %s, want %s", p, number, want)
			}
			last[p]++
		}
	}
	all.Wait()
	same(t, "the second reader", order[1], order[0])
	same(t, "the third reader", order[2], order[0])
	for i := 1; i < len(order[0]); i++ {
		if !follows(t, order[0][i-1], order[0][i]) {
			t.Fatalf("after %s came %s", order[0][i-1], order[0][i])
		}
	}
	for _, s := range readers {
		s.Close()
	}
}

// A retry with the same key publishes nothing and is told the same ID; the same key
// for something else is a mistake that must not be hidden.
func TestPublish_IdempotencyKey(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	key := "Idempotency-Key: 1c6e"
	id := n.publish("topic=a&event=e", "x", key)
	for range 3 {
		if again := n.publish("topic=a&event=e", "x", key); again != id {
			t.Errorf("the retry was given %s, the first %s", again, id)
		}
	}
	for _, other := range []string{post("topic=a&event=e", "y", key), post("topic=a&event=f", "x", key), post("topic=a", "x", key),
		post("topic=a&topic=b&event=e", "x", key)} {
		n.pub.send(other)
		n.pub.answer("POST").refused(t, 422, "idempotency_key_reused")
	}
	if n.publish("topic=a&event=e&ns=other", "x", key) == "" || n.publish("topic=a&event=e", "x", "Idempotency-Key: 1C6E") == id {
		t.Error("another namespace's or another spelling's key was taken for the same")
	}
	if e := s.next(); e.id != id {
		t.Errorf("the reader got %+v", e)
	}
	if e := s.next(); e.data != "x" || e.id == id {
		t.Errorf("the reader got %+v", e)
	}
	n.silent("topic=a", s)
	s.Close()
	n.settles()
}

// Retries may overtake each other: of many at the same moment one publishes, and all
// are told its ID.
func TestPublish_ConcurrentDuplicates(t *testing.T) {
	n := start(t, nil)
	s := n.subscribe("topic=a")
	for round := range 30 {
		ids := make(chan string, 12)
		request := post("topic=a", fmt.Sprint(round), fmt.Sprint("Idempotency-Key: ", round))
		for range cap(ids) {
			w := n.dial()
			go func() {
				_, _ = w.Write([]byte(request))
				a, err := w.tryAnswer("POST")
				if err != nil || a.StatusCode != 200 {
					t.Errorf("%v %v", a.Response, err)
				}
				_ = w.Close()
				ids <- a.body
			}()
		}
		first := <-ids
		for range cap(ids) - 1 {
			if id := <-ids; id != first {
				t.Fatalf("one was told %s, another %s", first, id)
			}
		}
		if e := s.next(); e.data != fmt.Sprint(round) || !strings.Contains(first, e.id) {
			t.Fatalf("the reader got %+v, publishers %s", e, first)
		}
	}
	s.Close()
	n.settles()
}

// A batch answers line by line in order; a bad line costs itself only.
func TestPublish_Batch(t *testing.T) {
	n := start(t, func(o *server.Options) { o.EventBytesMax = 1000 })
	s := n.subscribe("topic=%23")
	batch := []struct{ line, code, data string }{
		{`{"topic":"a","data":"one"}`, "", "one"},
		{`{"topics":["b","c/d"],"event":"e","data":{"x": [1, null]}}`, "", `{"x": [1, null]}`},
		{`not json`, "bad_line", ""},
		{``, "skipped", ""},
		{`{"topic":"a","data":"two"} {}`, "bad_line", ""},
		{`{"topic":"a"}`, "bad_line", ""},
		{`{"topic":"a","data":"x","extra":1}`, "bad_line", ""},
		{`{"topic":"a","topics":["b"],"data":"x"}`, "bad_line", ""},
		{`[]`, "bad_line", ""},
		{`{"data":"x"}`, "missing_topic", ""},
		{`{"topic":"a/+","data":"x"}`, "bad_topic", ""},
		{`{"topic":"a\n","data":"x"}`, "bad_topic", ""},
		{`{"topic":"a","event":"throng.x","data":"x"}`, "bad_event_name", ""},
		{`{"topic":"a","event":"x\r\ndata: y","data":"x"}`, "bad_event_name", ""},
		{`{"topic":"a","data":"nul\u0000"}`, "bad_data", ""},
		{`{"topic":"a","data":"` + strings.Repeat("x", 1001) + `"}`, "body_too_large", ""},
		{`{"topic":"a","data":"k","key":"k1"}` + "\r", "", "k"},
		{`{"topic":"a","data":"k","key":"k1"}`, "same", ""},
		{`{"topic":"a","data":"other","key":"k1"}`, "idempotency_key_reused", ""},
		{`{"topic":"a","data":""}`, "", ""},
		{`{"topic":"a","data":null}`, "", "null"},
		{`{"topic":"a","data":"last"}`, "", "last"},
	}
	var body strings.Builder
	for _, b := range batch {
		body.WriteString(b.line + "\n")
	}
	w := n.dial()
	w.send(post("", strings.TrimSuffix(body.String(), "\n"), "Content-Type: application/x-ndjson; charset=utf-8"))
	a := w.answer("POST")
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%s %q %s", a.Status, a.Header.Get("Content-Type"), a.body)
	}
	answers, last := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n"), ""
	for _, b := range batch {
		if b.code == "skipped" {
			continue
		}
		if len(answers) == 0 {
			t.Fatal("too few lines were answered")
		}
		var v struct {
			ID    string
			Error problem
		}
		if err := json.Unmarshal([]byte(answers[0]), &v); err != nil {
			t.Fatal(err)
		}
		answers = answers[1:]
		switch {
		case b.code == "same" && v.ID == last:
		case b.code == "" && v.ID != "":
			if e := s.next(); e.data != b.data || e.id != v.ID {
				t.Errorf("%s came as %+v, answered %s", b.line, e, v.ID)
			}
			last = v.ID
		case b.code == "" || v.Error.Code != b.code:
			t.Errorf("%s was answered %+v", b.line, v)
		}
	}
	n.silent("topic=a", s)
	s.Close()
	w.Close()
	n.settles()
}

// A batch longer than the log takes at once keeps its order and its answers.
func TestPublish_LargeBatch(t *testing.T) {
	n := start(t, func(o *server.Options) { o.RingEvents = 256 })
	s := n.subscribe("topic=a")
	var body strings.Builder
	const events = 5000
	for i := range events {
		fmt.Fprintf(&body, "{\"topic\":\"a\",\"data\":%d}\n", i)
		if i%3 == 0 {
			body.WriteString("bad\n")
		}
	}
	w := n.dial()
	w.send(post("ns=default", body.String(), "Content-Type: application/x-ndjson"))
	answers := strings.Split(strings.TrimSuffix(w.answer("POST").body, "\n"), "\n")
	for i := range events {
		if e := s.next(); e.data != fmt.Sprint(i) || answers[0] != `{"id":"`+e.id+`"}` {
			t.Fatalf("event %d came as %+v, answered %s", i, e, answers[0])
		}
		answers = answers[1:]
		if i%3 == 0 {
			if !strings.Contains(answers[0], `"code":"bad_line"`) {
				t.Fatalf("a bad line was answered %s", answers[0])
			}
			answers = answers[1:]
		}
	}
	if len(answers) > 0 {
		t.Errorf("%d answers too many", len(answers))
	}
	s.Close()
	w.Close()
	n.settles()
}

// What a batch has stored is not touched by what comes after it, in the same request or in
// the next one, though both use the memory of the first again.
func TestPublish_BatchesLeaveEachOtherAlone(t *testing.T) {
	n := start(t, nil)
	w := n.dial()
	const requests, events = 3, 2500
	for r := range requests {
		var body strings.Builder
		for i := range events {
			fmt.Fprintf(&body, "{\"topics\":[\"a/%d\",\"all\"],\"event\":\"e%d\",\"data\":\"\\u0041 %d\\n%d\"}\n", i, i%7, r, i)
		}
		w.send(post("", body.String(), "Content-Type: application/x-ndjson"))
		if a := w.answer("POST"); a.StatusCode != 200 || strings.Count(a.body, `"id"`) != events {
			t.Fatalf("%s, %d IDs", a.Status, strings.Count(a.body, `"id"`))
		}
	}
	s := n.subscribe("topic=all&since=earliest&format=json")
	for r := range requests {
		for i := range events {
			var v struct {
				Topics []string
				Event  string
				Data   string
			}
			e := s.next()
			if err := json.Unmarshal([]byte(e.data), &v); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("[a/%d all] e%d A %d\n%d", i, i%7, r, i); fmt.Sprintf("%v %s %s", v.Topics, v.Event, v.Data) != want {
				t.Fatalf("event %d of request %d is %s", i, r, e.data)
			}
		}
	}
	s.Close()
	w.Close()
}
