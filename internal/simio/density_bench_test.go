package simio

import (
	"runtime"
	"testing"

	"throng/poller"
)

// BenchmarkDensity is what a connected, watched, counting peer costs, in heap bytes, and
// how long one delivered event takes, at 2^20 of them.
func BenchmarkDensity(b *testing.B) {
	const n = 1 << 20
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	k := New(1, Options{FDsMax: n})
	p := k.NewPoller()
	blocks := k.AddSink(CountBlocks)
	peers := make([]*Peer, n)
	for i := range peers {
		fd, peer, err := k.Connect()
		if err != nil {
			b.Fatal(err)
		}
		peer.Count(blocks, 0)
		peers[i] = peer
		if err := watch(p, fd, poller.Token(fd)); err != nil {
			b.Fatal(err)
		}
	}
	var events [1024]poller.Event
	first := 0
	for {
		n, err := p.Wait(events[:], 0)
		if err != nil {
			b.Fatal(err)
		}
		if first += n; n == 0 {
			break
		}
	}
	perSocket := float64(heap()-before) / n
	if first != n {
		b.Fatalf("%d first edges", first)
	}
	frame := []byte("id: 1700000000-42\ndata: 0123456789012345678901234567890123456789\n\n")
	sent := uint64(0)
	for b.Loop() {
		for fd := fdFirst; fd < n+fdFirst; fd++ {
			if _, err := k.Write(fd, frame); err != nil {
				b.Fatal(err)
			}
		}
		sent++
	}
	for i, peer := range peers {
		if Blocks(peer.State()) != sent {
			b.Fatalf("peer %d counted %d of %d events", i, Blocks(peer.State()), sent)
		}
	}
	b.ReportMetric(perSocket, "B/socket")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent*n), "ns/event")
}
