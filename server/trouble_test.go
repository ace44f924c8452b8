package server

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A store that fails one request after the other, and is well by its own account, is told
// of once a minute, and well again only when nothing has failed for a while.
func TestTrouble_IsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tr := trouble{log: slog.New(slog.NewTextHandler(&out, nil))}
		for range 90 {
			tr.note(errors.New("no answer"))
			tr.look(nil)
			time.Sleep(time.Second)
		}
		if n := strings.Count(out.String(), "failed requests"); n != 2 || strings.Contains(out.String(), "well again") {
			t.Fatalf("%d lines in 90 s:\n%s", n, &out)
		}
		time.Sleep(troubleOver)
		tr.look(errors.New("still away"))
		tr.look(nil)
		tr.look(nil)
		if n := strings.Count(out.String(), "well again"); n != 1 || !strings.Contains(out.String(), "failed_requests=90") {
			t.Errorf("%d lines say that it is over:\n%s", n, &out)
		}
	})
}
