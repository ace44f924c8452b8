package source

import (
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
)

// The first question to a source without grpc.health.v1 is answered before the connection's state
// is told, once in ten thousand times on a busy machine: it is well all the same.
func TestCheck_AnAnswerIsEnough(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	go func() { _ = server.Serve(ln) }()
	defer server.Stop()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 20 {
				c, err := Dial(ln.Addr().String(), false)
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.Check(t.Context()); err != nil {
					t.Error(err)
				}
				_ = c.Close()
			}
		})
	}
	all.Wait()
}
