package simio

import (
	"strings"
	"testing"

	"throng/poller"
)

func TestPeer_WindowRefusesThenEdge(t *testing.T) {
	k := New(1, Options{})
	p := k.NewPoller()
	fd, peer := connect(t, k, p)
	wait(t, p, 0)
	peer.SetWindow(9)
	peer.Stall()
	write(t, k, fd, "0123456", 7, nil)
	peer.Drain(1)
	if f := wait(t, p, 0); f != 0 {
		t.Errorf("flags %04b though no write was refused", f)
	}
	write(t, k, fd, "789", 3, nil)
	write(t, k, fd, "ab", 0, poller.ErrAgain)
	peer.Drain(1)
	if f := wait(t, p, 0); f != 0 {
		t.Errorf("flags %04b with one byte free of nine", f)
	}
	peer.Drain(2)
	if f := wait(t, p, 0); f != poller.Writable {
		t.Errorf("flags %04b with a third free", f)
	}
	write(t, k, fd, "abcde", 3, nil)
	if peer.Queued() != 9 || peer.Bytes() != 4 || string(peer.Received()) != "0123" {
		t.Errorf("queued %d, read %d: %q", peer.Queued(), peer.Bytes(), peer.Received())
	}
	peer.Resume()
	if f := wait(t, p, 0); f != poller.Writable {
		t.Errorf("flags %04b after Resume", f)
	}
	if got := string(peer.Read(100)); got != "0123456789abc" {
		t.Errorf("read %q", got)
	}
	peer.SetWindow(0)
	write(t, k, fd, "x", 0, poller.ErrAgain)
	peer.SetWindow(1)
	if f := wait(t, p, 0); f != poller.Writable {
		t.Errorf("flags %04b after the window opened", f)
	}
}

func TestPeer_CloseWithUnreadBytesResets(t *testing.T) {
	k := New(1, Options{})
	p := k.NewPoller()
	fd, peer := connect(t, k, p)
	peer.Stall()
	write(t, k, fd, "unread", 6, nil)
	peer.Send([]byte("sent"))
	peer.Close()
	if f := wait(t, p, 0); f != poller.Readable|poller.Writable|poller.Hangup|poller.Failed {
		t.Errorf("flags %04b", f)
	}
	var b [9]byte
	if n, err := k.Read(fd, b[:]); n != 4 || err != nil {
		t.Errorf("what came before the reset: %d, %v", n, err)
	}
	if _, err := k.Read(fd, b[:]); err != ErrReset {
		t.Errorf("then %v", err)
	}
	if _, err := k.Read(fd, b[:]); err != poller.ErrEOF {
		t.Errorf("then %v", err)
	}
	write(t, k, fd, "x", 0, ErrPipe)
	if err := k.ShutdownWrite(fd); err != ErrNotConnected {
		t.Errorf("ShutdownWrite gave %v", err)
	}
}

func TestPeer_CloseLetsOneWriteThrough(t *testing.T) {
	k := New(1, Options{})
	p := k.NewPoller()
	fd, peer := connect(t, k, p)
	peer.Close()
	write(t, k, fd, "x", 1, nil)
	if f := wait(t, p, 0); f&(poller.Failed|poller.Hangup) != poller.Failed|poller.Hangup {
		t.Errorf("flags %04b", f)
	}
	write(t, k, fd, "x", 0, ErrPipe)
}

func TestClose_WithUnreadBytesDestroysAnswer(t *testing.T) {
	k := New(1, Options{})
	fd, peer := connect(t, k, nil)
	peer.Stall()
	peer.Send([]byte("more than the server wanted"))
	write(t, k, fd, "413", 3, nil)
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
	peer.Resume()
	if !peer.SawReset() || peer.SawFIN() || peer.Received() != nil || !peer.ServerClosed() {
		t.Errorf("reset %v, FIN %v, received %q", peer.SawReset(), peer.SawFIN(), peer.Received())
	}
}

func TestClose_ThenClientSendsIsReset(t *testing.T) {
	k := New(1, Options{})
	fd, peer := connect(t, k, nil)
	peer.Stall()
	write(t, k, fd, "413", 3, nil)
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
	if peer.SawFIN() {
		t.Error("the FIN came before the bytes")
	}
	peer.Send([]byte("late"))
	if !peer.SawReset() || peer.Queued() != 0 {
		t.Errorf("reset %v, %d queued", peer.SawReset(), peer.Queued())
	}
}

func TestPeer_ServerClosedSurvivesReuse(t *testing.T) {
	k := New(1, Options{})
	fd, peer := connect(t, k, nil)
	write(t, k, fd, "kept until the slot is free", 27, nil)
	peer.Close()
	if peer.ServerClosed() {
		t.Error("the server has not closed yet")
	}
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
	if len(k.bufs.free) != len(k.bufs.q)-1 {
		t.Error("the buffer of a freed slot is still held")
	}
	again, next := connect(t, k, nil)
	if again != fd || len(k.socks) != 1 {
		t.Errorf("descriptor %d, %d sockets: nothing was reused", again, len(k.socks))
	}
	if !peer.ServerClosed() || next.ServerClosed() {
		t.Error("a stale Peer speaks of the slot's next connection")
	}
	peer.Close()
	if next.ServerClosed() || k.socks[0].is(clientGone) {
		t.Error("closing a stale Peer again closed its successor")
	}
}

func TestCountBlocks_AnyCut(t *testing.T) {
	const stream = "id: 1\ndata: a\n\n: \n\ndata: b\ndata\n\n\nid: 2\n\ndata: half"
	k := New(1, Options{})
	id := k.AddSink(CountBlocks)
	for cut := 1; cut < len(stream); cut++ {
		fd, peer := connect(t, k, nil)
		peer.Count(id, 0)
		n, err := k.Writev(fd, [][]byte{[]byte(stream[:cut]), []byte(stream[cut:])})
		if n != len(stream) || err != nil {
			t.Fatalf("Writev gave %d, %v", n, err)
		}
		if got := Blocks(peer.State()); got != 4 {
			t.Errorf("%d blocks when cut at %d", got, cut)
		}
		if peer.Bytes() != uint64(len(stream)) || peer.Received() != nil {
			t.Errorf("%d bytes counted, %d kept", peer.Bytes(), len(peer.Received()))
		}
	}
}

func TestCount_StalledPeerKeepsNothing(t *testing.T) {
	k := New(1, Options{SendBufferBytes: 100})
	id := k.AddSink(func(state uint64, b []byte) uint64 { return state + uint64(len(b)) })
	fd, peer := connect(t, k, nil)
	peer.Count(id, 1000)
	peer.Stall()
	write(t, k, fd, strings.Repeat("x", 150), 100, nil)
	write(t, k, fd, "x", 0, poller.ErrAgain)
	if peer.State() != 1100 || peer.Bytes() != 0 || peer.Queued() != 100 || len(k.bufs.q) != 1 {
		t.Errorf("state %d, read %d, queued %d, buffers %d", peer.State(), peer.Bytes(), peer.Queued(), len(k.bufs.q))
	}
	if n := peer.Drain(40); n != 40 || peer.Bytes() != 40 {
		t.Errorf("drained %d, read %d", n, peer.Bytes())
	}
	peer.Reset()
	write(t, k, fd, "x", 0, ErrReset)
}
