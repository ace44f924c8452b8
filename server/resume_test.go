package server_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// later is an ID of the same epoch, that many events after id.
func later(t *testing.T, id string, events int) string {
	t.Helper()
	major, minor, _ := strings.Cut(id, "-")
	v, err := strconv.ParseUint(minor, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s-%d", major, int(v)+events)
}

// A client says where it was in a header, as browsers do, or in the query, and is given
// exactly what followed.
func TestResume_GivesWhatFollowed(t *testing.T) {
	n := start(t, nil)
	var ids []string
	for i := range 200 {
		ids = append(ids, n.publish("topic="+[]string{"a", "b"}[i%2], fmt.Sprint(i)))
	}
	for i, c := range []struct {
		query, field string
		from         int
	}{
		{"since=" + ids[50], "", 51},
		{"lastEventId=" + ids[50], "", 51},
		{"", "Last-Event-ID: " + ids[50], 51},
		{"since=earliest", "Last-Event-ID: " + ids[199], 200},
		{"lastEventId=" + ids[0], "last-event-id: " + ids[100], 101},
		{"since=earliest&lastEventId=" + ids[150], "", 151},
		{"since=" + ids[3], "Last-Event-ID:", 4},
		{"since=earliest", "", 0},
		{"", "", 200},
	} {
		var fields []string
		if c.field != "" {
			fields = []string{c.field}
		}
		mark := fmt.Sprint("topic=mark", i)
		s := n.subscribe("topic=a&"+mark+"&"+c.query, fields...)
		if s.gap != nil {
			t.Errorf("%+v: a gap was told", c)
		}
		if c.from > 0 && c.from < 200 && s.at != ids[c.from-1] {
			t.Errorf("%+v: the stream begins at %s, want %s", c, s.at, ids[c.from-1])
		}
		for i := c.from; i < 200; i++ {
			if i%2 == 0 {
				if e := s.next(); e.id != ids[i] || e.data != fmt.Sprint(i) {
					t.Fatalf("%+v: got %+v, want event %d", c, e, i)
				}
			}
		}
		n.silent(mark, s)
		s.Close()
	}
	n.settles()
}

// Publishing goes on while a client catches up: at the seam nothing is lost or doubled.
func TestResume_JoinsHistoryAndPresent(t *testing.T) {
	n := start(t, func(o *server.Options) { o.RingEvents = 256 })
	const events = 3000
	for i := range events / 2 {
		n.publish("topic=a", numbered(i, 200))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := events / 2; i < events; i++ {
			n.publish("topic=a", numbered(i, 200))
		}
	}()
	for range 6 {
		s := n.subscribe("topic=a&since=earliest")
		for i := range events {
			if e := s.next(); !strings.HasPrefix(e.data, fmt.Sprintf("%06d ", i)) {
				t.Fatalf("event %d came as %.20q", i, e.data)
			}
		}
		s.Close()
	}
	<-done
	n.settles()
}

// A client that loses its connection again and again, while events keep coming, is given
// each event once, whichever loop it comes to.
func TestResume_ManyTimesUnderLoad(t *testing.T) {
	n := start(t, func(o *server.Options) { o.Loops, o.RingEvents = 4, 64 })
	const events = 4000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range events {
			n.publish("topic=a", fmt.Sprint(i))
		}
	}()
	last, at := "", 0
	for round := 0; at < events; round++ {
		query := "topic=a&since=earliest"
		if last != "" {
			query = "topic=a&since=" + last
		}
		s := n.subscribe(query)
		for range min(1+round%20, events-at) {
			e := s.next()
			if e.data != fmt.Sprint(at) {
				t.Fatalf("resumed after %s: event %d came as %+v", last, at, e)
			}
			last = e.id
			at++
		}
		s.Close()
	}
	<-done
	n.settles()
}

