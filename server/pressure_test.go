package server

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Press makes the watch find this delay, of requests and of new streams, and this share of memory
// instead of measuring. Called before Serve.
func (s *Server) Press(of func() (delay, memory float64)) {
	s.watch.measure = func(time.Time, time.Duration) (loads [signals]float64, memory float64) {
		loads[signalDelay], memory = of()
		loads[signalEntry] = loads[signalDelay]
		return loads, memory
	}
}

// FailEstablishments is what happens at accepts without a descriptor.
func (s *Server) FailEstablishments(n int) {
	for range n {
		s.exhausted()
	}
}

// CountedByAddress is how many connections are counted by address.
func (s *Server) CountedByAddress() int { return s.addresses.connections() }

// unserved is a server that does not run, and its log.
func unserved(t testing.TB, set func(*Options)) (*Server, *bytes.Buffer) {
	t.Helper()
	o := Defaults()
	o.Listen, o.Admin, o.ConnectionsMax, o.Loops = "127.0.0.1:0", "", 100, 1
	if set != nil {
		set(&o)
	}
	log := new(bytes.Buffer)
	s, err := New(o, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.release)
	return s, log
}

// looks lets the watch look at these delays, one after the other; each has stood for long.
func (s *Server) looks(memory float64, delays ...float64) {
	for _, d := range delays {
		s.watch.turn.stood, s.watch.entry.stood = stoodFor, stoodFor
		s.Press(func() (float64, float64) { return d, memory })
		s.watch.look(time.Now(), 0)
		time.Sleep(time.Millisecond) // a Limiter's ticks must differ
	}
}

func TestWatch_OneBadLookIsNoReason(t *testing.T) {
	s, _ := unserved(t, nil)
	s.looks(0, 0, 9, 0, 9, 0)
	if rate := s.streams.Rate(); rate != 0 {
		t.Errorf("new streams are limited to %v a second by single bad looks", rate)
	}
	s.looks(0, 3, 2)
	if rate := s.streams.Rate(); rate != float64(s.o.StreamsRateMin) {
		t.Errorf("the limit is %v after two bad looks of an idle node, want %d", rate, s.o.StreamsRateMin)
	}
	if got := s.load.signals[signalDelay].get(); got != 2 {
		t.Errorf("the delay is shown as %v, want the better of 3 and 2", got)
	}
}

func TestWatch_ALineThatHasJustFormedIsNoReason(t *testing.T) {
	s, _ := unserved(t, nil)
	look := func(at time.Duration, delay float64) {
		s.Press(func() (float64, float64) { return delay, 0 })
		s.watch.look(time.Unix(0, int64(at)), 0)
		time.Sleep(time.Millisecond)
	}
	look(0, 0)
	s.watch.looked = time.Unix(0, 0)
	for at := lookEvery; at < stoodFor; at += lookEvery {
		look(at, 4)
	}
	if rate := s.publishes.Rate(); rate != 0 {
		t.Errorf("publishes are limited to %v a second", rate)
	}
	look(stoodFor, 4)
	look(stoodFor+lookEvery, 4)
	if s.publishes.Rate() == 0 {
		t.Errorf("publishes are not limited by a line that has stood for %v", stoodFor)
	}
}

// What waits for a reactor presses on publishes; a new stream waits for that more than once.
func TestWatch_StreamsMayWaitForLonger(t *testing.T) {
	s, _ := unserved(t, nil)
	entry := 0.0
	s.watch.measure = func(time.Time, time.Duration) (loads [signals]float64, memory float64) {
		loads[signalDelay], loads[signalEntry] = 2, entry
		return loads, 0
	}
	look := func() {
		for range 3 {
			s.watch.turn.stood, s.watch.entry.stood = stoodFor, stoodFor
			s.watch.look(time.Now(), 0)
			time.Sleep(time.Millisecond)
		}
	}
	if look(); s.publishes.Rate() == 0 || s.streams.Rate() != 0 {
		t.Errorf("limits of publishes %v, of streams %v", s.publishes.Rate(), s.streams.Rate())
	}
	entry = 2
	if look(); s.streams.Rate() == 0 {
		t.Error("streams are not limited by their own line")
	}
}

