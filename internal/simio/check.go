package simio

import "fmt"

// mistakesMax is how many mistakes are kept word for word; the rest are only counted.
const mistakesMax = 32

// TB is the part of testing.TB that Check needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails t for every mistake so far and for every descriptor and poller left
// open, naming the seed. Call it when the run is over.
func (k *Kernel) Check(t TB) {
	t.Helper()
	for _, m := range k.mistakes {
		t.Errorf("simio seed %#x: %s", k.seed, m)
	}
	if n := k.mistakeCount - len(k.mistakes); n > 0 {
		t.Errorf("simio seed %#x: %d more mistakes", k.seed, n)
	}
	for fd, left := 0, k.fds.open; left > 0; fd++ {
		if _, open := k.fds.slot(fd); open {
			t.Errorf("simio seed %#x: %d descriptors left open, the first is %d", k.seed, left, fd)
			break
		}
	}
	for i, p := range k.pollers {
		if !p.closed.Load() {
			t.Errorf("simio seed %#x: poller %d of %d left open", k.seed, i+1, len(k.pollers))
		}
	}
}

// mistake records what a correct caller never does.
func (k *Kernel) mistake(format string, args ...any) {
	k.mistakeCount++
	if len(k.mistakes) < mistakesMax {
		k.mistakes = append(k.mistakes, fmt.Sprintf("at %d ns: ", k.now)+fmt.Sprintf(format, args...))
	}
}