// An ID that the log cannot continue from is told as a gap: once, and with a position
// that it can continue from.
func TestResume_UnknownPositionIsAGap(t *testing.T) {
	unless(t, "redis", "IDs of Redis are times: one above all others is of the future, and what is below the first can't be told apart")
	n := start(t, nil)
	first := n.publish("topic=a", "1")
	last := n.publish("topic=a", "2")
	for _, c := range []struct {
		requested string
		header    bool
		follows   string
	}{
		{"1-1", true, "1 2"}, {"1-1", false, "1 2"}, {"99999999999999-1", true, "1 2"}, {later(t, last, 5), true, ""},
		{"garbage", true, "1 2"}, {"\u00e4\xff", true, "1 2"}, {strings.Repeat("z", 500), true, "1 2"}, {"-", true, "1 2"},
	} {
		var s *stream
		if c.header {
			s = n.subscribe("topic=a", "Last-Event-ID: "+c.requested)
		} else {
			s = n.subscribe("topic=a&since=" + c.requested)
		}
		requested, earliest := s.toldGap().requested(t)
		want := strings.ToValidUTF8(c.requested, "\uFFFD")
		if requested != want[:min(len(want), 64)] || earliest != first {
			t.Errorf("%q: the gap says requested %q, earliest %q; want %q", c.requested, requested, earliest, first)
		}
		var events []string
		if c.follows != "" {
			events = strings.Split(c.follows, " ")
		}
		s.takes(events...)
		again := n.subscribe("topic=a&since=" + s.gap.id)
		if again.gap != nil {
			t.Errorf("%q: resumed from the gap's ID %s, a second gap %+v was told", c.requested, s.gap.id, again.gap)
		}
		again.takes(events...)
		s.Close()
		again.Close()
	}
	n.settles()
}

// What retention removed is told as a gap, and only if the client really missed it.
func TestResume_RetentionPassed(t *testing.T) {
	unless(t, "redis", "this node's memory holds more than Redis was told to keep")
	n := start(t, func(o *server.Options) { o.RetainEvents, o.RingEvents = 10, 4 })
	zero := n.subscribe("topic=a")
	zero.Close()
	var ids []string
	for i := range 100 {
		ids = append(ids, n.publish("topic=a", fmt.Sprint(i)))
	}
	lost := n.subscribe("topic=a", "Last-Event-ID: "+ids[40])
	if requested, earliest := lost.toldGap().requested(t); requested != ids[40] || earliest != ids[90] {
		t.Errorf("gap from %s to %s, want %s to %s", requested, earliest, ids[40], ids[90])
	}
	lost.takes("90", "91", "92", "93", "94", "95", "96", "97", "98", "99")
	for name, s := range map[string]*stream{
		"edge": n.subscribe("topic=a&since=" + ids[89]), "gap's ID": n.subscribe("topic=a&lastEventId=" + lost.gap.id),
		"earliest": n.subscribe("topic=a&since=earliest"),
	} {
		if s.gap != nil {
			t.Errorf("%s: nothing was missed, but a gap was told: %+v", name, s.gap)
		}
		s.takes("90", "91", "92", "93", "94", "95", "96", "97", "98", "99")
		s.Close()
	}
	zeroAgain := n.subscribe("topic=a&since=" + zero.at)
	zeroAgain.toldGap().requested(t)
	zeroAgain.Close()
	lost.Close()
	n.settles()
}

// Age removes events too, and a log that runs empty still knows where it is.
func TestResume_AgePassed(t *testing.T) {
	unless(t, "redis", "this node's memory holds more than Redis was told to keep")
	n := start(t, func(o *server.Options) { o.RetainAge = 50 * time.Millisecond })
	first := n.publish("topic=a", "1")
	last := n.publish("topic=a", "2")
	time.Sleep(100 * time.Millisecond)
	s := n.subscribe("topic=a&since=" + first)
	if requested, _ := s.toldGap().requested(t); requested != first || s.gap.id != last {
		t.Errorf("gap %+v, want one at %s", s.gap, last)
	}
	up := n.subscribe("topic=a&since=" + last)
	if up.gap != nil {
		t.Errorf("nothing was missed, but a gap was told: %+v", up.gap)
	}
	n.silent("topic=a", s, up)
	s.Close()
	up.Close()
	n.settles()
}
