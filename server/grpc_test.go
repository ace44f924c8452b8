package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"throng/server"
	"throng/source"
	"throng/sse"
)

// withGRPC opens the gRPC port besides.
func withGRPC(set func(*server.Options)) func(*server.Options) {
	return func(o *server.Options) {
		o.GRPC = "127.0.0.1:0"
		if set != nil {
			set(o)
		}
	}
}

// backend connects to a node's gRPC port.
func (n *node) backend() (source.SourceClient, *grpc.ClientConn) {
	n.t.Helper()
	conn, err := grpc.NewClient(n.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = conn.Close() })
	return source.NewSourceClient(conn), conn
}

// inTime is a context that ends when nothing should take longer.
func inTime(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	return ctx
}

func text(topic, data string) *source.PublishRequest {
	return &source.PublishRequest{Topics: []string{topic}, Data: []byte(data)}
}

// reason is the code of a refusal, and whether it says when to come back.
func reason(err error) (code string, again bool) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == source.Domain {
				code = d.GetReason()
			}
		case *errdetails.RetryInfo:
			again = d.GetRetryDelay().AsDuration() > 0
		}
	}
	return code, again
}

func TestGRPC_PublishReachesStreams(t *testing.T) {
	n := start(t, withGRPC(nil))
	backend, _ := n.backend()
	s := n.subscribe("topic=a%2F%2B&ns=tenant")
	id := ""
	for i := range 3 {
		r := &source.PublishRequest{Namespace: "tenant", Topics: []string{"a/b", "c"}, Event: "e", Data: fmt.Appendf(nil, "%d\n", i), Priority: source.Priority_PRIORITY_HIGH}
		answer, err := backend.Publish(inTime(t), r)
		if err != nil {
			t.Fatal(err)
		}
		if id != "" && !follows(t, id, answer.GetId()) {
			t.Errorf("ID %s after %s", answer.GetId(), id)
		}
		id = answer.GetId()
		if e := s.next(); e.id != id || e.name != "e" || e.data != fmt.Sprintf("%d\n", i) {
			t.Errorf("%s came as %+v", id, e)
		}
	}
	if got := n.scrape()[`throng_grpc_responses_total{code="OK"}`]; got != 3 {
		t.Errorf("%v answers were counted", got)
	}
}

// Whatever POST /publish refuses is refused here, with its code in the details.
func TestGRPC_RefusalsHaveCodeAndDetails(t *testing.T) {
	n := start(t, withGRPC(func(o *server.Options) { o.EventBytesMax, o.EventTopicsMax = 1000, 2 }))
	backend, _ := n.backend()
	keyed := text("a", "one")
	keyed.Key = "k"
	if _, err := backend.Publish(inTime(t), keyed); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why    string
		change func(*source.PublishRequest)
		status codes.Code
		code   string
	}{
		{"no topic", func(r *source.PublishRequest) { r.Topics = nil }, codes.InvalidArgument, "missing_topic"},
		{"a wildcard", func(r *source.PublishRequest) { r.Topics = []string{"a/+"} }, codes.InvalidArgument, "bad_topic"},
		{"too many topics", func(r *source.PublishRequest) { r.Topics = []string{"a", "b", "c"} }, codes.InvalidArgument, "too_many_topics"},
		{"a namespace", func(r *source.PublishRequest) { r.Namespace = "A" }, codes.InvalidArgument, "bad_namespace"},
		{"our name", func(r *source.PublishRequest) { r.Event = "throng.gap" }, codes.InvalidArgument, "bad_event_name"},
		{"a line break", func(r *source.PublishRequest) { r.Event = "a\nb" }, codes.InvalidArgument, "bad_event_name"},
		{"not UTF-8", func(r *source.PublishRequest) { r.Data = []byte{'a', 0xff} }, codes.InvalidArgument, "bad_data"},
		{"a NUL", func(r *source.PublishRequest) { r.Data = []byte{0} }, codes.InvalidArgument, "bad_data"},
		{"a byte too many", func(r *source.PublishRequest) { r.Data = bytes.Repeat([]byte{'a'}, 1001) }, codes.InvalidArgument, "body_too_large"},
		{"a key", func(r *source.PublishRequest) { r.Key = "k\n" }, codes.InvalidArgument, "bad_idempotency_key"},
		{"another event's key", func(r *source.PublishRequest) { r.Key = "k" }, codes.FailedPrecondition, "idempotency_key_reused"},
		{"a priority", func(r *source.PublishRequest) { r.Priority = 9 }, codes.InvalidArgument, "bad_request"},
		{"far too large", func(r *source.PublishRequest) { r.Data = bytes.Repeat([]byte{'a'}, 100<<10) }, codes.ResourceExhausted, ""},
	} {
		r := text("a", "two")
		c.change(r)
		_, err := backend.Publish(inTime(t), r)
		code, again := reason(err)
		if status.Code(err) != c.status || code != c.code || again {
			t.Errorf("%s: %v, code %q, again %v", c.why, err, code, again)
		}
	}
	if got := n.scrape()[`throng_publish_refused_total{code="bad_topic"}`]; got != 1 {
		t.Errorf("%v bad topics were counted", got)
	}
}

