package server

import (
	"fmt"
	"testing"

	"throng/sse"
)

// A chunk makes at most twice the room that its events take, however many of its lines
// are good, and no event shares memory with one that may not be stored.
func TestBatch_SlotsAreAtMostTwiceTheEvents(t *testing.T) {
	b := batch{names: []string{"a"}}
	made := 0
	for i := range 1000 {
		before := len(b.slots)
		e := b.newEvent("n", false)
		if before == 0 {
			made += len(b.slots) + 1
		}
		if e.Name != "n" || len(e.Topics) != 1 || cap(e.Topics) != 1 || e.Topics[0] != "a" {
			t.Fatalf("event %d is %q %q", i, e.Topics, e.Name)
		}
		if made > 2*(i+1) {
			t.Fatalf("room for %d after %d events", made, i+1)
		}
	}
	rest := len(b.slots)
	if alone := b.newEvent("n", true); len(b.slots) != rest || alone.Topics[0] != "a" {
		t.Error("an event with a key took a slot")
	}
}

// Lines that follow each other share the text of their topic and name.
func TestBatch_SharesEqualText(t *testing.T) {
	s := Server{o: Options{EventTopicsMax: 2, EventBytesMax: 100, EventNameBytesMax: 100}}
	var b batch
	var events []*sse.Event
	for i := range 2 {
		r, _, refused := s.lineRecord(&b, fmt.Appendf(nil, `{"topic":"a/b","event":"name","data":%d}`, i))
		if refused != nil {
			t.Fatal(refused.detail)
		}
		events = append(events, r.Event)
	}
	line := []byte(`{"topic":"a/b","event":"name","data":"x"}`)
	b.slots = make([]slot, 200) // else the new ones count
	if n := testing.AllocsPerRun(100, func() {
		if _, _, refused := s.lineRecord(&b, line); refused != nil {
			t.Error(refused.detail)
		}
	}); n > 0 {
		t.Errorf("a line like the last one allocates %v times", n)
	}
	for i, e := range events {
		if e.Topics[0] != "a/b" || e.Name != "name" || string(e.Data) != fmt.Sprint(i) {
			t.Errorf("event %d is %q %q %q", i, e.Topics, e.Name, e.Data)
		}
	}
}

// What one held event can keep alive of others is small: a long line's event is alone.
func TestBatch_LongLinesShareNothing(t *testing.T) {
	s := Server{o: Options{EventTopicsMax: 2, EventBytesMax: 10_000, EventNameBytesMax: 100}}
	for size, shared := range map[int]int{100: 1, 2 * sharedLineBytes: 0} {
		var b batch
		line := fmt.Appendf(nil, `{"topic":"a","data":"%0*d"}`, size, 0)
		if _, _, refused := s.lineRecord(&b, line); refused != nil {
			t.Fatal(refused.detail)
		}
		if b.taken != shared {
			t.Errorf("a line of %d bytes took %d slots, not %d", len(line), b.taken, shared)
		}
	}
}
