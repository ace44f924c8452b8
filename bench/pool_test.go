package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// intake is a server that takes publishes, in order by token, and remembers them.
type intake struct {
	target target
	refuse int           // each so many is refused; 0: none
	pause  time.Duration // before each answer

	mu    sync.Mutex
	asked int
	seqs  map[uint64][]uint64
	most  int // requests under way at once
	now   int
}

func newIntake(t *testing.T, refuse int, pause time.Duration) *intake {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in := &intake{refuse: refuse, pause: pause, seqs: map[uint64][]uint64{}}
	in.target = target{name: "intake", addr: netip.MustParseAddrPort(l.Addr().String())}
	s := &http.Server{Handler: in}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return in
}

func (i *intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p, err2 := parsePayload(body)
	i.mu.Lock()
	i.now++
	i.most = max(i.most, i.now)
	i.asked++
	refused := i.refuse > 0 && i.asked%i.refuse == 0
	i.mu.Unlock()
	time.Sleep(i.pause)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now--
	if err != nil || err2 != nil || refused {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	i.seqs[p.token] = append(i.seqs[p.token], p.seq)
	fmt.Fprint(w, `{"id":"1-1"}`)
}

func TestPool_OrderOfATokenAndRefusals(t *testing.T) {
	t.Parallel()
	w, _, _ := testSwarm(t)
	in := newIntake(t, 5, time.Millisecond)
	l, err := newPool(w, in.target, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	const tokens, each = 3, 40
	for seq := range uint64(each) {
		for token := range uint64(tokens) {
			due := w.now()
			if taken, err := l.add(event{"default", "pool", payload{token, seq + 1, due}, 100}); !taken || err != nil {
				t.Fatal(taken, err)
			}
		}
	}
	if err := l.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for token := range uint64(tokens) {
		for i, seq := range in.seqs[token] {
			if seq != uint64(i+1) {
				t.Fatalf("token %d: %v", token, in.seqs[token])
			}
		}
	}
	if l.answered != tokens*each || l.refused == 0 || in.most < 2 || in.most > tokens {
		t.Errorf("%d answered, %d refused, %d at once", l.answered, l.refused, in.most)
	}
	if l.wait.TotalCount() != tokens*each || l.answer.TotalCount() != tokens*each || l.answer.Min() < int64(time.Millisecond) {
		t.Errorf("%d starts, %d answers, the fastest within %d ns", l.wait.TotalCount(), l.answer.TotalCount(), l.answer.Min())
	}
}

func TestPool_QueueIsBounded(t *testing.T) {
	t.Parallel()
	w, _, _ := testSwarm(t)
	in := newIntake(t, 0, 50*time.Millisecond)
	l, err := newPool(w, in.target, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for i := range uint64(poolQueueMax + 5) {
		taken, err := l.add(event{"default", "pool", payload{i, 1, w.now()}, 100})
		if err != nil || taken != (i < poolQueueMax+2) {
			t.Fatalf("event %d: %t, %v", i, taken, err)
		}
	}
	if l.left != 3 {
		t.Errorf("%d were left", l.left)
	}
}

func TestPool_ConnectionIsLost(t *testing.T) {
	t.Parallel()
	w, listener, addr := testSwarm(t)
	l, err := newPool(w, target{name: "gone", addr: addr}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.add(event{"default", "pool", payload{1, 1, w.now()}, 100}); err != nil {
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = peer.Close()
	if err := l.drain(t.Context()); err == nil {
		t.Error("nobody noticed")
	}
}

func TestRamp_AtARate(t *testing.T) {
	t.Parallel()
	w, _, _ := testSwarm(t)
	a := &audience{swarm: w, rate: 2000}
	var dues []int64
	p := a.newRamp(5, 45, func(i int, due int64) error {
		if i != 5+len(dues) || due > w.now() {
			t.Errorf("stream %d at %d, it is %d", i, due, w.now())
		}
		dues = append(dues, due)
		a.attached++
		return nil
	})
	for !p.over() {
		if err := w.turn(p.due()); err != nil {
			t.Fatal(err)
		}
		if err := p.step(); err != nil {
			t.Fatal(err)
		}
	}
	for i, due := range dues {
		if due-dues[0] != int64(i)*500_000 {
			t.Errorf("stream %d is due %d ns after the first", i, due-dues[0])
		}
	}
}

func TestRamp_HoldsUntilStreamsAttach(t *testing.T) {
	w, _, _ := testSwarm(t)
	a := &audience{swarm: w}
	opened := 0
	p := a.newRamp(0, 10*connectsMax, func(int, int64) error { opened++; return nil })
	for range 2 * connectsMax / connectsATurn {
		if err := p.step(); err != nil {
			t.Fatal(err)
		}
	}
	if opened != connectsMax || !p.held {
		t.Fatalf("%d are opened, and none has attached", opened)
	}
	a.attached = connectsMax / 4
	if err := p.step(); err != nil || opened != connectsMax {
		t.Errorf("%d are opened, a quarter of %d has attached, %v", opened, connectsMax, err)
	}
	a.attached = connectsMax/2 + 1
	if err := p.step(); err != nil || opened != connectsMax+connectsATurn {
		t.Errorf("%d are opened, %d have attached, %v", opened, a.attached, err)
	}
}
