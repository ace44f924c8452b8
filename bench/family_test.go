package bench

import (
	"os/exec"
	"testing"
	"time"
)

// The work of a server that serves in children is theirs.
func TestFamily_ChildrenCount(t *testing.T) {
	const script = "(i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; cat); :"
	p, err := spawn("a shell", exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil { // its end of input ends the child
			t.Error(err)
		}
	}()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, err := newFamily(p.pid)
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.cpu()
		if err != nil {
			t.Fatal(err)
		}
		own, err := p.pid.cpu()
		if err != nil {
			t.Fatal(err)
		}
		rss, err := f.rss()
		if err != nil {
			t.Fatal(err)
		}
		fds, err := f.fds()
		if err != nil {
			t.Fatal(err)
		}
		if len(f.members) > 1 && all > own && rss > 0 && fds > 3 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("members %v, %v of CPU and %v of the first alone, %d bytes, %d descriptors", f.members, all, own, rss, fds)
		}
	}
}

func TestFamily_Unknown(t *testing.T) {
	var f *family
	cpu, err := f.cpu()
	rss, err2 := f.rss()
	if cpu != 0 || rss != 0 || err != nil || err2 != nil {
		t.Errorf("%v, %d, %v, %v", cpu, rss, err, err2)
	}
	if f, err := newFamily(1 << 30); err == nil {
		if _, err := f.cpu(); err == nil {
			t.Error("a process that is not there has a clock")
		}
	}
}
