package simio

import (
	"net/netip"
	"testing"

	"throng/poller"
)

func TestVanish_IsATimeoutToTheServer(t *testing.T) {
	k := New(1, Options{})
	p := k.NewPoller()
	fd, peer := connect(t, k, nil)
	if err := p.Add(fd, 7); err != nil {
		t.Fatal(err)
	}
	home := netip.MustParseAddr("2001:db8::1")
	peer.SetAddress(home)
	peer.Stall()
	write(t, k, fd, "into the void", 13, nil)
	if n, err := k.Outstanding(fd); n != 13 || err != nil {
		t.Errorf("%d bytes are outstanding, %v", n, err)
	}
	peer.Vanish()
	events := make([]poller.Event, 4)
	if n, _ := p.Wait(events, 0); n != 1 || events[0].Flags&(poller.Failed|poller.Hangup) != poller.Failed|poller.Hangup {
		t.Errorf("%d events, %v", n, events[0])
	}
	if err := k.Failure(fd); err != ErrTimeout || !poller.TimedOut(err) || poller.PeerGone(err) {
		t.Errorf("it failed with %v", err)
	}
	write(t, k, fd, "x", 0, ErrPipe)
	if a := k.Peer(fd); a != home {
		t.Errorf("its address is %v", a)
	}
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
	if fd, _ = connect(t, k, nil); k.Peer(fd) == home {
		t.Error("the next one has its address")
	}
}

func TestFailWrites_UntilToldOtherwise(t *testing.T) {
	k := New(1, Options{})
	fd, peer := connect(t, k, nil)
	peer.FailWrites(true)
	write(t, k, fd, "x", 0, ErrNoBuffers)
	write(t, k, fd, "x", 0, ErrNoBuffers)
	if err := k.Failure(fd); err != nil {
		t.Errorf("the socket itself failed: %v", err)
	}
	if poller.PeerGone(ErrNoBuffers) || poller.TimedOut(ErrNoBuffers) {
		t.Error("the peer is blamed for it")
	}
	peer.FailWrites(false)
	write(t, k, fd, "x", 1, nil)
}
