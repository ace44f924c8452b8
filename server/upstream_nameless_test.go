package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"throng/server"
	"throng/source"
)

// nameless is a source of a foreign program, which gives its events what IDs it likes.
type nameless struct {
	source.UnimplementedSourceServer
	id func(i int) string
}

// namelessEvents is more than the node may take without a position that is written.
const namelessEvents = 100

func (o *nameless) Subscribe(_ *source.SubscribeRequest, stream grpc.ServerStreamingServer[source.Event]) error {
	for i := range namelessEvents {
		if err := stream.Send(&source.Event{Id: o.id(i), Topics: []string{"a"}, Data: []byte(fmt.Sprint(i))}); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

// A source without IDs that can be kept is followed all the same; there is no position to be
// written, and nothing waits for one.
func TestUpstream_WithoutIDsIsFollowed(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]func(int) string{
		"none": func(int) string { return "" },
		"long": func(i int) string { return fmt.Sprint(i) + strings.Repeat("x", 1100) },
		"good": func(i int) string { return fmt.Sprint("e", i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			g := grpc.NewServer()
			source.RegisterSourceServer(g, &nameless{id: id})
			go func() { _ = g.Serve(ln) }()
			t.Cleanup(g.Stop)
			o := options(func(o *server.Options) { o.Upstreams = []string{"grpc://" + ln.Addr().String() + "/default"} })
			o.Store, o.IdempotencyMax = "disk:"+t.TempDir(), 40
			n := begin(t, o)
			for begun := time.Now(); n.scrape()["throng_upstream_events_total"] < namelessEvents; time.Sleep(10 * time.Millisecond) {
				if time.Since(begun) > 10*time.Second {
					t.Fatalf("%v of %d events were taken", n.scrape()["throng_upstream_events_total"], namelessEvents)
				}
			}
			closed := make(chan struct{})
			go func() { n.Close(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				t.Error("it does not close")
			}
		})
	}
}
