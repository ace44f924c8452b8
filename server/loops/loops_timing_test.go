//go:build linux

package loops

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"throng/internal/simio"
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

// BenchmarkRows is a million waiting rows in one loop, each with a topic of its own.
//
//   - Memory: what the loop's tables take, what Go's heap grows by, and what the process grows
//     by in all (VmRSS). The clients, which are the fake kernel's, are connected before.
//   - Turns: the time of each one while every row is sent a heartbeat, and an event goes to
//     every 997th. That is wall time, the longest is often somebody else's.
func BenchmarkRows(b *testing.B) {
	const rows, residentMax = 1_000_000, 256 << 20
	s := calm()
	s.Heartbeat, s.StallTimeout = 25*time.Second, time.Hour
	s.kernel.FDsMax, s.RowsMax = rows, rows
	for b.Loop() {
		c := newRig(b, s)
		sink := c.k.AddSink(simio.CountBlocks)
		ns, l := c.space("crowd"), c.g.Loops()[0]
		fds, peers := make([]int, rows), make([]*simio.Peer, rows)
		for i := range rows {
			fds[i], peers[i] = c.connect()
			peers[i].Count(sink, 0)
		}
		heap, resident := memory(b)
		begun := time.Now()
		for i, fd := range fds {
			c.g.Attach(fd, &Attach{NS: ns, Topics: []string{ownTopic(i)}})
			if i%256 == 255 {
				c.settle()
			}
		}
		c.settle()
		took := time.Since(begun)
		heapAfter, residentAfter := memory(b)
		runtime.KeepAlive(fds)
		if l.Rows() != rows {
			b.Fatalf("%d rows", l.Rows())
		}
		turns := beatAndPublish(c, ns)
		for i, peer := range peers {
			want := uint64(headBlocks + 1)
			if i%997 == 0 {
				want++
			}
			if got := blocks(peer); got != want {
				b.Fatalf("row %d: %d blocks, want %d", i, got, want)
			}
		}
		if grown := residentAfter - resident; grown > residentMax {
			b.Errorf("the process grew by %d bytes, %d are allowed", grown, residentMax)
		}
		tables := int(l.table.used)*int(unsafe.Sizeof(row{})) + int(l.table.sidesUsed)*int(unsafe.Sizeof(side{}))
		b.ReportMetric(float64(tables)/rows, "table-B/row")
		b.ReportMetric(float64(l.index.Stats().Bytes)/rows, "index-B/row")
		b.ReportMetric(float64(heapAfter-heap)/rows, "heap-B/row")
		b.ReportMetric(float64(residentAfter-resident)/rows, "VmRSS-B/row")
		b.ReportMetric(float64(took.Nanoseconds())/rows, "ns/attach")
		b.ReportMetric(us(turns[len(turns)/2]), "turn-us-p50")
		b.ReportMetric(us(turns[len(turns)*99/100]), "turn-us-p99")
		b.ReportMetric(us(turns[len(turns)-1]), "turn-us-max")
		c.stop()
	}
}

func ownTopic(row int) string { return fmt.Sprintf("user/%08d", row) }

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// beatAndPublish sends every row a heartbeat and every 997th an event, and gives the times of the turns that it
// took, in order of length.
func beatAndPublish(c *rig, ns *Namespace) (turns []time.Duration) {
	rest := func() {
		for more := true; more; {
			begun := time.Now()
			more = c.turn(0)
			turns = append(turns, time.Since(begun))
		}
	}
	for range ticks(25 * time.Second) {
		c.k.Advance(tickLength)
		rest()
	}
	for row := 0; row < c.g.Loops()[0].Rows(); row += 997 {
		c.publish(ns, []string{ownTopic(row)}, "an event for one row")
		rest()
	}
	slices.Sort(turns)
	return turns
}

// memory gives the bytes of Go's heap in use, and of the process in memory, once Go has given back what it can.
func memory(tb testing.TB) (heap, resident int) {
	tb.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes := 0
	if _, err := fmt.Sscanf(after, "%d kB", &kilobytes); err != nil {
		tb.Fatal("VmRSS in /proc/self/status: ", err)
	}
	return int(m.HeapAlloc), kilobytes << 10
}
