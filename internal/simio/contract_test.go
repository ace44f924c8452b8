package simio_test

import (
	"fmt"
	"testing"

	"throng/internal/simio"
	"throng/internal/simio/contract"
)

func TestKernel_KeepsContract(t *testing.T) {
	contract.Run(t, func(t *testing.T) contract.Harness { return harness(t, 1, simio.Options{}, true) })
}

func TestKernel_KeepsContractOnBadDays(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			contract.Run(t, func(t *testing.T) contract.Harness { return harness(t, seed, simio.Rough(), false) })
		})
	}
}

func harness(t *testing.T, seed uint64, o simio.Options, calm bool) contract.Harness {
	k := simio.New(seed, o)
	p := k.NewPoller()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close of the poller: %v", err)
		}
		k.Check(t)
	})
	return contract.Harness{Net: k, Poller: p, Calm: calm, Connect: func() (int, contract.Client) {
		fd, peer, err := k.Connect()
		if err != nil {
			t.Fatalf("seed %d: Connect: %v", seed, err)
		}
		peer.Stall()
		return fd, client{peer}
	}}
}

// client is a Peer as the contract wants one: Read gives nil at the end, which a Peer
// does whenever nothing is there.
type client struct{ *simio.Peer }

func (c client) Read(n int) []byte { return c.Peer.Read(n) }
