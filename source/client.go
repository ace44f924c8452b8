package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// eventBytesMost is the largest event of a source: the most that any node may be configured
// to take, and its other fields. One that is too large here is for the caller to pass over;
// were it refused on the wire, the stream would never get past it.
const eventBytesMost = 65 << 20

// Client is a connection to a source. Any goroutine may use it.
type Client struct {
	conn   *grpc.ClientConn
	source SourceClient
	health grpc_health_v1.HealthClient
}

// Dial makes one; it connects with the first call. With secure it speaks TLS, and trusts
// the system's certificates. A Client that has failed is closed and another one made: when
// that is tried again is the caller's to say, so the library's own retries are few.
func Dial(address string, secure bool) (*Client, error) {
	transport := insecure.NewCredentials()
	if secure {
		transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(eventBytesMost)),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: silenceMax, Timeout: silenceWait}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: redialWait, Multiplier: 1, MaxDelay: redialWait},
			MinConnectTimeout: handshakeTimeout,
		}))
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", address, err)
	}
	return &Client{conn: conn, source: NewSourceClient(conn), health: grpc_health_v1.NewHealthClient(conn)}, nil
}

// redialWait is how long the library waits until it dials again by itself.
const redialWait = 10 * time.Second

// Subscribe gives what follows an ID to take, in its order, as many messages at a time as
// there are. While take waits, the source is not read from, beyond one batch. It returns when
// the stream ends, which is always an error, when take answers one, or when ctx is done.
func (c *Client) Subscribe(ctx context.Context, namespace, after string, take func([]*Event) error) error {
	var receiver sync.WaitGroup
	defer receiver.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.source.Subscribe(ctx, &SubscribeRequest{Namespace: namespace, After: after})
	if err != nil {
		return err
	}
	in := newInbox[*Event]()
	receiver.Go(func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				in.end(err)
				return
			}
			if !in.push(e, eventBytes(e), ctx.Done()) {
				return
			}
		}
	})
	var events []*Event
	for {
		if events, err = in.take(events, ctx.Done()); err != nil {
			return subscribeError(ctx, err)
		}
		if err := take(events); err != nil {
			return err
		}
	}
}

var errEnded = errors.New("the source has ended the stream")

func subscribeError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return errEnded
	}
	return err
}

// eventBytes is about what an event takes of memory.
func eventBytes(e *Event) int {
	n := messageBytes + len(e.GetData()) + len(e.GetEvent()) + len(e.GetId())
	for _, t := range e.GetTopics() {
		n += topicBytes + len(t)
	}
	return n
}

// Check asks for the source's health (grpc.health.v1). One that does not know this service is
// well: it has answered. (Connected may not have learned of the connection yet.)
func (c *Client) Check(ctx context.Context) error {
	answer, err := c.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	switch {
	case status.Code(err) == codes.Unimplemented:
		return nil
	case err != nil:
		return err
	case answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		return fmt.Errorf("the source says that it is %v", answer.GetStatus())
	}
	return nil
}

// Connected says whether there is a connection now.
func (c *Client) Connected() bool { return c.conn.GetState() == connectivity.Ready }

// Close ends all calls.
func (c *Client) Close() error { return c.conn.Close() }
