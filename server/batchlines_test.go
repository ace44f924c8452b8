package server_test

import (
	"fmt"
	"strings"
	"testing"

	"throng/server"
)

// Each line is answered, a bad one with a hundred times its length: so lines are limited,
// and a batch with too many is refused as a whole.
func TestPublish_BatchOfTooManyLines(t *testing.T) {
	n := start(t, func(o *server.Options) { o.BatchLinesMax = 10 })
	s := n.subscribe("topic=a")
	for _, lines := range []int{11, 10, 11} {
		status := 413
		if lines == 10 {
			status = 200
		}
		body := strings.Repeat("x\n", lines-1) + `{"topic":"a","data":"good"}` + "\n"
		w := n.dial()
		w.send(fmt.Sprintf("POST /publish HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		a := w.answer("POST")
		if a.StatusCode != status {
			t.Errorf("%d lines: %d %s", lines, a.StatusCode, a.body)
		}
		if status == 413 && !strings.Contains(a.body, "--batch-lines-max") {
			t.Errorf("the answer does not name the limit: %s", a.body)
		}
		w.Close()
	}
	s.takes("good")
	if got := n.scrape()[`throng_publish_refused_total{code="bad_line"}`]; got != 9 {
		t.Errorf("%v lines are counted as bad, want 9", got)
	}
}