// Ten thousand events sent without waiting are answered in order, the refused among them, and
// go to the log many at a time.
func TestGRPC_StreamAnswersInOrder(t *testing.T) {
	n := start(t, withGRPC(func(o *server.Options) { o.RingEvents = 1 << 15 }))
	backend, _ := n.backend()
	stream, err := backend.PublishStream(inTime(t))
	if err != nil {
		t.Fatal(err)
	}
	const events = 10000
	sent := make(chan error, 1)
	go func() {
		for i := range events {
			r := text("a", fmt.Sprint(i))
			if i%100 == 99 {
				r.Topics = nil
			}
			if err := stream.Send(r); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	var last sse.ID
	for i := range events {
		a, err := stream.Recv()
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if i%100 == 99 {
			if p := a.GetProblem(); p.GetCode() != "missing_topic" || p.GetStatus() != 400 || p.GetTitle() == "" {
				t.Fatalf("answer %d is %v", i, a)
			}
			continue
		}
		id, err := sse.ParseID(a.GetId())
		if err != nil || !last.Less(id) {
			t.Fatalf("answer %d is %v, after %v", i, a, last)
		}
		last = id
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last answer: %v", err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	m := n.scrape()
	if got := m[`throng_grpc_responses_total{code="OK"}`]; got != 9900 {
		t.Errorf("%v good answers were counted", got)
	}
	if got := m[`throng_grpc_responses_total{code="InvalidArgument"}`]; got != 100 {
		t.Errorf("%v refusals were counted", got)
	}
	if batches := m["throng_append_duration_seconds_count"]; batches == 0 || batches > 5000 {
		t.Errorf("9900 events went to the log in %v batches", batches)
	}
	s := n.subscribe("topic=a&since=earliest")
	for i := range events {
		if i%100 == 99 {
			continue
		}
		if e := s.next(); e.data != fmt.Sprint(i) {
			t.Fatalf("event %d came as %+v", i, e)
		}
	}
}

// Events of several namespaces on one stream are answered in order too, each in its place.
func TestGRPC_StreamOfManyNamespaces(t *testing.T) {
	n := start(t, withGRPC(nil))
	backend, _ := n.backend()
	stream, err := backend.PublishStream(inTime(t))
	if err != nil {
		t.Fatal(err)
	}
	const events, spaces = 600, 7
	for i := range events {
		r := text("a", fmt.Sprint(i))
		r.Namespace = fmt.Sprintf("n%d", i%spaces)
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	ids := make(map[string]string)
	for i := range events {
		a, err := stream.Recv()
		if err != nil || a.GetId() == "" {
			t.Fatalf("answer %d: %v %v", i, a, err)
		}
		ids[fmt.Sprint(i)] = a.GetId()
	}
	_ = stream.CloseSend()
	for space := range spaces {
		s := n.subscribe(fmt.Sprintf("topic=a&since=earliest&ns=n%d", space))
		for i := space; i < events; i += spaces {
			if e := s.next(); e.data != fmt.Sprint(i) || e.id != ids[e.data] {
				t.Fatalf("event %d, answered %s, came as %+v", i, ids[fmt.Sprint(i)], e)
			}
		}
	}
}

// One key is one event, by whichever port it comes.
func TestGRPC_KeyIsKnownOnBothPorts(t *testing.T) {
	n := start(t, withGRPC(nil))
	backend, _ := n.backend()
	id := n.publish("topic=a", "x", "Idempotency-Key: k")
	r := text("a", "x")
	r.Key = "k"
	for range 2 {
		if a, err := backend.Publish(inTime(t), r); err != nil || a.GetId() != id {
			t.Errorf("%v %v instead of %s", a, err, id)
		}
	}
	n.subscribe("topic=a&since=earliest").takes("x")
	r.Key = "l"
	a, err := backend.Publish(inTime(t), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := n.publish("topic=a", "x", "Idempotency-Key: l"); got != a.GetId() {
		t.Errorf("%s instead of %s", got, a.GetId())
	}
}

// A node that drains takes no events, says so to who asks for its health, and sends
// subscribers elsewhere. What is under way when it stops is answered.
func TestGRPC_DrainRefusesAndSaysSo(t *testing.T) {
	n := start(t, withGRPC(nil))
	backend, conn := n.backend()
	health := grpc_health_v1.NewHealthClient(conn)
	for _, service := range []string{"", "throng.v1.Source"} {
		a, err := health.Check(inTime(t), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || a.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q is %v, %v", service, a, err)
		}
	}
	watch, err := health.Watch(inTime(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := backend.Subscribe(inTime(t), &source.SubscribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := backend.PublishStream(inTime(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Drain(inTime(t)); err != nil {
		t.Fatal(err)
	}
	if a, err := health.Check(inTime(t), &grpc_health_v1.HealthCheckRequest{}); err != nil || a.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while it drains: %v %v", a, err)
	}
	for seen := grpc_health_v1.HealthCheckResponse_SERVING; seen != grpc_health_v1.HealthCheckResponse_NOT_SERVING; {
		a, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		seen = a.GetStatus()
	}
	if _, err := backend.Publish(inTime(t), text("a", "x")); status.Code(err) != codes.Unavailable {
		t.Errorf("a publish: %v", err)
	} else if code, again := reason(err); code != "draining" || !again {
		t.Errorf("a publish: %v, code %s, again %v", err, code, again)
	}
	for err = nil; err == nil; {
		_, err = events.Recv()
	}
	if code, _ := reason(err); status.Code(err) != codes.Unavailable || code != "draining" {
		t.Errorf("the subscriber: %v", err)
	}
	if err := stream.Send(text("a", "x")); err != nil {
		t.Fatal(err)
	}
	if a, err := stream.Recv(); err != nil || a.GetProblem().GetCode() != "draining" {
		t.Errorf("the publish stream: %v %v", a, err)
	}
	begun := time.Now()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "stop") {
		t.Errorf("the publish stream at the end: %v", err)
	}
	t.Logf("closed in %v", time.Since(begun))
}
