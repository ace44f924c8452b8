package breaker

import (
	"sync"
	"sync/atomic"
)

// Change is a transition.
type Change struct {
	Layer    Layer
	Scope    string
	From, To State
	Cause    string  // the last failure, or what was measured; empty on the way back
	Numbers  Numbers // that opened it; zero in other transitions
}

// teller passes transitions on: in the order in which they happened, and when no lock of a
// breaker is held. A log that is slow, or that looks at breakers, then holds up nobody but
// whoever brought the transition about. Any goroutine may use it.
type teller struct {
	tell func(Change) // nil: nobody wants to know

	some    atomic.Bool // waiting is not empty, or being told
	mu      sync.Mutex
	waiting []Change
	telling bool
}

// note keeps a transition. It is called under the lock that orders transitions.
func (t *teller) note(c Change) {
	if t.tell == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, c)
	t.some.Store(true)
}

// flush tells what was noted. It is called without a lock. Is somebody else telling, that one
// goes on with it: also when that one is further up in this call.
func (t *teller) flush() {
	if !t.some.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.telling {
		return
	}
	t.telling = true
	for len(t.waiting) > 0 {
		c := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.mu.Unlock()
		t.tell(c)
		t.mu.Lock()
	}
	t.telling, t.waiting = false, nil
	t.some.Store(false)
}
