package loops

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// BenchmarkFanOut is the loop's own cost of one event to one row: the socket is a fake
// one that counts.
func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{1, 100, 10_000, 200_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			c, entries := broadcasts(b, members, 64)
			sent := 0
			for b.Loop() {
				for !c.g.TryPublish(entries[sent%len(entries)]) {
					c.rest()
				}
				sent++
				c.rest()
			}
			deliveries := float64(sent) * float64(members)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
			b.StopTimer()
			if got := blocks(c.peers[0]); got != headBlocks+uint64(sent) {
				b.Fatalf("%d blocks, want %d", got, headBlocks+sent)
			}
			c.stop()
		})
	}
}

// BenchmarkHeartbeat is the cost of one heartbeat, wheel and write.
func BenchmarkHeartbeat(b *testing.B) {
	const members = 100_000
	s := calm()
	c := newCrowd(b, s, members)
	for b.Loop() {
		for range ticks(s.Heartbeat) {
			c.k.Advance(tickLength)
			c.rest()
		}
	}
	beats := c.g.Loops()[0].Figures().Heartbeats
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(beats), "ns/heartbeat")
	b.StopTimer()
	c.stop()
}

// BenchmarkCatchUp is the cost of one event that a row is given from the log.
func BenchmarkCatchUp(b *testing.B) {
	const held = 1000
	c, entries := broadcasts(b, 0, held)
	for _, e := range entries {
		for !c.g.TryPublish(e) {
			c.rest()
		}
	}
	c.rest()
	first := c.space("crowd").Origin
	for b.Loop() {
		fd, peer := c.connect()
		peer.Count(c.sink, 0)
		c.g.Attach(fd, &Attach{NS: c.space("crowd"), Topics: []string{"all"}, From: FromID, ID: first})
		c.rest()
		if got := blocks(peer); got != headBlocks+held {
			b.Fatalf("%d blocks, want %d", got, headBlocks+held)
		}
		peer.Close()
		c.rest()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/held, "ns/event")
	b.StopTimer()
	c.stop()
}

// BenchmarkRows is the memory of waiting rows, each with a topic of its own: what the
// loop's tables take, and what Go's heap grows by (the fake kernel's part, 64 bytes a socket,
// included).
func BenchmarkRows(b *testing.B) {
	const rows = 1_000_000
	s := calm()
	s.Heartbeat, s.StallTimeout = time.Hour, time.Hour
	s.kernel.FDsMax, s.RowsMax = rows, rows
	for b.Loop() {
		c := newRig(b, s)
		sink := c.k.AddSink(func(uint64, []byte) uint64 { return 0 })
		ns := c.space("crowd")
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begun := time.Now()
		for i := range rows {
			fd, peer := c.connect()
			peer.Count(sink, 0)
			c.g.Attach(fd, &Attach{NS: ns, Topics: []string{fmt.Sprintf("user/%08d", i)}})
			if i%256 == 255 {
				c.settle()
			}
		}
		c.settle()
		took := time.Since(begun)
		runtime.GC()
		runtime.ReadMemStats(&after)
		l := c.g.Loops()[0]
		if l.Rows() != rows {
			b.Fatalf("%d rows", l.Rows())
		}
		tables := int(l.table.used)*int(unsafe.Sizeof(row{})) + int(l.table.sidesUsed)*int(unsafe.Sizeof(side{}))
		b.ReportMetric(float64(tables)/rows, "table-B/row")
		b.ReportMetric(float64(l.index.Stats().Bytes)/rows, "index-B/row")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/rows, "heap-B/row")
		b.ReportMetric(float64(took.Nanoseconds())/rows, "ns/attach")
		c.stop()
	}
}
