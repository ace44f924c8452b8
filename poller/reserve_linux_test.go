package poller

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A reserve that another part of the process has taken comes first of what is free again:
// whoever is accepted next is answered, and leaves his descriptor; those after him are served.
func TestReserve_LostOneComesFirst(t *testing.T) {
	d := newDoor(t, func(g *guest, _ []byte) { g.say("served"); g.Close() })
	var told atomic.Int64
	d.ln.Exhausted = func() { told.Add(1) }
	d.ln.Refusal = func([]byte) []byte { return []byte("no more") }
	d.ln.reserve.lose()
	d.serve()
	d.dial("GET").reads("no more")
	for range 3 {
		d.dial("GET").reads("served")
	}
	d.empties(4)
	if told.Load() != 1 {
		t.Errorf("%d were counted", told.Load())
	}
}

// A connection gets no second descriptor while the reserve is lost: that one is the reserve.
func TestReserve_ComesBeforeCopies(t *testing.T) {
	l, err := Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &l.reserve
	r.lose()
	if _, err := r.dup(l.fd); err != unix.EMFILE || r.lost.Load() {
		t.Errorf("a copy while it was lost: %v; still lost: %v", err, r.lost.Load())
	}
	fd, err := r.dup(l.fd)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if w, err := net.DialTimeout("tcp", l.Addr().String(), time.Second); err == nil {
		_ = w.Close()
		t.Error("the reserve keeps a closed listener open")
	}
}

// lose is what another part of the process does that takes its number.
func (r *reserve) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = unix.Close(r.fd)
	r.fd = -1
	r.lost.Store(true)
}
