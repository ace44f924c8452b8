package bench

import (
	"context"
	"slices"
)

// Peer is a server to compare with that this module has the source of.
type Peer struct {
	Name  string // also of its folder, bench/peers/NAME
	Label string // in reports
	About string
	Wire  Wire
}

var peers = []Peer{
	{"nethttp", "net/http", "net/http, a goroutine and a channel a stream", Wire{}},
	{"netpoll", "netpoll", "netpoll, a connection of it for as long as a stream lasts", Wire{}},
	{"nchan", "nchan", "nginx with the nchan module, which scripts/need nchan installs", Wire{Dialect: dialectSSE}},
}

// Peers lists them, the default first.
func Peers() []Peer { return slices.Clone(peers) }

// Build builds the peer from the module of the working directory, into dir, and returns
// its command line.
func (p Peer) Build(ctx context.Context, dir string) ([]string, error) {
	bin, err := goBuild(ctx, dir, "throng/bench/peers/"+p.Name)
	return []string{bin, listenWord}, err
}

// ComparesPeers says whether a scenario has a part for peers.
func (s Scenario) ComparesPeers() bool { return s.Name == device.Name || s.Name == fanout.Name }

// ComparesFloor says whether a scenario has a part for the sender in C.
func (s Scenario) ComparesFloor() bool { return s.Name == fanout.Name }
