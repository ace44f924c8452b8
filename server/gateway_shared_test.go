package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/breaker"
	"throng/server/loops"
)

func gatewaysForTest() *gateways {
	o := Defaults()
	return newGateways(&o, breaker.NewBoard(slog.New(slog.DiscardHandler), func(breaker.Layer, breaker.State) {}))
}

var errTest = errors.New("of the test")

// fail reports failures of so many addresses.
func (g *gateways) fail(ns *loops.Namespace, addresses int) {
	for i := range addresses {
		g.failed(loops.Failure{NS: ns, Peer: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Cause: errTest, At: 1})
	}
}

func TestAddressOf_IsAClientsOwn(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := addressOf(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s: %v, want %s", address, got, want)
		}
	}
	if got := addressOf(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address: %v", got)
	}
}

// Whose address is unknown may be one client.
func TestGateways_UnknownAddressesAreOne(t *testing.T) {
	g, ns := gatewaysForTest(), &loops.Namespace{Name: "a"}
	for range 20 {
		g.failed(loops.Failure{NS: ns, Cause: errTest, At: 1})
	}
	if _, _, ok := g.admit(ns); !ok {
		t.Error("it is open")
	}
	g.fail(ns, 4)
	if _, after, ok := g.admit(ns); ok || after <= 0 {
		t.Errorf("five addresses have failed, let in %v, %v", ok, after)
	}
}

func TestGateways_ForgetWhatIsEvicted(t *testing.T) {
	g, ns := gatewaysForTest(), &loops.Namespace{Name: "a"}
	g.drop(ns)
	g.fail(ns, 5)
	if n := len(g.board.Statuses()); n != 1 {
		t.Fatalf("the board has %d circuits", n)
	}
	g.drop(ns)
	g.drop(ns)
	if n := len(g.board.Statuses()); n != 0 || g.board.State(breaker.Gateway) != breaker.Closed {
		t.Errorf("the board has %d circuits, the worst is %v", n, g.board.State(breaker.Gateway))
	}
	if _, _, ok := g.admit(ns); !ok {
		t.Error("the next one of that name is not let in")
	}
}

// What a loop never tells of can't keep the circuit half-open, nor fill its books.
func TestGateways_LostTrialsHaveTheirPlacesTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, ns := gatewaysForTest(), &loops.Namespace{Name: "a"}
		g.fail(ns, 5)
		time.Sleep(g.rule.OpenFor)
		for range 2 * trialsMax {
			if _, _, ok := g.admit(ns); !ok {
				time.Sleep(g.rule.ProbeFor)
			}
		}
		time.Sleep(g.rule.ProbeFor)
		for range g.rule.Probes {
			trial, _, ok := g.admit(ns)
			if !ok {
				t.Fatal("no place is free")
			}
			g.judged(ns, trial, true)
			g.judged(ns, trial, true)
		}
		if state := g.of(ns).circuit.State(); state != breaker.Closed {
			t.Errorf("after %d good trials it is %v", g.rule.Probes, state)
		}
		if n := len(g.of(ns).trials); n > trialsMax {
			t.Errorf("%d trials are remembered", n)
		}
	})
}

func TestGateways_AskingAllocatesNothing(t *testing.T) {
	g, sound, sick := gatewaysForTest(), &loops.Namespace{Name: "a"}, &loops.Namespace{Name: "b"}
	ask := func(ns *loops.Namespace) float64 { return testing.AllocsPerRun(100, func() { g.admit(ns) }) }
	if n := ask(sound); n != 0 {
		t.Errorf("%v allocations where nothing ever failed", n)
	}
	g.fail(sick, 4)
	if a, b := ask(sound), ask(sick); a != 0 || b != 0 {
		t.Errorf("%v and %v allocations where something failed", a, b)
	}
}

// Loops, requests and evictions use them at the same time.
func TestGateways_AreShared(t *testing.T) {
	g := gatewaysForTest()
	g.rule.OpenFor = time.Millisecond
	var all sync.WaitGroup
	spaces := make([]*loops.Namespace, 3)
	for i := range spaces {
		spaces[i] = &loops.Namespace{Name: fmt.Sprint(i)}
	}
	for worker := range 4 {
		all.Go(func() {
			for i := range 2000 {
				ns := spaces[(i+worker)%len(spaces)]
				switch i % 5 {
				case 0:
					g.fail(ns, 6)
				case 1:
					g.failed(loops.Failure{NS: ns, Cause: errTest, TimedOut: true, At: int64(i), Proven: int64(i)})
				case 2:
					if i%100 == 2 {
						g.drop(ns)
					}
				default:
					if trial, _, ok := g.admit(ns); ok {
						g.judged(ns, trial, i%7 != 0)
					}
				}
			}
		})
	}
	all.Wait()
	for _, ns := range spaces {
		g.drop(ns)
	}
	if n := len(g.board.Statuses()); n != 0 {
		t.Errorf("%d circuits are left", n)
	}
}

// A breaker that nobody asks is half-open in the log and in the figures when its time has come.
func TestHousekeeping_LooksAtTheBoard(t *testing.T) {
	s, _ := unserved(t, func(o *Options) { o.GatewayOpen = time.Second })
	c := s.board.Circuit(breaker.Gateway, "quiet", s.gateways.rule)
	for range 5 {
		c.Fail(errors.New("no room"))
	}
	halfOpen := &s.table.BreakerTransitions[breaker.Gateway][breaker.HalfOpen]
	t.Cleanup(func() { close(s.stop); s.background.Wait() })
	s.background.Go(s.housekeeping)
	for begun := time.Now(); halfOpen.Value() == 0 && time.Since(begun) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
	}
	if halfOpen.Value() != 1 {
		t.Errorf("%d transitions to half-open", halfOpen.Value())
	}
}
