package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// A sentinel is one of those that tell who is the master. Any goroutine may ask it.
type sentinel struct {
	s    *Redis
	addr string

	mu     sync.Mutex // guards the rest
	client rueidis.Client
}

// sentinelSaid is what one of them says.
type sentinelSaid struct {
	addr    string // of the master
	epoch   uint64 // of the failover that made it the master: what a higher one made counts
	failing bool   // it is taken for dead, or is being replaced
}

// Why a server is not taken for the master.
var (
	errDemoted   = errors.New("the Sentinels name another master")
	errReplacing = errors.New("the Sentinels take it for dead")
	errTwoNamed  = errors.New("the Sentinels do not agree yet who is the master")
)

// close ends the connection.
func (x *sentinel) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.client != nil {
		x.client.Close()
	}
}

// connected is the client, which connects again by itself.
func (x *sentinel) connected() (rueidis.Client, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.client != nil {
		return x.client, nil
	}
	o := x.s.clientOption(x.addr)
	o.Username, o.Password, o.SelectDB = x.s.target.sentinelUser, x.s.target.sentinelPassword, 0
	o.Dialer.Timeout = x.s.opts.Timeout / 2
	client, err := rueidis.NewClient(o)
	if client == nil {
		return nil, err
	}
	x.client = client
	return client, nil
}

// ask asks it who is the master. One that may not tell more than that is believed as long
// as no other knows better.
func (x *sentinel) ask(ctx context.Context) (said sentinelSaid, err error) {
	client, err := x.connected()
	if err != nil {
		return said, fmt.Errorf("sentinel %s: %w", x.addr, err)
	}
	name := x.s.target.master
	results := client.DoMulti(ctx,
		client.B().Arbitrary("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name).Build(),
		client.B().Arbitrary("SENTINEL", "MASTER", name).Build())
	parts, err := results[0].AsStrSlice()
	if err != nil {
		return said, fmt.Errorf("sentinel %s, master %q: %w", x.addr, name, err)
	}
	if len(parts) != 2 {
		return said, fmt.Errorf("sentinel %s, master %q: answered %q", x.addr, name, parts)
	}
	said.addr = net.JoinHostPort(parts[0], parts[1])
	m, err := results[1].AsStrMap()
	if err != nil {
		return said, nil
	}
	said.epoch, _ = strconv.ParseUint(m["config-epoch"], 10, 64)
	if net.JoinHostPort(m["ip"], m["port"]) == said.addr { // else the flags are of the one before
		said.failing = strings.Contains(m["flags"], "o_down") || strings.Contains(m["flags"], "failover_in_progress")
	}
	return said, nil
}

// newest is the master as of the latest failover. One Sentinel hears of it later than
// others, or never when it is cut off from them.
func newest(said []sentinelSaid) (sentinelSaid, error) {
	var best sentinelSaid
	for _, x := range said {
		switch {
		case best.addr == "" || x.epoch > best.epoch:
			best = x
		case x.epoch < best.epoch:
		case x.addr != best.addr:
			return best, errTwoNamed
		default:
			best.failing = best.failing || x.failing
		}
	}
	return best, nil
}

// askMaster gives the master that the Sentinels name.
func (s *Redis) askMaster() ([]slotRange, error) {
	said, err := s.askSentinels(s.ctx)
	if err != nil {
		return nil, err
	}
	best, err := newest(said)
	if err != nil {
		return nil, err
	}
	return []slotRange{{addr: best.addr}}, nil
}

// confirm asks the Sentinels whether an address is the master's. Without any answer nobody
// is: connections that stand are not touched by that.
func (s *Redis) confirm(ctx context.Context, addr string) error {
	if s.target.mode != redisSentinel {
		return nil
	}
	said, err := s.askSentinels(ctx)
	if err != nil {
		return err
	}
	best, err := newest(said)
	switch {
	case err != nil:
		return err
	case best.addr != addr:
		return errDemoted
	case best.failing:
		return errReplacing
	}
	return nil
}

// dial connects to a master. While nobody was connected another may have taken its place,
// and it need not know yet: the Sentinels are asked before anything is sent.
func (h *redisShard) dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	c, err := redisDial(ctx, addr, d, t)
	if err != nil {
		return nil, err
	}
	if err := h.s.confirm(ctx, h.addr); err != nil { // now that we are connected: an earlier answer may be too old
		_ = c.Close()
		h.s.look()
		return nil, dialError{err}
	}
	return c, nil
}
