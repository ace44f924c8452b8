package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"throng/bench"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line. A field's tags are its flag's.
type commands struct {
	Serve     serveCmd     `cmd:"" help:"Run the server. With no flag at all it runs: embedded, in memory."`
	Publish   publishCmd   `cmd:"" help:"Publish arguments, a file, or every line of standard input."`
	Subscribe subscribeCmd `cmd:"" help:"Print events as they come; resumes by itself."`
	Bench     benchCmd     `cmd:"" help:"Measure a server: load generators that verify every event."`
	Config    configCmd    `cmd:"" help:"Show the configuration in force, or the defaults, as YAML; or check it."`
	Version   versionCmd   `cmd:"" help:"Show version, commit and Go release."`
}

// process is what a command may use of the world around it.
type process struct {
	args   []string // command line, without the program's name
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// usageError marks what the user has to put right before anything can run.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func main() {
	if status, worker := bench.WorkerMain(os.Args[1:]); worker {
		os.Exit(status)
	}
	p := &process{args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run())
}

func (p *process) run() int {
	_, ctx, err := p.parse()
	if err != nil {
		err = usageError{err}
	} else {
		err = ctx.Run(p)
	}
	if err == nil {
		return exitDone
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(p.stderr, "throng:", line)
	}
	if errors.As(err, new(usageError)) {
		fmt.Fprintln(p.stderr, `throng: "throng --help" and "throng COMMAND --help" tell what there is`)
		return exitUsage
	}
	return exitFailed
}

// parse reads flags, environment and file. Asked for help, it prints it and ends the
// process.
func (p *process) parse() (*commands, *kong.Context, error) {
	c := &commands{Serve: serveCmd{newServerFlags()}, Config: configCmd{serverFlags: newServerFlags()}, Bench: newBenchCmd()}
	k, err := kong.New(c,
		kong.Name("throng"),
		kong.Description("An event-loop push server: server-sent events with replay.\n\n"+
			"Every option is also THRONG_… in the environment (--event-bytes-max: THRONG_EVENT_BYTES_MAX)\n"+
			"and a key of the file given by --config; flags beat environment beats file."),
		kong.Writers(p.stdout, p.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }), // without the variable on each line
		kong.Vars{"url": defaultURL, "peers": peerNames()},
		kong.NamedMapper("setting", settingMapper{}),
		kong.DefaultEnvars("THRONG"),
	)
	if err != nil {
		return nil, nil, err
	}
	ctx, err := k.Parse(p.args)
	if err == nil {
		err = refuseUnknownVariables(k.Model, os.Environ())
	}
	return c, ctx, err
}
