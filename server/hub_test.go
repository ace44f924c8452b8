package server

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// At the limit of namespaces, an idle one gives way, and all who ask for the new one at the
// same time get the same: a log has one committer.
func TestHub_OneNamespaceOfAName(t *testing.T) {
	o := Defaults()
	o.Listen, o.Admin, o.NamespacesMax = "127.0.0.1:0", "", 4
	s, err := New(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rest := func(n *namespace) {
		n.release()
		n.used.Store(-int64(time.Hour))
	}
	for round := range 500 {
		for i := range o.NamespacesMax {
			n, err := s.hub.acquire(fmt.Sprint("old", round, "-", i), true)
			if err != nil {
				t.Fatal(err)
			}
			rest(n)
		}
		var all sync.WaitGroup
		got := make([]*namespace, 4)
		for i := range got {
			all.Go(func() { got[i], _ = s.hub.acquire(fmt.Sprint("new", round), true) })
		}
		all.Wait()
		for i := range got {
			if got[i] == nil || got[i] != got[0] {
				t.Fatalf("round %d: %p and %p are namespaces of one name", round, got[i], got[0])
			}
		}
		for i := range got {
			rest(got[i])
		}
		if n := s.hub.namespaces(); n > o.NamespacesMax {
			t.Fatalf("%d namespaces are open, at most %d may be", n, o.NamespacesMax)
		}
	}
}

// A tail does not end while a request holds its namespace: it may be a stream on its way.
func TestHub_TailStaysForWhoIsOnTheWay(t *testing.T) {
	o := Defaults()
	o.Listen, o.Admin, o.TailLinger = "127.0.0.1:0", "", time.Second
	s, err := New(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, err := s.hub.follow("a", true)
	if err != nil {
		t.Fatal(err)
	}
	n.following.seen.Store(-int64(time.Hour))
	if n.unwatched() {
		t.Error("it may be unfollowed while a request holds it")
	}
	n.handedOver()
	if n.unwatched() {
		t.Error("it may be unfollowed at the moment of the hand-over")
	}
	n.following.seen.Store(-int64(time.Hour))
	if !n.unwatched() {
		t.Error("it may not be unfollowed though nobody wants it")
	}
}
