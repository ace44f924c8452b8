package source

import (
	"context"

	"google.golang.org/grpc"
	library "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// health is grpc.health.v1, for the whole and for the one service. A Check is answered as of
// now; who watches is told within the time between two calls of Server.Refresh.
type health struct {
	*library.Server
	of *Server
}

func (h *health) register(s *Server) {
	h.Server, h.of = library.NewServer(), s
	grpc_health_v1.RegisterHealthServer(s.grpc, h)
	s.Refresh()
	reflection.Register(s.grpc) // 0.2 MB of the binary, and grpcurl needs no .proto file
}

// Refresh asks the Backend whether it is ready. Its owner calls it every now and then.
func (s *Server) Refresh() {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if s.backend.Ready() {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", Source_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(service, status)
	}
}

// Check implements grpc.health.v1.
func (h *health) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	h.of.Refresh()
	return h.Server.Check(ctx, r)
}

// Watch implements grpc.health.v1. It ends with the server, so that it does not hold it up.
func (h *health) Watch(r *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	ctx, cancel := h.of.whileOpen(stream.Context())
	defer cancel()
	return h.Server.Watch(r, watch{stream, ctx})
}

// watch is a stream with another context.
type watch struct {
	grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (w watch) Context() context.Context { return w.ctx }
