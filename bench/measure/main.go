// Command measure runs one scenario of package bench against a server that it starts:
//
//	measure SCENARIO [flags]
//
// Exit status: 0 done and every count right, 1 failed or a count wrong, 2 usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"throng/bench"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// settings are the flags that are no Options of a scenario.
type settings struct {
	serverCmd, peerCmd string
	noPeer, noFloor    bool
	json               bool
	record             string
	quiet              bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("measure", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var s settings
	var o bench.Options
	define(fs, &s, &o)
	fs.Usage = func() { usage(fs) }
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fs.Usage()
		if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
			return 0
		}
		return exitUsage
	}
	scenario, ok := bench.Lookup(args[0])
	if !ok {
		fmt.Fprintf(stderr, "measure: no scenario %q; measure --help lists them\n", args[0])
		return exitUsage
	}
	err := fs.Parse(args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	case fs.NArg() > 0:
		fmt.Fprintf(stderr, "measure: unexpected argument %q\n", fs.Arg(0))
		return exitUsage
	}
	if !s.quiet {
		o.Log = stderr
	}
	if err := measure(ctx, scenario, s, o, append([]string{"measure"}, args...), stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return 0
}

func define(fs *flag.FlagSet, s *settings, o *bench.Options) {
	fs.StringVar(&s.serverCmd, "server-cmd", "", "command of the server, with {listen} and {admin}; default: build ./cmd/throng and serve")
	fs.StringVar(&s.peerCmd, "peer-cmd", "", "command of the server to compare with, with {listen}; default: build ./bench/peers/nethttp")
	fs.BoolVar(&s.noPeer, "no-peer", false, "do not compare with net/http")
	fs.BoolVar(&s.noFloor, "no-floor", false, "do not compare with the send() loop in C")
	fs.BoolVar(&s.json, "json", false, "print the report as JSON")
	fs.StringVar(&s.record, "record", "", "write env.json, command.txt and report.json to this new directory")
	fs.BoolVar(&s.quiet, "quiet", false, "no progress and no server output on standard error")
	fs.IntVar(&o.Streams, "streams", 0, "subscriptions held at once")
	fs.IntVar(&o.StreamsLow, "streams-low", 0, "density: the first step")
	fs.IntVar(&o.Stalled, "stalled", 0, "stall: readers that never read")
	fs.IntVar(&o.Connections, "connections", 0, "handover: connections in all")
	fs.IntVar(&o.Events, "events", 0, "events published, a phase")
	fs.IntVar(&o.PayloadBytes, "payload", 0, "data of an event, bytes")
	fs.IntVar(&o.Pairs, "pairs", 0, "pairs of phases")
	fs.DurationVar(&o.Interval, "interval", 0, "time between publishes, open loop")
	fs.DurationVar(&o.Duration, "duration", 0, "length of the measured part")
	fs.StringVar(&o.Pacing, "pacing", "", "fanout: lockstep, burst or interval")
	fs.IntVar(&o.Sources, "sources", 0, "client addresses 127.0.0.1, .2, …")
	fs.Uint64Var(&o.Seed, "seed", 0, "of everything random")
}

func usage(fs *flag.FlagSet) {
	out := fs.Output()
	fmt.Fprint(out, "usage: measure SCENARIO [flags]\n\nScenarios:\n")
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(out, "  %-10s %s\n", s.Name, s.About)
	}
	fmt.Fprint(out, "\nFlags (a zero takes the scenario's default):\n")
	fs.PrintDefaults()
}

// errCount says that the run was made and a count was wrong.
var errCount = errors.New("measure: a count is wrong, see the checks")

func measure(ctx context.Context, scenario bench.Scenario, s settings, o bench.Options, command []string, stdout io.Writer) error {
	dir, err := os.MkdirTemp("", "throng-measure-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(ctx, dir, scenario.Name, s, &o); err != nil {
		return err
	}
	env := bench.ReadEnvironment(ctx, o.Server)
	report, err := scenario.Run(ctx, o)
	if err != nil {
		return err
	}
	if s.record != "" {
		if err := bench.WriteRecord(s.record, env, command, report); err != nil {
			return err
		}
	}
	if s.json {
		err = json.NewEncoder(stdout).Encode(report)
	} else {
		err = report.Print(stdout)
	}
	if err == nil && !report.OK() {
		err = errCount
	}
	return err
}

// prepare builds what the scenario runs and was not given.
func prepare(ctx context.Context, dir, scenario string, s settings, o *bench.Options) error {
	var err error
	if o.Server = strings.Fields(s.serverCmd); len(o.Server) == 0 {
		if o.Server, err = bench.BuildServer(ctx, dir); err != nil {
			return err
		}
	}
	if scenario == "device" && !s.noPeer {
		if o.Peer = strings.Fields(s.peerCmd); len(o.Peer) == 0 {
			if o.Peer, err = bench.BuildPeer(ctx, dir); err != nil {
				return err
			}
		}
	}
	if scenario == "fanout" && !s.noFloor {
		o.Floor, err = bench.BuildFloor(ctx, dir)
	}
	return err
}
