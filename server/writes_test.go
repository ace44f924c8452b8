package server_test

import (
	"strings"
	"testing"

	"throng/poller"
	"throng/server"
)

func TestWrites_AsChosen(t *testing.T) {
	u, forbidden := poller.NewUring()
	if forbidden == nil {
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []string{"auto", "off"} {
		n := start(t, func(o *server.Options) { o.IOUring = mode })
		w := n.Stats().Writes
		want := "io_uring"
		if mode == "off" || forbidden != nil {
			want = "plain"
		}
		if w.By != want || (w.Reason == "") != (want == "io_uring") {
			t.Errorf("%s: %+v; want %s, and a reason where it is plain", mode, w, want)
		}
	}
	o := options(func(o *server.Options) { o.IOUring = "on" })
	if forbidden == nil {
		begin(t, o).end()
		return
	}
	if _, err := server.New(o, nil); err == nil || !strings.Contains(err.Error(), "--io-uring=auto") {
		t.Errorf("on, where the kernel says %q: %v", forbidden, err)
	}
}
