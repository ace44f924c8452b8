package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"throng/server"
	"throng/source"
)

// publishAll is the example of docs/grpc.md; TestDocs_GRPCExampleIsThisOne compares them.
func publishAll(ctx context.Context, address string, events []*source.PublishRequest) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := source.NewSourceClient(conn).PublishStream(ctx)
	if err != nil {
		return err
	}
	go func() { // answers are read while events are sent, or both sides would wait
		for _, e := range events {
			if stream.Send(e) != nil {
				return // Recv has the reason
			}
		}
		_ = stream.CloseSend()
	}()
	for _, e := range events {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		if p := answer.GetProblem(); p != nil {
			fmt.Println("refused:", string(e.GetData()), p.GetCode())
		}
	}
	return nil
}

func Example_grpc() {
	o := server.Defaults()
	o.Listen, o.Admin, o.GRPC = "127.0.0.1:0", "", "127.0.0.1:0"
	s, err := server.New(o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	err = publishAll(context.Background(), s.GRPCAddr().String(), []*source.PublishRequest{
		{Topics: []string{"orders/42"}, Event: "paid", Data: []byte(`{"total":7}`)},
		{Topics: []string{"orders/+"}, Data: []byte("to whom?")},
	})
	fmt.Println(err, s.Close(), <-served)
	// Output:
	// refused: to whom? bad_topic
	// <nil> <nil> <nil>
}

func TestDocs_GRPCExampleIsThisOne(t *testing.T) {
	page, err := os.ReadFile("../docs/grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("grpc_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```go\n")
	example, _, found := strings.Cut(example, "```")
	if !found || !strings.Contains(string(own), example) {
		t.Error("docs/grpc.md has another example than publishAll")
	}
}
