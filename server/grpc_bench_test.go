package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"throng/server"
	"throng/source"
)

// ingressData is what each event carries.
var ingressData = strings.Repeat("x", 200)

// BenchmarkIngress publishes one event an iteration by each way there is, client and server in
// this process: events of 200 bytes, memory store, nobody subscribed.
func BenchmarkIngress(b *testing.B) {
	s := serveBench(b, func(*server.Options) {})
	conn, err := grpc.NewClient(s.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	backend := source.NewSourceClient(conn)
	request := &source.PublishRequest{Topics: []string{"a/b"}, Data: []byte(ingressData)}
	single := []byte(fmt.Sprintf("POST /publish?topic=a/b HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%s", len(ingressData), ingressData))
	line := fmt.Sprintf(`{"topic":"a/b","data":%q}`+"\n", ingressData)

	b.Run("http-single", func(b *testing.B) { overHTTP(b, s, 1, func(int) ([]byte, int) { return single, 1 }) })
	b.Run("http-single-32-connections", func(b *testing.B) { overHTTP(b, s, 32, func(int) ([]byte, int) { return single, 1 }) })
	b.Run("http-ndjson-1000-lines", func(b *testing.B) {
		overHTTP(b, s, 1, func(left int) ([]byte, int) {
			n := min(left, 1000)
			head := fmt.Sprintf("POST /publish HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", n*len(line))
			return append([]byte(head), bytes.Repeat([]byte(line), n)...), n
		})
	})
	b.Run("grpc-unary", func(b *testing.B) { unary(b, backend, request, 1) })
	b.Run("grpc-unary-32-calls", func(b *testing.B) { unary(b, backend, request, 32) })
	b.Run("grpc-stream-pipelined", func(b *testing.B) { pipelined(b, backend, request) })
}

// BenchmarkUpstream is how fast a node takes what another one has: from its log over gRPC into
// the log here, each event with its key. Both are in this process.
func BenchmarkUpstream(b *testing.B) {
	from := serveBench(b, func(o *server.Options) { o.RetainEvents = 1 << 20 })
	conn, err := grpc.NewClient(from.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	dir := b.TempDir()
	follow := func(o *server.Options) {
		o.Upstreams, o.Store = []string{"grpc://" + from.GRPCAddr().String() + "/default"}, "disk:"+dir
	}
	first := serveBench(b, follow)
	backend, request := source.NewSourceClient(conn), &source.PublishRequest{Topics: []string{"a/b"}, Data: []byte(ingressData)}
	waitFor(b, func() bool { // what is published before it follows is not for it
		_, err := backend.Publish(b.Context(), request)
		return err == nil && first.Stats().Store.Events > 0
	})
	_ = first.Close() // it has a position now, and what comes meanwhile waits for it
	pipelined(b, backend, request)
	b.ResetTimer()
	to := serveBench(b, follow)
	waitFor(b, func() bool { return to.Stats().Store.Events >= b.N })
	rate(b)
}

func waitFor(b *testing.B, ok func() bool) {
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("waited in vain")
		}
	}
}

func serveBench(b *testing.B, set func(*server.Options)) *server.Server {
	o := options(func(o *server.Options) {
		o.GRPC, o.Admin, o.Breakers = "127.0.0.1:0", "", "off"
		set(o)
	})
	s, err := server.New(o, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(b.Context()) }()
	b.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return s
}

// rate is the figure that is compared.
func rate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s") }

// overHTTP sends requests on kept connections, one at a time on each.
func overHTTP(b *testing.B, s *server.Server, connections int, next func(left int) (request []byte, events int)) {
	var all sync.WaitGroup
	for c := range connections {
		left := b.N / connections
		if c < b.N%connections {
			left++
		}
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			defer conn.Close()
			r := bufio.NewReader(conn)
			for left > 0 {
				request, events := next(left)
				left -= events
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
					return
				}
				a, err := http.ReadResponse(r, nil)
				if err != nil || a.StatusCode != 200 {
					b.Error(a, err)
					return
				}
				answer, _ := io.ReadAll(a.Body)
				if bytes.Count(answer, []byte(`{"id":`)) != events {
					b.Errorf("%d events were answered %.100q", events, answer)
					return
				}
			}
		})
	}
	all.Wait()
	rate(b)
}

func unary(b *testing.B, backend source.SourceClient, r *source.PublishRequest, calls int) {
	var all sync.WaitGroup
	var taken atomic.Int64
	for range calls {
		all.Go(func() {
			for taken.Add(1) <= int64(b.N) {
				if a, err := backend.Publish(b.Context(), r); err != nil || a.GetId() == "" {
					b.Error(a, err)
					return
				}
			}
		})
	}
	all.Wait()
	rate(b)
}

func pipelined(b *testing.B, backend source.SourceClient, r *source.PublishRequest) {
	stream, err := backend.PublishStream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var sender sync.WaitGroup
	sender.Go(func() {
		for range b.N {
			if err := stream.Send(r); err != nil {
				b.Error(err)
				return
			}
		}
		_ = stream.CloseSend()
	})
	for i := range b.N {
		if a, err := stream.Recv(); err != nil || a.GetId() == "" {
			b.Fatalf("answer %d: %v %v", i, a, err)
		}
	}
	sender.Wait()
	rate(b)
}
