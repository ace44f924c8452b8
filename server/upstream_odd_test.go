package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"throng/source"
)

// IDs that jump back, come twice, are empty or longer than is kept, and gaps without one: what
// can be published is, once, and the position is the last ID that can be asked for.
func TestUpstream_OddIDs(t *testing.T) {
	event := func(id, data string) *source.Event {
		return &source.Event{Id: id, Topics: []string{"a"}, Data: []byte(data)}
	}
	long := strings.Repeat("l", upstreamIDBytesMax+1)
	for _, c := range []struct {
		why    string
		events []*source.Event
		stored []string
		at     string
		gaps   uint64
		left   uint64 // left out, of any reason
	}{
		{"backwards", []*source.Event{event("9", "nine"), event("1", "one"), event("5", "five")}, []string{"nine", "one", "five"}, "5", 0, 0},
		{"the same event twice", []*source.Event{event("1", "one"), event("2", "two"), event("1", "one")}, []string{"one", "two"}, "1", 0, 0},
		{"an ID for two events", []*source.Event{event("1", "one"), event("1", "two"), event("2", "three")}, []string{"one", "three"}, "2", 0, 1},
		{"no ID", []*source.Event{event("1", "one"), event("", "none"), event("2", "two"), event("", "none")}, []string{"one", "two"}, "2", 0, 2},
		{"an ID too long", []*source.Event{event("1", "one"), event(long, "long")}, []string{"one", "long"}, "1", 0, 0},
		{"a gap without an ID", []*source.Event{event("1", "one"), {Gap: &source.Gap{}}, event("2", "two"), {}, {Gap: &source.Gap{}}}, []string{"one", "two"}, "2", 2, 0},
		{"an empty gap with topics", []*source.Event{{Id: "1", Topics: []string{"a"}, Gap: &source.Gap{}, Data: []byte("x")}}, []string{"x"}, "1", 0, 0},
		{"text that is none", []*source.Event{event("1", "\xff"), event("2", "\x00"), event("3\n", "three"), event("4", "")}, []string{"three", ""}, "4", 0, 2},
	} {
		s, err := followingServer(t, "127.0.0.1:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.group.Start()
		u := s.upstreams[0]
		if err := u.take(c.events); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		if got := held(t, s, "default"); !slices.Equal(got, c.stored) || u.position() != c.at {
			t.Errorf("%s: %q are stored, and %q is reached", c.why, got, u.position())
		}
		var left uint64
		for i := range s.table.PublishRefused {
			left += s.table.PublishRefused[i].Value()
		}
		if gaps := s.table.UpstreamGaps.Value(); gaps != c.gaps || left != c.left {
			t.Errorf("%s: %d gaps and %d events left out are counted", c.why, gaps, left)
		}
	}
}

// A full table of namespaces holds an upstream's events; none is lost when there is a place.
func TestUpstream_NamespacesAtTheirLimit(t *testing.T) {
	s, err := followingServer(t, "127.0.0.1:1", func(o *Options) { o.NamespacesMax = 1 })
	if err != nil {
		t.Fatal(err)
	}
	s.group.Start()
	other, err := s.hub.acquire("other", true)
	if err != nil {
		t.Fatal(err)
	}
	defer other.release()
	u := s.upstreams[0]
	left, err := u.store([]*source.Event{{Id: "1", Topics: []string{"a"}}})
	if len(left) != 1 || fmt.Sprint(err) != errTooManyNamespaces.Error() || u.position() != "" {
		t.Errorf("%d are left, %v, %q is reached", len(left), err, u.position())
	}
}
