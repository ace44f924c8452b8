package loops

import (
	"math/rand/v2"
	"testing"

	"throng/internal/simio"
)

// Clients that come back at once, each from a place of its own, share what is read.
func TestNear_StormFromManyPlaces(t *testing.T) {
	for _, spread := range []uint64{50, 200, 5000} {
		const rows, events = 2000, 6000
		s := calm()
		s.RowsMax, s.MailboxMax, s.kernel.FDsMax, s.retain = 2*rows, 1024, 2*rows, events
		r := newRig(t, s)
		ns := r.space("a")
		for range events {
			r.append(ns, []string{"t"}, "x")
		}
		ns = r.g.NewNamespace(1, "a", ns.Log)
		rng := rand.New(rand.NewPCG(spread, 5))
		sink := r.k.AddSink(simio.CountBlocks)
		peers, missed := make([]*simio.Peer, rows), make([]uint64, rows)
		for i := range peers {
			fd, peer := r.connect()
			peer.Count(sink, 0)
			peers[i], missed[i] = peer, rng.Uint64N(spread)
			id := at(events - missed[i])
			for !r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"t"}, From: FromID, ID: id, Requested: id.String()}) {
				r.turn(0)
			}
		}
		r.settle()
		sum := uint64(0)
		for i, peer := range peers {
			if got := blocks(peer); got != headBlocks+missed[i] {
				t.Fatalf("spread %d: client %d has %d blocks, want %d", spread, i, got, headBlocks+missed[i])
			}
			sum += missed[i]
		}
		f := r.g.Loops()[0].Figures()
		t.Logf("spread %d: %d events read for %d delivered, %d scans", spread, f.Reads, sum, f.Scans)
		if f.Reads*20 > sum {
			t.Errorf("spread %d: %d events were read for %d delivered", spread, f.Reads, sum)
		}
		r.stop()
	}
}
