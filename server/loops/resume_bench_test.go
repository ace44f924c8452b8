//go:build linux

package loops

import (
	"testing"
	"time"

	"throng/internal/simio"
	"throng/replay"
	"throng/sse"
)

// A storm of clients: as many as the house wants to see come back at once, and what each
// has missed.
const (
	stormRows   = 15_000
	stormEvents = 100
)

// storm is a loop, and a log with what stormRows clients have missed.
type storm struct {
	*rig
	ns    *Namespace
	sink  simio.SinkID
	first sse.ID
	peers []*simio.Peer
}

func newStorm(tb testing.TB, topics func(i int) string, events int, wrap func(replay.Log) *cold) *storm {
	tb.Helper()
	s := calm()
	s.Heartbeat, s.StallTimeout = time.Hour, time.Hour
	s.RowsMax, s.kernel.FDsMax, s.MailboxMax, s.retain = 2*stormRows, 2*stormRows, 1024, events
	s.wrap = wrap
	s.RingEvents = 1 << 10
	c := &storm{rig: newRig(tb, s)}
	log, err := c.store.Open("storm")
	if err != nil {
		tb.Fatal(err)
	}
	c.first = log.Last()
	batch := make([]replay.Record, 0, 1000)
	for i := 0; i < events; {
		batch = batch[:0]
		for ; i < events && len(batch) < cap(batch); i++ {
			batch = append(batch, replay.Record{Event: &sse.Event{Topics: []string{topics(i)},
				Data: []byte("eighty bytes of data are what a small event has: a price, a score or a position")}})
		}
		if err := log.Append(tb.Context(), batch); err != nil {
			tb.Fatal(err)
		}
	}
	c.ns = c.space("storm")
	c.sink = c.k.AddSink(simio.CountBlocks)
	c.peers = make([]*simio.Peer, stormRows)
	return c
}

// come lets every client resume from the beginning, as fast as the loop takes them.
func (c *storm) come(topic func(row int) string) {
	topics := make([]string, stormRows)
	for i := range topics {
		topics[i] = topic(i)
	}
	for i := range c.peers {
		fd, peer := c.connect()
		peer.Count(c.sink, 0)
		c.peers[i] = peer
		a := &Attach{NS: c.ns, Topics: topics[i : i+1], From: FromID, ID: c.first, Requested: c.first.String()}
		for !c.g.TryAttach(fd, a) {
			c.turn(0)
		}
	}
	for c.turn(0) || c.g.Waiting() > 0 {
	}
}

func (c *storm) check(tb testing.TB) {
	tb.Helper()
	for i, peer := range c.peers {
		if got := blocks(peer); got != headBlocks+stormEvents {
			tb.Fatalf("client %d has %d blocks, want %d", i, got, headBlocks+stormEvents)
		}
	}
}

// read is how many events were taken out of the log.
func (c *storm) read() float64 {
	n := c.g.Paging().Events
	for _, l := range c.g.Loops() {
		n += l.Figures().Reads
	}
	return float64(n)
}

// BenchmarkResume is a storm, against a broadcast of as many deliveries.
//
//   - broadcast: 100 events to 15,000 live rows.
//   - one-topic: 15,000 rows that all missed the same 100 events.
//   - own-topics: 15,000 rows that each missed 100 events of their own, out of a log of 1,500,000.
//   - cold: the same, where the log is not in memory.
func BenchmarkResume(b *testing.B) {
	all := func(int) string { return "all" }
	own := func(i int) string { return ownTopic(i % stormRows) }
	b.Run("broadcast", func(b *testing.B) {
		c, entries := broadcasts(b, stormRows, stormEvents)
		for b.Loop() {
			for _, e := range entries {
				for !c.g.TryPublish(e) {
					c.rest()
				}
			}
			c.rest()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(stormRows*stormEvents), "ns/delivery")
		b.StopTimer()
		c.stop()
	})
	for _, log := range []struct {
		name string
		wrap func(replay.Log) *cold
	}{{"", nil}, {"-cold", func(l replay.Log) *cold { return &cold{Log: l} }}} {
		for _, what := range []struct {
			name   string
			topics func(int) string
			events int
		}{{"one-topic", all, stormEvents}, {"own-topics", own, stormRows * stormEvents}} {
			b.Run(what.name+log.name, func(b *testing.B) {
				read, scans := 0.0, uint64(0)
				for b.Loop() {
					b.StopTimer()
					c := newStorm(b, what.topics, what.events, log.wrap)
					b.StartTimer()
					c.come(what.topics)
					b.StopTimer()
					c.check(b)
					read += c.read()
					scans += c.g.Loops()[0].Figures().Scans
					c.stop()
					b.StartTimer()
				}
				deliveries := float64(b.N) * stormRows * stormEvents
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
				b.ReportMetric(100*read/deliveries, "read-%")
				b.ReportMetric(float64(scans)/float64(b.N), "scans")
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
			})
		}
	}
}
