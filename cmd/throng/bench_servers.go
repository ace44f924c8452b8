package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"throng/bench"
)

// none is the value of a flag that wants no comparison.
const none = "none"

// peerNames lists the peers that are built from source.
func peerNames() string {
	var names []string
	for _, p := range bench.Peers() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// peerNamed finds the peer that a command begins with the name of.
func peerNamed(command string) (bench.Peer, bool) {
	first, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	i := slices.IndexFunc(bench.Peers(), func(p bench.Peer) bool { return p.Name == first })
	if i < 0 {
		return bench.Peer{}, false
	}
	return bench.Peers()[i], true
}

// servers reads the commands of what is to be started; peers are built later.
func (m *measurement) servers() error {
	c, o := m.cmd, &m.options
	if peer, known := peerNamed(c.Server); known {
		if o.Dialect == "" {
			o.Wire.Dialect = peer.Wire.Dialect
		}
	} else if c.Server != "" && !strings.Contains(c.Server, "{listen}") {
		return fmt.Errorf("--server-cmd: %q does not say {listen}, the address to listen on", c.Server)
	}
	o.Server = strings.Fields(c.Server)
	if len(c.Peer) > 0 && !m.scenario.ComparesPeers() {
		return fmt.Errorf("--peer: %s compares with no peer; --server-cmd measures another server", m.scenario.Name)
	}
	if c.Floor != "" && !m.scenario.ComparesFloor() {
		return fmt.Errorf("--floor: %s does not compare with the sender in C", m.scenario.Name)
	}
	for _, command := range c.Peer {
		if _, known := peerNamed(command); !known && command != none && !strings.Contains(command, "{listen}") {
			return fmt.Errorf("--peer: %q is refused; accepted: %s, none, or a command with {listen}", command, peerNames())
		}
	}
	if c.Floor != "" && c.Floor != none && !strings.Contains(c.Floor, "{listen}") {
		return fmt.Errorf("--floor: %q is refused; accepted: none, or a command with {listen}", c.Floor)
	}
	return nil
}

// build makes the commands of what is to be started, and builds what has to be. What is
// compared with only by default is left out, with a note, where it cannot be built.
func (m *measurement) build(ctx context.Context, dir string) error {
	c, o := m.cmd, &m.options
	var err error
	switch peer, known := peerNamed(c.Server); {
	case known:
		if o.Server, err = commandOf(ctx, dir, peer, c.Server); err != nil {
			return fmt.Errorf("--server-cmd: %w", err)
		}
	case len(o.Server) == 0 && o.URL == "":
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Server = []string{self, "serve", "--listen", "{listen}", "--admin", "{admin}"}
	}
	if m.scenario.ComparesPeers() {
		if err := m.buildPeers(ctx, dir); err != nil {
			return err
		}
	}
	if m.scenario.ComparesFloor() && c.Floor != none {
		return m.buildFloor(ctx, dir)
	}
	return nil
}

// buildPeers builds the peers that were asked for; the first of all, if none was.
func (m *measurement) buildPeers(ctx context.Context, dir string) error {
	asked := m.cmd.Peer
	if len(asked) == 0 {
		asked = []string{bench.Peers()[0].Name}
	}
	for i, command := range asked {
		if command == none {
			continue
		}
		peer, known := peerNamed(command)
		if !known {
			m.options.Peers = append(m.options.Peers, bench.PeerSpec{Name: fmt.Sprint("peer ", i+1), Argv: strings.Fields(command)})
			continue
		}
		argv, err := commandOf(ctx, dir, peer, command)
		if err != nil {
			if err := m.leaveOut("--peer", peer.Label, len(m.cmd.Peer) > 0, err); err != nil {
				return err
			}
			continue
		}
		m.options.Peers = append(m.options.Peers, bench.PeerSpec{Name: peer.Label, Argv: argv, Wire: peer.Wire})
	}
	return nil
}

func (m *measurement) buildFloor(ctx context.Context, dir string) error {
	o := &m.options
	if o.Floor = strings.Fields(m.cmd.Floor); len(o.Floor) > 0 {
		return nil
	}
	var err error
	if o.Floor, err = bench.BuildFloor(ctx, dir); err != nil {
		o.Floor = nil
		return m.leaveOut("--floor", "the sender in C", m.cmd.Floor != "", err)
	}
	return nil
}

// leaveOut goes on without what could not be built, unless it was asked for.
func (m *measurement) leaveOut(flag, what string, asked bool, err error) error {
	if asked {
		return fmt.Errorf("%s: %w", flag, err)
	}
	fmt.Fprintf(m.stderr, "throng: no comparison with %s, which could not be built: %s\n", what, firstLine(err))
	return nil
}

// commandOf is the command line of a peer that has been built. Its own words follow its
// name; the address is added if they do not have it.
func commandOf(ctx context.Context, dir string, peer bench.Peer, command string) ([]string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errors.New("it is built from source, and there is no go")
	}
	argv, err := peer.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	rest := strings.Fields(command)[1:]
	if strings.Contains(command, "{listen}") {
		return append(argv[:1], rest...), nil
	}
	return slices.Concat(argv[:1], rest, argv[1:]), nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
