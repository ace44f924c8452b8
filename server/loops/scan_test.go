package loops

import (
	"fmt"
	"testing"
	"time"

	"throng/internal/simio"
	"throng/replay"
	"throng/sse"
)

// TestScan_TurnsStayShort lets a crowd come back for a long history of one namespace, in
// memory or not. No turn takes longer than its budget meanwhile, and the member of another
// namespace waits for a few turns at most.
func TestScan_TurnsStayShort(t *testing.T) {
	for name, recent := range map[string]uint64{"resident": 1 << 40, "cold": 0} {
		t.Run(name, func(t *testing.T) {
			const rows, events = 3000, 20_000
			s := calm()
			s.kernel.Cost, s.retain = costs, events
			s.Heartbeat, s.StallTimeout = 10*time.Minute, 10*time.Minute
			s.wrap = func(log replay.Log) *cold { return &cold{Log: log, recent: recent} }
			c := newCrowd(t, s, 0)
			log := c.space("past").Log
			for i := range events {
				c.append(c.space("past"), []string{fmt.Sprint("own/", i%rows), "all"}[:1+i%50/49], "x")
			}
			past := c.g.NewNamespace(2, "past", log)
			other := c.g.NewNamespace(3, "other", c.space("other").Log)
			member := c.join(other, "one")
			c.settle()
			for i := range rows {
				fd, peer := c.connect()
				peer.Count(c.sink, 0)
				c.peers = append(c.peers, peer)
				a := &Attach{NS: past, Topics: []string{fmt.Sprint("own/", i), "all"}, From: FromEarliest}
				for !c.g.TryAttach(fd, a) {
					c.turn(0)
				}
			}
			var turn, publish worst
			more := true
			for i := 0; more || c.g.Loops()[0].Figures().Waiting > 0; i++ {
				if i%50 == 20 {
					c.publish(other, []string{"one"}, "hello")
					publish.see(c.until(&turn, member, blocks(member)+1))
				}
				more = c.timed(&turn)
			}
			budget := time.Duration(s.TurnWritesMax+7*quantum+outboxSends)*costs.Write + 100*costs.Other
			if got := time.Duration(turn.ns); got > budget {
				t.Errorf("a turn takes %v, the budget is %v", got, budget)
			}
			if publish.turns > 2 {
				t.Errorf("others wait for %d turns, want 2 at most", publish.turns)
			}
			f := c.g.Loops()[0].Figures()
			read := f.Reads + c.g.Paging().Events
			t.Logf("%d scans, %d events read for %d delivered; worst turn %v, worst publish %v", f.Scans, read, f.Replayed, time.Duration(turn.ns), time.Duration(publish.ns))
			if read > 10*events {
				t.Errorf("%d events were read of a log of %d", read, events)
			}
			for i, p := range c.peers[1:] {
				want := 0
				for e := range events {
					if e%rows == i || e%50 == 49 {
						want++
					}
				}
				if got := blocks(p); got != uint64(headBlocks+want) {
					t.Fatalf("row %d has %d blocks, want %d", i, got, headBlocks+want)
				}
			}
			c.stop()
		})
	}
}

// TestScan_FewAtOnce lets rows of many namespaces come back at once: their logs are read a few
// at a time, in order of arrival.
func TestScan_FewAtOnce(t *testing.T) {
	const spaces = 20
	s := calm()
	s.ScansMax = 2
	s.wrap = func(log replay.Log) *cold { return &cold{Log: log} }
	r := newRig(t, s)
	var peers []*simio.Peer
	for i := range spaces {
		ns := r.space(fmt.Sprint("ns", i))
		r.publish(ns, []string{"t"}, "x")
	}
	r.settle()
	l := r.g.Loops()[0]
	for i := range spaces {
		fd, peer := r.connect()
		peers = append(peers, peer)
		r.g.Attach(fd, &Attach{NS: r.space(fmt.Sprint("ns", i)), Topics: []string{"t"}, From: FromID, ID: at(0), Requested: "1-0", Head: []byte(headOK)})
	}
	for range 5 {
		l.Turn(0)
	}
	if n := len(r.g.pager.queue); n != s.ScansMax {
		t.Fatalf("%d pages are asked for, want %d", n, s.ScansMax)
	}
	head := len(peers[0].Received())
	for i := range peers {
		for l.Turn(0) {
		}
		if len(peers[i].Received()) != head {
			t.Fatalf("stream %d has history out of turn", i)
		}
		r.g.pager.serve(false)
		for l.Turn(0) {
		}
		if len(peers[i].Received()) == head {
			t.Fatalf("stream %d has nothing after %d pages", i, i+1)
		}
	}
	r.stop()
}

// TestScan_AllocatesNothingPerEvent lets rows walk a log once more and once more.
func TestScan_AllocatesNothingPerEvent(t *testing.T) {
	const rows, events = 50, 2000
	s := calm()
	s.retain = events
	r := newRig(t, s)
	ns := r.space("a")
	for i := range events {
		r.append(ns, []string{fmt.Sprint("own/", i%rows)}, "x")
	}
	ns = r.g.NewNamespace(1, "a", ns.Log)
	sink := r.k.AddSink(simio.CountBlocks)
	l := r.g.Loops()[0]
	var slots []uint32
	for i := range rows {
		fd, peer := r.connect()
		peer.Count(sink, 0)
		r.g.Attach(fd, &Attach{NS: ns, Topics: []string{fmt.Sprint("own/", i)}})
	}
	r.settle()
	for slot := uint32(1); slot < l.table.used; slot++ {
		slots = append(slots, slot)
	}
	again := func() {
		for _, slot := range slots {
			r := &l.table.rows[slot]
			r.state = stateCatchUp
			s := l.table.sideOf(slot)
			s.last, s.upTo = at(0), l.ns[1].last
			l.enqueue(slot)
		}
		for r.turn(0) {
		}
	}
	again()
	before := l.Figures().Replayed
	const most = 100 // a scan's own: itself, its window, its picks
	if n := testing.AllocsPerRun(5, again); n > most {
		t.Errorf("%v allocations for %d events to %d rows, want %d at most", n, events, rows, most)
	}
	if got := l.Figures().Replayed - before; got != 6*events {
		t.Errorf("%d events were replayed, want %d", got, 6*events)
	}
	r.stop()
}

// A reader that takes little at a time comes back to the scan again and again: that does not
// mean reading everything again and again.
func TestScan_SlowReaderReadsNoMoreThanItIsGiven(t *testing.T) {
	const events = 2000
	s := calm()
	s.retain, s.Heartbeat, s.StallTimeout = events, time.Hour, time.Hour
	s.wrap = func(log replay.Log) *cold { return &cold{Log: log} }
	r := newRig(t, s)
	ns := r.space("a")
	for range events {
		r.append(ns, []string{"t"}, "some text")
	}
	ns = r.g.NewNamespace(1, "a", ns.Log)
	fd, peer := r.connect()
	peer.SetWindow(200)
	r.g.Attach(fd, &Attach{NS: ns, Topics: []string{"t"}, From: FromID, ID: at(0), Requested: "1-0"})
	r.settle()
	if read := r.g.Paging().Events; read > 2*events {
		t.Errorf("%d events were read to give %d", read, events)
	}
	n := 0
	var parser sse.Parser
	for b := peer.Read(1 << 20); len(b) > 0; {
		used, m, err := parser.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if b = b[used:]; m.Kind == sse.KindEvent {
			n++
		}
	}
	if n != events {
		t.Errorf("%d events came, want %d", n, events)
	}
	r.stop()
}