func TestWatch_BreakersOff(t *testing.T) {
	s, _ := unserved(t, func(o *Options) { o.Breakers = "off" })
	s.looks(0.99, 5, 5, 5)
	if s.streams.Rate() != 0 || s.publishes.Rate() != 0 || !s.letsStreamIn(0) || s.load.overloaded.Load() {
		t.Errorf("limits %v and %v, starved %v", s.streams.Rate(), s.publishes.Rate(), s.load.starved.Load())
	}
	if got := s.load.signals[signalDelay].get(); got != 5 {
		t.Errorf("the delay is shown as %v, want 5", got)
	}
	s.FailEstablishments(1000)
	s.looks(0, 0)
	if _, ok := s.admit(netip.Addr{}, nil); !ok {
		t.Error("a connection is refused")
	}
}

func TestWatch_WithoutMemoryNobodyComesIn(t *testing.T) {
	s, log := unserved(t, nil)
	for _, c := range []struct {
		memory float64
		in     bool
		after  time.Duration
	}{{0.9, true, 0}, {0.96, false, 0}, {0.92, false, 0}, {0.94, false, starvedFor}, {0.92, true, 0}, {0.94, true, 0}} {
		s.watch.starved = s.watch.starved.Add(-c.after)
		s.looks(c.memory, 0)
		if s.letsStreamIn(0) != c.in {
			t.Errorf("memory %v: a stream is let in: %v", c.memory, !c.in)
		}
	}
	if said := log.String(); strings.Count(said, "nearly used up") != 1 || strings.Count(said, "memory again") != 1 {
		t.Errorf("the log says %s", said)
	}
}

func TestWatch_OverloadedAfterAWhileAtTheLeast(t *testing.T) {
	s, log := unserved(t, nil)
	begun := time.Now()
	look := func(at time.Duration) bool {
		for s.letsStreamIn(0) { // somebody is refused
		}
		s.Press(func() (float64, float64) { return 2, 0 })
		s.watch.look(begun.Add(at), 0)
		time.Sleep(time.Millisecond)
		status, body := s.ready()
		if (status == 503) != strings.Contains(string(body), "overloaded") {
			t.Errorf("%v: /readyz is %d %s", at, status, body)
		}
		return status == 503
	}
	s.looks(0, 2, 2)
	if look(time.Second) || look(time.Second+floorFor) || !look(2*time.Second+floorFor) {
		t.Error("/readyz says overloaded too soon, or not at all")
	}
	if said := log.String(); strings.Count(said, "the load limits new streams") != 1 || !strings.Contains(said, "delay=2") {
		t.Errorf("the log says %s", said)
	}
	for range 100 { // until it may be lower than the least
		s.looks(0, 0.1)
	}
	if s.load.overloaded.Load() && s.streams.Rate() > float64(s.o.StreamsRateMin) {
		t.Error("/readyz still says overloaded though the limit is raised")
	}
}

