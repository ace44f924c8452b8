package server_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"throng/server"
	"throng/source"
)

// follow opens a subscription and reads its first message.
func follow(t *testing.T, backend source.SourceClient, r *source.SubscribeRequest) (grpc.ServerStreamingClient[source.Event], *source.Event) {
	t.Helper()
	stream, err := backend.Subscribe(inTime(t), r)
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(first.GetTopics()) > 0 || first.GetId() == "" {
		t.Fatalf("the first message is %v, neither a position nor a gap", first)
	}
	return stream, first
}

// gives reads events and compares their data; the ID of the last one is answered.
func gives(t *testing.T, stream grpc.ServerStreamingClient[source.Event], data ...string) (id string) {
	t.Helper()
	for i, want := range data {
		e, err := stream.Recv()
		if err != nil || string(e.GetData()) != want || len(e.GetTopics()) == 0 {
			t.Fatalf("event %d of %d is %v (%v), want data %q", i+1, len(data), e, err, want)
		}
		id = e.GetId()
	}
	return id
}

func numbers(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// A subscription begins where it is asked to, gives everything in order, and can be resumed
// at any event.
func TestGRPC_SubscribeGivesAllThatFollows(t *testing.T) {
	n := start(t, withGRPC(nil))
	backend, _ := n.backend()
	n.publish("topic=a&ns=x", "another namespace's")
	live, at := follow(t, backend, &source.SubscribeRequest{})
	var ids []string
	for i := range 300 {
		ids = append(ids, n.publish("topic=a&topic=b&event=e", fmt.Sprint(i)))
	}
	e, err := live.Recv()
	if err != nil || fmt.Sprint(e.GetTopics()) != "[a b]" || e.GetEvent() != "e" || string(e.GetData()) != "0" || e.GetId() != ids[0] {
		t.Fatalf("%v %v", e, err)
	}
	gives(t, live, numbers(1, 300)...)
	again, first := follow(t, backend, &source.SubscribeRequest{After: at.GetId()})
	if first.GetGap() != nil || first.GetId() != at.GetId() {
		t.Errorf("resumed with %v instead of %v", first, at)
	}
	gives(t, again, numbers(0, 300)...)
	for _, i := range []int{0, 17, 298} {
		s, _ := follow(t, backend, &source.SubscribeRequest{Namespace: "default", After: ids[i]})
		if got := gives(t, s, numbers(i+1, 300)...); got != ids[299] {
			t.Errorf("after %d the last ID is %s, not %s", i, got, ids[299])
		}
	}
	all, _ := follow(t, backend, &source.SubscribeRequest{After: "earliest"})
	gives(t, all, numbers(0, 300)...)
	last := n.publish("topic=c", "late")
	for _, s := range []grpc.ServerStreamingClient[source.Event]{live, again, all} {
		if id := gives(t, s, "late"); id != last {
			t.Errorf("%s instead of %s", id, last)
		}
	}
}

// What the log has let go of, and what it never had, is told as a gap: once, with where it
// goes on.
func TestGRPC_SubscribeTellsGaps(t *testing.T) {
	unless(t, "redis", "what Redis lets go of is still in the memory of a node that follows it, and is given")
	n := start(t, withGRPC(func(o *server.Options) { o.RetainEvents = 10 }))
	backend, _ := n.backend()
	_, at := follow(t, backend, &source.SubscribeRequest{})
	var ids []string
	for i := range 50 {
		ids = append(ids, n.publish("topic=a", fmt.Sprint(i)))
	}
	for _, after := range []string{at.GetId(), "99999999999999-1"} {
		s, first := follow(t, backend, &source.SubscribeRequest{After: after})
		gap := first.GetGap()
		if gap.GetRequested() != after || gap.GetEarliest() == "" {
			t.Fatalf("after %s: %v", after, first)
		}
		if after != at.GetId() {
			continue // of the future: where it goes on is the store's to say
		}
		e, err := s.Recv()
		if err != nil || e.GetId() != gap.GetEarliest() {
			t.Fatalf("%v %v behind the gap %v", e, err, gap)
		}
		var i int
		_, _ = fmt.Sscan(string(e.GetData()), &i)
		if ids[i] != e.GetId() || i == 0 || i > 40 {
			t.Errorf("goes on with %v", e)
		}
		gives(t, s, numbers(i+1, 50)...)
	}
	for _, r := range []*source.SubscribeRequest{{After: "x"}, {After: "1-01"}, {Namespace: "N"}} {
		s, err := backend.Subscribe(inTime(t), r)
		if err == nil {
			_, err = s.Recv()
		}
		if code, _ := reason(err); status.Code(err) != codes.InvalidArgument || code == "" {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// With Redis a subscriber goes from node to node, and a node that is behind waits instead of
// telling a gap.
func TestGRPC_SubscriberMovesBetweenNodes(t *testing.T) {
	r := startRedis(t)
	nodes := []*node{share(t, r, withGRPC(nil)), share(t, r, withGRPC(nil))}
	var backends []source.SourceClient
	for _, n := range nodes {
		b, _ := n.backend()
		backends = append(backends, b)
	}
	_, at := follow(t, backends[0], &source.SubscribeRequest{})
	after := at.GetId()
	const rounds, each = 20, 50
	for round := range rounds {
		for i := range each {
			nodes[round%2].publish("topic=a", fmt.Sprint(round*each+i))
		}
		s, first := follow(t, backends[(round+1)/2%2], &source.SubscribeRequest{After: after})
		if first.GetGap() != nil {
			t.Fatalf("round %d: %v", round, first)
		}
		after = gives(t, s, numbers(round*each, (round+1)*each)...)
	}
}

// Streams and connections beyond the limits are refused, and their places are given back.
func TestGRPC_StreamsAreLimited(t *testing.T) {
	n := start(t, withGRPC(nil))
	ctx, cancel := context.WithCancel(inTime(t))
	defer cancel()
	for range source.SubscriptionsMax {
		backend, _ := n.backend()
		s, err := backend.Subscribe(ctx, &source.SubscribeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	backend, _ := n.backend()
	s, err := backend.Subscribe(inTime(t), &source.SubscribeRequest{})
	if err == nil {
		_, err = s.Recv()
	}
	if code, again := reason(err); code != "connection_limit" || !again {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	until(t, "there is a place again", func() bool {
		s, err := backend.Subscribe(inTime(t), &source.SubscribeRequest{})
		if err == nil {
			_, err = s.Recv()
		}
		return err == nil
	})
}

func TestGRPC_ConnectionsAreLimited(t *testing.T) {
	n := start(t, withGRPC(nil))
	var held []*wire
	for range source.ConnectionsMax {
		held = append(held, dialTo(t, n.GRPCAddr().String()))
	}
	one := dialTo(t, n.GRPCAddr().String())
	if _, err := io.ReadAll(one.r); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("one too many: %v", err)
	}
	for _, w := range held {
		_ = w.Close()
	}
	backend, _ := n.backend()
	until(t, "there is room again", func() bool {
		_, err := backend.Publish(inTime(t), text("a", "x"))
		return err == nil
	})
}

// A client that sends and never reads its answers is not read from any more: what is held
// for it is bounded.
func TestGRPC_AnswersThatNobodyReadsHoldTheStream(t *testing.T) {
	n := start(t, withGRPC(nil))
	conn, err := grpc.NewClient(n.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithCancel(inTime(t))
	defer cancel()
	stream, err := source.NewSourceClient(conn).PublishStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan int)
	go func() {
		defer close(sent)
		for i := 0; stream.Send(text("a", "x")) == nil; i++ {
			sent <- i
		}
	}()
	count := 0
	for stuck := false; !stuck; {
		select {
		case count = <-sent:
		case <-time.After(2 * time.Second): // it may also be a slow machine: then less is sent
			stuck = true
		}
		if count > 100_000 {
			t.Fatalf("%d events were taken from a client that reads no answer", count)
		}
	}
	t.Logf("%d events were sent", count)
	cancel()
	for range sent { // until Send has failed
	}
	backend, _ := n.backend()
	if _, err := backend.Publish(inTime(t), text("a", "y")); err != nil {
		t.Error(err)
	}
}

// A server that is closed with everything open leaves no goroutine and no descriptor.
func TestGRPC_CloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	o := options(withGRPC(nil))
	n := begin(t, o)
	fds := descriptors(t)
	backend, conn := n.backend()
	follow(t, backend, &source.SubscribeRequest{})
	stream, err := backend.PublishStream(inTime(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := stream.Send(text("a", "x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	silent := dialTo(t, n.GRPCAddr().String()) // says nothing at all
	n.end()
	_ = conn.Close()
	_ = silent.Close()
	until(t, "all is gone", func() bool { return descriptors(t) <= fds && runtime.NumGoroutine() <= before })
}
