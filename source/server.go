package source

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// Limits of the port.
const (
	// callsMax is how many calls of one connection are under way; further ones wait in the
	// client's library. They are fewer where messages may be so large that their requests
	// would be more than connectionBytesMax, but callsLeast are always let in: a node that
	// follows needs two, and others may share its connection.
	callsMax           = 64
	callsLeast         = 8
	connectionBytesMax = 5 << 20
	// publishStreamsMax is how many PublishStreams are open: each holds up to two batches.
	publishStreamsMax = 256
	// SubscriptionsMax is how many Subscribes are open: they are for nodes, not for browsers.
	SubscriptionsMax = 64
	// windowBytes is what a peer may have sent ahead on one call, without the library's
	// guessing at more.
	windowBytes = 64 << 10
	// headBytesMax is the size of a call's metadata.
	headBytesMax = 16 << 10

	handshakeTimeout = 10 * time.Second
	idleMax          = 5 * time.Minute  // a connection without a call is told to go
	silenceMax       = 30 * time.Second // a connection that says nothing is asked whether it lives
	silenceWait      = 10 * time.Second // for its answer
	askedTooOften    = 10 * time.Second // clients may ask us as often as that
)

// Options are what a Server needs to know.
type Options struct {
	MessageBytesMax int    // of one request
	Shed            func() // is called for each connection that is closed at once
}

// Backend is what a Server asks. Any number of goroutines call it.
type Backend interface {
	// Publish deals with 1 to 1,024 requests, in the order of each namespace, and sets the
	// answer of each. The requests are the Backend's from then on. When ctx is done the answers
	// do not matter any more.
	Publish(ctx context.Context, requests []*PublishRequest, answers []*PublishResponse)
	// Subscribe sends what follows until ctx is done, send fails, or it can't go on, which is
	// the problem. An event is not used after send has returned.
	Subscribe(ctx context.Context, r *SubscribeRequest, send func(*Event) error) *Problem
	// Full is the problem of a stream for which there is no place.
	Full(detail string) *Problem
	// Leaving is the problem of a stream that ends because the node does.
	Leaving() *Problem
	// Ready says whether new work should come here.
	Ready() bool
	// Answered counts an answer, by the number of its status code.
	Answered(code int)
}

// Server serves throng.v1.Source and grpc.health.v1. NewServer, then Serve, then Close, each
// once; any goroutine may call the others.
type Server struct {
	UnimplementedSourceServer
	backend Backend
	ln      *listener
	grpc    *grpc.Server
	health  health

	publishing  chan struct{} // has an element for each PublishStream
	subscribing chan struct{} // and for each Subscribe
	closing     context.Context
	close       context.CancelFunc
	receivers   sync.WaitGroup
}

// Listen binds the port; nothing is served yet.
func Listen(address string, o Options, b Backend) (*Server, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("grpc port: %w", err)
	}
	s := &Server{
		backend: b, ln: newListener(ln, o.Shed),
		publishing: make(chan struct{}, publishStreamsMax), subscribing: make(chan struct{}, SubscriptionsMax),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(o.MessageBytesMax), grpc.MaxConcurrentStreams(callsFor(o.MessageBytesMax)), grpc.MaxHeaderListSize(headBytesMax),
		grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(16*windowBytes),
		grpc.ConnectionTimeout(handshakeTimeout), grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleMax, Time: silenceMax, Timeout: silenceWait}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: askedTooOften, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(s.countCall), grpc.StreamInterceptor(s.countStream),
	)
	RegisterSourceServer(s.grpc, s)
	s.health.register(s)
	return s, nil
}

// callsFor is how many calls a connection may have under way.
func callsFor(messageBytes int) uint32 {
	return uint32(min(max(connectionBytesMax/max(messageBytes, 1), callsLeast), callsMax))
}

// Addr is the port's address.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Serve accepts until Close. It may take the listener with it when it fails.
func (s *Server) Serve() error {
	if err := s.grpc.Serve(s.ln); err != nil {
		return fmt.Errorf("grpc port: %w", err)
	}
	return nil
}

// Close takes no more calls, lets those under way end for as long as wait, and ends the rest.
// It returns when nothing of the server runs any more.
func (s *Server) Close(wait time.Duration) {
	s.close()
	ended := make(chan struct{})
	timer := time.AfterFunc(wait, func() {
		defer close(ended)
		s.ln.cut()
		s.grpc.Stop()
	})
	s.grpc.GracefulStop()
	if !timer.Stop() {
		<-ended
	}
	_ = s.ln.Close() // Serve may not have known of it
	s.receivers.Wait()
}

// countCall counts the answer of a call.
func (s *Server) countCall(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, request)
	s.count(codeOfError(err))
	return answer, err
}

// countStream counts the end of a stream. One of PublishStream counts by its events, unless it
// fails as a whole.
func (s *Server) countStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := handle(srv, stream)
	if err != nil || info.FullMethod != Source_PublishStream_FullMethodName {
		s.count(codeOfError(err))
	}
	return err
}

// codeOfError is the code that a client sees: that of a context that ended has one too.
func codeOfError(err error) codes.Code {
	if st, ok := status.FromError(err); ok {
		return st.Code()
	}
	return status.FromContextError(err).Code()
}

func (s *Server) count(c codes.Code) {
	if int(c) >= codeCount {
		c = codes.Unknown
	}
	s.backend.Answered(int(c))
}

// enter takes one of the places; nil: there is one.
func (s *Server) enter(places chan struct{}, what string) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
		return statusOf(s.backend.Full(fmt.Sprintf("%d %s are open, as many as there may be", cap(places), what)))
	}
}
