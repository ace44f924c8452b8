package source

import (
	"net"
	"testing"
	"time"
)

// nothing is a backend that has nothing.
type nothing struct{ Backend }

func (nothing) Ready() bool       { return true }
func (nothing) Leaving() *Problem { return &Problem{Status: 503} }
func (nothing) Answered(int)      {}

// Who has connected and says nothing does not hold up the end, whatever time the library
// gives it for its first words.
func TestServer_SilentConnectionsDoNotHoldUpClose(t *testing.T) {
	s, err := Listen("127.0.0.1:0", Options{MessageBytesMax: 1000, Shed: func() {}}, nothing{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	for range 10 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for accepted := 0; accepted < 10; time.Sleep(time.Millisecond) {
		s.ln.mu.Lock()
		accepted = len(s.ln.open)
		s.ln.mu.Unlock()
	}
	begun := time.Now()
	s.Close(10 * time.Millisecond)
	if took := time.Since(begun); took > handshakeTimeout/2 {
		t.Errorf("it took %v", took)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	s.ln.mu.Lock()
	defer s.ln.mu.Unlock()
	if len(s.ln.open) > 0 {
		t.Errorf("%d connections have a place", len(s.ln.open))
	}
}

// The larger a message may be, the fewer calls a connection has.
func TestCalls_AreFewerWhereMessagesAreLarge(t *testing.T) {
	for _, c := range []struct {
		bytes int
		calls uint32
	}{{1, 64}, {72 << 10, 64}, {160 << 10, 32}, {1 << 20, 8}, {64 << 20, 8}} {
		if got := callsFor(c.bytes); got != c.calls {
			t.Errorf("%d calls for messages of %d bytes, not %d", got, c.bytes, c.calls)
		}
	}
}
