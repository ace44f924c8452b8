package server

import (
	"context"
	"sync/atomic"
	"time"

	"throng/breaker"
	"throng/replay"
)

// The fourth layer: what a node depends on that may be away. Each has a channel that is
// probed. Memory can't be away. The disk has none either: its calls fail at once instead of
// waiting, it finds out by itself when it is well again (replay.Disk.Health), and a probe
// would be one more write to a disk that can't keep up with its own.

// redisChannel is the name of the store's channel.
const redisChannel = "redis"

// sourceProbes is how many good answers in a row end an isolation, or a weakness.
const sourceProbes = 3

// sourceIsolated is the reason of /readyz: nobody is to publish here.
const sourceIsolated = "source_isolated"

// storeGuard is what the store asks before it calls Redis. The store is there before its
// channel is, and without breakers there is none: then all may call.
type storeGuard struct {
	channel atomic.Pointer[breaker.Channel]
}

var _ replay.Guard = (*storeGuard)(nil)

// Allow implements replay.Guard.
func (g *storeGuard) Allow() bool {
	c := g.channel.Load()
	return c == nil || c.Allow()
}

func (g *storeGuard) isolated() bool {
	c := g.channel.Load()
	return c != nil && c.State() == breaker.Isolated
}

// dataSources are the channels of a node, and what ends their probes.
type dataSources struct {
	*breaker.Source // nil: nothing is probed
	context         context.Context
	end             context.CancelFunc
}

// watchSources makes the channels, which run probes.
func (s *Server) watchSources() {
	channels := s.dataChannels()
	if s.o.Breakers == "off" || len(channels) == 0 {
		return
	}
	source := s.board.Source(breaker.SourceOptions{Every: s.o.ProbeInterval, Bound: s.o.ProbeTimeout}, channels...)
	s.source.Source = source
	s.source.context, s.source.end = context.WithCancel(context.Background())
	s.guard.channel.Store(source.Channel(redisChannel))
	for _, u := range s.upstreams {
		u.guard = source.Channel(u.name())
	}
}

// dataChannels are the dependencies that this node has.
func (s *Server) dataChannels() []breaker.ChannelOptions {
	var channels []breaker.ChannelOptions
	if p, is := s.store.(replay.Prober); is {
		channels = append(channels, s.dataChannel(redisChannel, s.o.RedisSlow, p.Probe))
	}
	for _, u := range s.upstreams {
		channels = append(channels, s.dataChannel(u.name(), s.o.UpstreamSlow, u.Probe))
	}
	return channels
}

// dataChannel has what the options say of all of them.
func (s *Server) dataChannel(name string, slow time.Duration, probe func(context.Context) error) breaker.ChannelOptions {
	return breaker.ChannelOptions{
		Name: name, Probe: probe, Slow: slow, Failures: s.o.ProbeFailures,
		IsolatedFor: s.o.ProbeInterval, Probes: sourceProbes, Ramp: s.o.Ramp,
	}
}

// probe asks the channels until the server closes.
func (d *dataSources) probe() {
	if d.Source != nil {
		d.Run(d.context)
	}
}

// close ends the probes.
func (d *dataSources) close() {
	if d.end != nil {
		d.end()
	}
}

// storeIsolated says whether publishers are better sent elsewhere, since nothing is given to
// the store. A spool takes their events meanwhile.
func (s *Server) storeIsolated() bool { return s.o.Spool == "" && s.guard.isolated() }
