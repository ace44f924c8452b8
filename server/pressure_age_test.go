package server

import (
	"net"
	"testing"
	"time"

	"throng/breaker"
)

func TestAgedShare_GrowsWithTheAge(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		age, target time.Duration
		want        float64
	}{
		{0, 20 * ms, 0}, {20 * ms, 20 * ms, 0}, {30 * ms, 20 * ms, 0.125}, {40 * ms, 20 * ms, 0.25}, {80 * ms, 20 * ms, agedMost},
		{time.Hour, 20 * ms, agedMost}, {time.Hour, 0, 0}, {0, 0, 0},
	} {
		if got := agedShare(c.age, c.target); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%v old, target %v: %v are refused, want %v", c.age, c.target, got, c.want)
		}
	}
}

// Who has waited for too long is refused by lot, and counts as refused; a stream may wait for
// longer than a publish.
func TestLetsIn_ByAge(t *testing.T) {
	s, _ := unserved(t, nil)
	share := func(ask func(time.Duration) bool, age time.Duration) float64 {
		refused := 0
		for range 4000 {
			if !ask(age) {
				refused++
			}
		}
		return float64(refused) / 4000
	}
	target := s.o.DelayTarget
	for _, c := range []struct {
		name string
		ask  func(time.Duration) bool
		age  time.Duration
		want float64
	}{
		{"publish", s.letsPublishIn, target, 0}, {"publish", s.letsPublishIn, 3 * target, 0.5}, {"publish", s.letsPublishIn, 9 * target, agedMost},
		{"stream", s.letsStreamIn, agedStreams * target, 0}, {"stream", s.letsStreamIn, agedStreams * 3 * target, 0.5},
	} {
		if got := share(c.ask, c.age); got < c.want-0.05 || got > c.want+0.05 {
			t.Errorf("a %s that is %v old: %v are refused, want %v", c.name, c.age, got, c.want)
		}
	}
	if in, refused := s.publishes.Counts(); in+refused != 12000 || refused < 4500 || refused > 5500 {
		t.Errorf("%d counted as let in, %d as refused", in, refused)
	}
}

// The age is asked only while something waits, and never with --breakers=off.
func TestWatch_AgesAreAskedWhileSomethingWaits(t *testing.T) {
	s, _ := unserved(t, nil)
	w, target := s.watch.waits, s.o.DelayTarget
	for _, c := range []struct {
		last, others time.Duration // the wait of the last tick, and of those before
		breakers     string
		want         bool
	}{
		{0, 0, "on", false}, {target / 3, target / 3, "on", false},
		{5 * target, 0, "on", false}, // a burst
		{target, target, "off", false}, {target, target, "on", true},
		{0, target, "on", true}, {target, 0, "on", true}, // it has not been gone for long
		{0, 0, "on", false},
	} {
		s.o.Breakers = c.breakers
		w.all(c.others)
		w.last[0] = c.last
		s.watch.slows()
		if got := s.load.slow.Load(); got != c.want {
			t.Errorf("%+v: asked: %v", c, got)
		}
	}
}

// An idle node is looked at seldom, but not before all are heard again: whose first packets are
// dropped makes it no less idle.
func TestWatch_RestsOnlyWhenAllAreHeard(t *testing.T) {
	s, _ := unserved(t, nil)
	w := s.watch
	w.idle = func() bool { return true }
	if !w.resting() {
		t.Error("nothing is to be done, and it does not rest")
	}
	w.hush.share = 0.5
	if w.resting() {
		t.Error("half of those who come are not heard, and it rests")
	}
	w.hush.looked = time.Unix(0, 0)
	for i := range time.Duration(2) {
		w.hear(time.Unix(0, int64((i+1)*tickEvery)), tickEvery)
	}
	if !w.resting() {
		t.Errorf("nobody comes, and %v is heard", w.hush.share)
	}
}

// While the line of new connections is long some are not heard, and all again when it is gone.
func TestWatch_HearsAsManyAsThereIsRoomFor(t *testing.T) {
	s, _ := unserved(t, nil)
	w := s.watch
	crowd := func() {
		for range 100 { // nobody accepts them: they wait in the kernel's queue
			c, err := net.DialTimeout("tcp", s.Addr().String(), 20*time.Millisecond)
			if err == nil {
				_, _ = c.Write([]byte("GET "))
				t.Cleanup(func() { _ = c.Close() })
			}
		}
		for begun := time.Now(); s.ln.Waiting() == 0 && time.Since(begun) < time.Second; time.Sleep(time.Millisecond) {
		}
	}
	crowd()
	at := time.Now()
	w.hush.looked = at
	hear := func(times int) {
		for range times {
			at = at.Add(tickEvery)
			w.waits.tick(tickEvery)
			w.hear(at, tickEvery)
		}
	}
	hear(3)
	if got := s.Breakers().Limits.Heard; got != 1 {
		t.Errorf("%v is heard of a crowd that has just come", got)
	}
	hear(20)
	if got, least := s.Breakers().Limits.Heard, w.hush.Least; got != least {
		t.Errorf("%v is heard while nobody is served, want the least, %v", got, least)
	}
	heard := 0
	for range 50 {
		if c, err := net.DialTimeout("tcp", s.Addr().String(), 20*time.Millisecond); err == nil {
			heard++
			_ = c.Close()
		}
	}
	if heard > 40 {
		t.Errorf("%d of 50 connected", heard)
	}
	w.hush.Silence = breaker.Silence{Least: w.hush.Least, Target: time.Hour} // no line is long
	hear(2)
	if got := s.Breakers().Limits.Heard; got != 1 {
		t.Errorf("%v is heard with nothing to wait for", got)
	}
	if c, err := net.DialTimeout("tcp", s.Addr().String(), time.Second); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}
