package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"throng/bench/check"
	"throng/bench/internal/sock"
)

// The policies of --fsync.
const (
	fsyncAlways   = "always"
	fsyncInterval = "interval"
	fsyncNever    = "never"
)

// The words of --spool.
const (
	spoolOn  = "on"
	spoolOff = "off"
)

// checkField is the nodes under check and what they keep their events in.
type checkField struct {
	r     *run
	dir   string // of what the stores write
	nodes []*node
	store *redisStore // nil: the store is not Redis
}

// node is one server. It keeps its address over all its lives.
type node struct {
	number int
	argv   []string
	listen string
	*process
}

// checkOptions are given to the nodes unless the command line has them. They make small
// what is otherwise reached by large loads only, and retention so large that nothing is
// trimmed: what is missing is then lost.
var checkOptions = [][2]string{
	{"--heartbeat", "200ms"}, {"--drain", "300ms"}, {"--retry", "10ms"},
	{"--ring-events", "256"}, {"--send-buffer-bytes", "8192"},
	{"--retain-events", "10000000"}, {"--retain-bytes", "4GiB"}, {"--retain-total-bytes", "4GiB"}, {"--retain-age", "24h"},
	{"--idempotency-max", "1000000"},
}

// startField starts the store and the nodes, with options that their command line has not.
// stop must be called.
func (r *run) startField(options [][2]string) (*checkField, error) {
	f := &checkField{r: r}
	var err error
	if f.dir, err = os.MkdirTemp("", "throng-check-"); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err = f.start(slices.Clone(options)); err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

func (f *checkField) start(options [][2]string) error {
	o := f.r.o
	if o.Nodes > 1 && o.Store != storeRedis && o.Store != storeFailover {
		return fmt.Errorf("bench: --nodes %d: with --store %s each node has a log of its own; nodes share one with redis or failover", o.Nodes, o.Store)
	}
	switch o.Store {
	case storeMemory:
		options = append(options, [2]string{"--store", storeMemory})
	case storeDisk:
		options = append(options, [2]string{"--store", "disk:" + filepath.Join(f.dir, "log")})
		if o.Fsync != "" {
			options = append(options, [2]string{"--fsync", o.Fsync})
		}
	default:
		var err error
		if f.store, err = startRedisStore(f.r.ctx, o.Store == storeFailover, o.Fsync); err != nil {
			return err
		}
		options = append(options, [2]string{"--store", f.store.url})
	}
	for _, option := range options {
		f.r.serverOption(option[0], option[1])
	}
	for i := range o.Nodes {
		n := &node{number: i, argv: f.r.o.Server}
		if o.Spool == spoolOn {
			n.argv = withOption(n.argv, "--spool", filepath.Join(f.dir, fmt.Sprint("spool-", i)))
		}
		f.nodes = append(f.nodes, n)
		if err := n.place(); err != nil {
			return err
		}
		if err := f.live(f.r.ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// nodeHost is where nodes listen. It is not the address that clients connect from, so
// that no client gets a node's port while the node is away.
const nodeHost = "127.77.0.1"

// place finds an address for a node, for good, and fills it into the command.
func (n *node) place() error {
	if len(n.argv) == 0 {
		return errors.New("bench: no command for the nodes")
	}
	var addrs [2]string
	for i := range addrs {
		l, err := net.Listen("tcp4", nodeHost+":0")
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		addrs[i] = l.Addr().String()
		if err := l.Close(); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	n.listen = addrs[0]
	argv := make([]string, len(n.argv))
	for i, a := range n.argv {
		argv[i] = strings.NewReplacer(listenWord, addrs[0], adminWord, addrs[1]).Replace(a)
	}
	n.argv = argv
	return nil
}

// live starts a node that does not run, and waits until it accepts.
func (f *checkField) live(ctx context.Context, n *node) error {
	name := fmt.Sprint("node ", n.number)
	cmd := exec.Command(n.argv[0], n.argv[1:]...)
	cmd.Stdout, cmd.Stderr = f.r.o.Log, f.r.o.Log
	p, err := spawn(name, cmd)
	if err != nil {
		return err
	}
	n.process = p
	t := target{name: name, process: p}
	return t.awaitAccept(ctx, n.listen)
}

// stop ends the nodes and the store, and removes what they wrote.
func (f *checkField) stop() error {
	var errs []error
	for _, n := range f.nodes {
		if n.process != nil {
			errs = append(errs, n.process.stop())
		}
	}
	if f.store != nil {
		errs = append(errs, f.store.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}

func (f *checkField) addrs() []string {
	var all []string
	for _, n := range f.nodes {
		all = append(all, n.listen)
	}
	return all
}

// downMax is the longest time for which something that was killed stays away.
const downMax = 400 * time.Millisecond

// faults are what can happen to the nodes and their store.
func (f *checkField) faults() []check.Fault {
	faults := []check.Fault{{Name: "node killed", Weight: 4, Do: f.kill}, {Name: "node restarted", Weight: 1, Do: f.restart}}
	if f.store != nil {
		faults = append(faults, f.store.faults()...)
	}
	return faults
}

// any is a node by chance.
func (f *checkField) any(rng *rand.Rand) *node { return f.nodes[rng.IntN(len(f.nodes))] }

// kill kills a node as a crash would, and starts it again after a while.
func (f *checkField) kill(ctx context.Context, rng *rand.Rand) (string, error) {
	n, down := f.any(rng), time.Duration(rng.Int64N(int64(downMax)))
	if err := n.cmd.Process.Kill(); err != nil {
		return "", fmt.Errorf("bench: node %d is gone already: %w", n.number, err)
	}
	<-n.ended
	time.Sleep(down)
	return fmt.Sprintf("kill -9 of node %d, away for %v", n.number, down.Round(time.Millisecond)), f.live(ctx, n)
}

// restart lets a node drain and end by itself, and starts it again.
func (f *checkField) restart(ctx context.Context, rng *rand.Rand) (string, error) {
	n := f.any(rng)
	if err := sock.Terminate(int(n.pid)); err != nil {
		return "", fmt.Errorf("bench: node %d is gone already: %w", n.number, err)
	}
	select {
	case <-n.ended:
	case <-time.After(drainedMax):
		return "", fmt.Errorf("bench: node %d still runs %v after SIGTERM", n.number, drainedMax)
	}
	if !n.cmd.ProcessState.Success() {
		return "", fmt.Errorf("bench: node %d after SIGTERM: %v", n.number, n.cmd.ProcessState)
	}
	return fmt.Sprintf("SIGTERM and restart of node %d", n.number), f.live(ctx, n)
}

// drainedMax is how long a node may take to end after SIGTERM, with --drain 300ms.
const drainedMax = 10 * time.Second
