package loops

import (
	"strings"
	"testing"
)

// A publisher is answered, and its client subscribes from that ID, while another publisher
// has not filled the slot before: the ring shows nothing yet. The event must not come again.
func TestAttach_SinceAnEventThatTheRingDoesNotShowYet(t *testing.T) {
	r := newRig(t, calm())
	ns := r.space("a")
	r.settle()
	e := r.append(ns, []string{"t"}, "own")
	fd, peer := r.connect()
	if !r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"t"}, From: FromID, ID: e.ID, Requested: e.ID.String(), Head: []byte("head\n")}) {
		t.Fatal("no room in the mailbox")
	}
	if !r.turn(0) {
		t.Error("the loop would sleep, and nobody wakes it for the stream that waits")
	}
	if got := peer.Read(4096); len(got) > 0 {
		t.Fatalf("attached before its place was known: %q", got)
	}
	if !r.g.TryPublish(Entry{Event: e, NS: ns, At: r.k.Now()}) {
		t.Fatal("no room in the ring")
	}
	r.settle()
	r.publish(ns, []string{"t"}, "next")
	r.settle()
	got := string(peer.Read(4096))
	if strings.Contains(got, "own") || !strings.Contains(got, "id: "+e.ID.String()) || !strings.Contains(got, "next") {
		t.Errorf("since=%v gave %q", e.ID, got)
	}
	r.stop()
}

// Streams that resume from far behind look at many events that they don't want: what that
// costs comes off the turn's budget.
func TestAttach_LookingCostsBudget(t *testing.T) {
	s := calm()
	s.retain = 10_000
	r := newRig(t, s)
	ns := r.space("a")
	for range 5000 {
		r.append(ns, []string{"unwanted"}, "x")
	}
	ns = r.g.NewNamespace(1, "a", ns.Log)
	for i := range uint64(64) { // each from a place of its own, so that no two share a page
		fd, _ := r.connect()
		r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"t"}, From: FromID, ID: at(4900 - i*pageEvents), Head: []byte("head\n")})
	}
	l := r.g.Loops()[0]
	reads := counted{Log: ns.Log}
	ns.Log = &reads
	l.turn(nil, borrowedWrites)
	if reads.events > 2*borrowedWrites*skippedRows {
		t.Errorf("a borrowed turn looked at %d events; its budget is %d writes, or %d rows each", reads.events, borrowedWrites, skippedRows)
	}
	if reads.events == 0 {
		t.Error("nothing was looked at")
	}
	r.stop()
}
