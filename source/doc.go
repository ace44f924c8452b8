// Package source is the gRPC side of the server: the service throng.v1.Source of
// source.proto, over which backends publish and nodes read each other's events.
//
// Server is its serving side: it owns connections, calls and their limits, and asks a Backend
// for everything else. Client is the side that follows another node. Neither knows what an
// event is for.
//
// Memory is bounded by counts: connections, calls of a connection, streams of either kind, and
// what a stream may have received and not yet dealt with. What is beyond that waits at the
// peer, by HTTP/2's flow control.
package source