func TestComeBackAfter_GrowsWithTheShare(t *testing.T) {
	for _, c := range []struct {
		share float64
		least time.Duration
		want  time.Duration
	}{{0, 0, 2 * time.Second}, {0.5, 0, 11 * time.Second}, {1, 0, 20 * time.Second}, {7, 0, 20 * time.Second}, {0, 5 * time.Second, 5 * time.Second}} {
		if got := comeBackAfter(c.share, c.least); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestAddresses_CountsByNetworkAndForgets(t *testing.T) {
	a := newAddresses(2)
	enter := func(from string) (uint32, bool) { return a.enter(netip.MustParseAddr(from)) }
	first, _ := enter("2001:db8::1")
	second, ok := enter("2001:db8::ffff:2")
	if !ok || first != second {
		t.Errorf("tickets %d and %d of one /64", first, second)
	}
	if _, ok := enter("2001:db8::3"); ok {
		t.Error("a third of the same /64 came in")
	}
	other, ok := enter("192.0.2.1")
	if !ok || other == first {
		t.Error("another address is counted with it")
	}
	a.moves(40, first)
	a.closes(40)
	a.closes(40) // a number that has no ticket any more
	a.closes(41)
	a.leave(0)
	if _, ok := enter("2001:db8::4"); !ok || a.connections() != 3 {
		t.Errorf("%d are counted, want 3", a.connections())
	}
	a.leave(first)
	a.leave(first)
	a.leave(other)
	if a.connections() != 0 || len(a.tickets) != 0 {
		t.Errorf("%d are left of %d addresses", a.connections(), len(a.tickets))
	}
	if ticket, _ := enter("192.0.2.9"); int(ticket) >= len(a.held) || len(a.held) != 3 {
		t.Errorf("ticket %d of %d: those given back are used again", ticket, len(a.held))
	}
}

func TestDoor_TellsInProportion(t *testing.T) {
	s, _ := unserved(t, nil)
	s.door.good.Store(40 * toldMax)
	s.door.bad.Store(60*toldMax - 1)
	s.door.tell(0)
	if n := s.door.circuit.Status().Numbers; n.Outcomes > 2*toldMax {
		t.Errorf("the circuit was told %d outcomes", n.Outcomes)
	}
	if !s.door.open() {
		t.Errorf("60 %% of failures, and it is %+v", s.door.circuit.Status())
	}
}

// Streams that met full tables were handed over, and are no success.
func TestDoor_FullTables(t *testing.T) {
	s, _ := unserved(t, nil)
	s.door.good.Store(30)
	s.door.tell(30)
	if st := s.door.circuit.Status(); !s.door.open() || st.Cause != errTablesFull.Error() {
		t.Errorf("all met full tables, and it is %+v", st)
	}
}

// all makes a wait that of all of the last ticks.
func (w *waits) all(wait time.Duration) {
	for i := range w.last {
		w.turns[i], w.last[i] = wait, wait
	}
}

// Who came when is all that is known, and it tells how long the first in the line waits.
func TestPassage_WaitOfTheFirst(t *testing.T) {
	var p passage
	at := time.Now()
	for i, c := range []struct {
		came, left uint64
		want       int // ms
	}{
		{0, 0, 0}, {5, 5, 0}, {9, 7, 0}, {9, 7, 10}, {12, 8, 20}, {12, 9, 10}, {12, 11, 20}, {20, 20, 0}, {30, 20, 0},
	} {
		at = at.Add(10 * time.Millisecond)
		if got := p.first(at, c.came, c.left); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("tick %d: %v, want %d ms", i, got, c.want)
		}
	}
	for range 3 * passageTicks {
		at = at.Add(10 * time.Millisecond)
		p.first(at, 30, 20)
	}
	if got := p.first(at, 30, 20); got != (passageTicks-1)*10*time.Millisecond && got != (passageTicks-2)*10*time.Millisecond {
		t.Errorf("%v, want all that is remembered", got)
	}
}

func TestWaits_AStandingLineIsWhatAllTicksHad(t *testing.T) {
	s, _ := unserved(t, nil)
	w := s.watch.waits
	w.all(time.Second)
	for range waitTicks - 1 {
		w.tick(tickEvery)
	}
	turn, entry := w.standing()
	if max(turn, entry) > 100*time.Millisecond || w.longest() != time.Second {
		t.Errorf("%v and %v stand, and the longest was %v: nothing waits but at first", turn, entry, w.longest())
	}
	w.tick(time.Second)
	if turn, entry = w.standing(); max(turn, entry) > 100*time.Millisecond {
		t.Errorf("%v and %v after a long step", turn, entry)
	}
}

func TestGauges_AgainstTheirTargets(t *testing.T) {
	s, _ := unserved(t, nil)
	g := newGauges(s)
	g.waits.all(2 * s.o.DelayTarget)
	loads, memory := g.measure(time.Now(), 0)
	if loads[signalDelay] != 2 || loads[signalEntry] != 2.0/agedStreams || memory <= 0 || memory >= 1 || loads[signalMemory] != memory/0.85 || loads[signalCPU] < 0 {
		t.Errorf("signals %v, memory %v", loads, memory)
	}
	if loads[signalHost] != 0 {
		t.Errorf("the host's processors count (%v) at the first late look", loads[signalHost])
	}
	for begun := time.Now(); time.Since(begun) < 50*time.Millisecond; { // the host does something
	}
	loads, _ = g.measure(time.Now(), 5*s.o.DelayTarget)
	if loads[signalHost] <= 0 || loads[signalHost] > 1.01 || loads[signalCPU] <= 0 || loads[signalLateness] != 2 {
		t.Errorf("signals %v", loads)
	}
	g.waits.all(0)
	if loads, _ = g.measure(time.Now(), 0); loads[signalHost] != 0 {
		t.Errorf("nothing is late, and the host's processors count: %v", loads[signalHost])
	}
	s.o.MemoryBytesMax = 1
	g.slowAt = time.Time{}
	if _, memory = g.measure(time.Now(), 0); memory < 1000 {
		t.Errorf("of one byte %v are in use", memory)
	}
	s.o.CPUTarget, s.o.DelayTarget, s.o.MemoryTarget = 0, 0, 0
	loads, memory = g.measure(time.Now(), time.Hour)
	loads[signalDescriptors] = 0
	if loads != [signals]float64{} || memory != 0 {
		t.Errorf("without targets: %v, memory %v", loads, memory)
	}
}
