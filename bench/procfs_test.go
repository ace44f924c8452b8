package bench

import (
	"context"
	"net"
	"os"
	"testing"
	"time"
)

var self = proc(os.Getpid())

func TestProc_CPURises(t *testing.T) {
	before, err := self.cpu()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ { // work until the clock has moved
		after, err := self.cpu()
		if err != nil || after < before {
			t.Fatalf("%v then %v, %v", before, after, err)
		}
		if after > before {
			return
		}
	}
}

func TestProc_MemoryAndDescriptors(t *testing.T) {
	rss, err := self.rss()
	if err != nil || rss < 1<<20 {
		t.Errorf("VmRSS %d, %v", rss, err)
	}
	before, err := self.fds()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	after, err := self.fds()
	if err != nil || after != before+1 {
		t.Errorf("%d descriptors, then %d, %v", before, after, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := proc(1 << 30).cpu(); err == nil {
		t.Error("a process that is not there has a clock")
	}
}

func TestSettledRSS_GivesUpAtItsLimit(t *testing.T) {
	w, _, _ := testSwarm(t)
	ctx := context.Background()
	rule := settleRule{Change: 1, Window: 10 * time.Millisecond, Limit: time.Hour}
	if bytes, settled, err := settledRSS(ctx, w, self, rule); bytes == 0 || !settled || err != nil {
		t.Errorf("%d, %t, %v", bytes, settled, err)
	}
	rule = settleRule{Change: -1, Window: 10 * time.Millisecond, Limit: 20 * time.Millisecond}
	if bytes, settled, err := settledRSS(ctx, w, self, rule); bytes == 0 || settled || err != nil {
		t.Errorf("never settled: %d, %t, %v", bytes, settled, err)
	}
}

func TestSendQueue_OfAReaderThatDoesNotRead(t *testing.T) {
	w, l, addr := testSwarm(t)
	_, peer := joined(t, w, l, dial{target: addr, rcvBuf: 4096, deaf: true}, &heardBytes{})
	clientPort := peer.RemoteAddr().(*net.TCPAddr).Port
	if err := peer.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, _ = peer.Write(make([]byte, 8<<20)) // runs into the deadline
	queued, ok, err := sendQueue(int(addr.Port()), clientPort)
	if err != nil || !ok || queued == 0 {
		t.Errorf("%d bytes queued, %t, %v", queued, ok, err)
	}
	if _, ok, err := sendQueue(1, clientPort); ok || err != nil {
		t.Errorf("a socket that is not there: %t, %v", ok, err)
	}
	if mem, err := socketMemory(); mem <= 0 || err != nil {
		t.Errorf("socket memory %d, %v", mem, err)
	}
}

func TestMachineCPU_IsCounted(t *testing.T) {
	if busy, err := machineCPU(); busy <= 0 || err != nil {
		t.Errorf("%v, %v", busy, err)
	}
}
