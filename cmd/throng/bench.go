package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"throng/bench"
)

type benchCmd struct {
	Scenario string `arg:"" optional:"" name:"SCENARIO" env:"-" help:"What to measure, see below."`

	Server string   `group:"Server" name:"server-cmd" env:"THRONG_BENCH_SERVER_CMD" placeholder:"CMD" help:"Command of the server to start, with {listen} and {admin}; or the name of a peer. This program itself, if there is none."`
	Peer   []string `group:"Server" sep:"none" env:"THRONG_BENCH_PEER" placeholder:"NAME|CMD" help:"Server to compare with: ${peers}, which are built from the source in the working directory; a command with {listen}; or none. May be repeated."`
	Floor  string   `group:"Server" env:"THRONG_BENCH_FLOOR" placeholder:"CMD" help:"Sender in C to compare with: a command with {listen}, or none. It is built with cc, if there is one."`

	Runs    int    `group:"Results" default:"1" env:"THRONG_BENCH_RUNS" placeholder:"N" help:"Repeat everything N times, for medians and spreads."`
	JSON    bool   `group:"Results" env:"THRONG_BENCH_JSON" help:"Print the report as JSON; of several runs the summary."`
	Plot    string `group:"Results" env:"THRONG_BENCH_PLOT" placeholder:"DIR" help:"Draw charts into this directory, as PNG."`
	Record  string `group:"Results" env:"THRONG_BENCH_RECORD" placeholder:"DIR" help:"Keep environment, command, histograms and reports in this new directory."`
	Quiet   bool   `group:"Results" short:"q" env:"THRONG_BENCH_QUIET" help:"No progress on standard error."`
	Verbose bool   `group:"Results" short:"v" env:"THRONG_BENCH_VERBOSE" help:"What the servers write, too, on standard error."`
	List    bool   `env:"-" help:"Print the names of the scenarios, one a line."`

	kong.Plugins // settings of the load

	settings benchSettings // the same memory as the plugin
}

func newBenchCmd() benchCmd {
	settings, tagged := newBenchSettings()
	return benchCmd{Plugins: kong.Plugins{tagged}, settings: settings}
}

// Help lists the scenarios to kong.
func (benchCmd) Help() string {
	var b strings.Builder
	b.WriteString("Starts a server, loads it over loopback, verifies every event, and prints what it cost.\n" +
		"Exit status 1 if a count was wrong. Every option is also THRONG_BENCH_… in the environment.\n\nScenarios, and what each takes unless told otherwise:\n")
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(&b, "\n  %-10s %s\n%s\n", s.Name, s.About, wrapWords(s.Asks(), "             "))
	}
	b.WriteString(`
Examples:
  throng bench density
  throng bench fanout --streams 2000 --plot charts
  throng bench device --runs 5 --record device-today
  throng bench storm --server-cmd 'other --port {listen}' --dialect sse`)
	return b.String()
}

// wrapWords puts words into lines of 90 columns.
func wrapWords(words []string, indent string) string {
	const columns = 90
	lines := []string{indent}
	for _, w := range words {
		last := &lines[len(lines)-1]
		if len(*last) > len(indent) && len(*last)+1+len(w) > columns {
			lines = append(lines, indent+w)
			continue
		}
		if len(*last) > len(indent) {
			*last += " "
		}
		*last += w
	}
	return strings.Join(lines, "\n")
}

var (
	errCount       = errors.New("a count is wrong; see the checks")
	errInterrupted = errors.New("interrupted")
)

// Run measures; what is impossible is a usage error.
func (c *benchCmd) Run(p *process) error {
	if c.List {
		for _, s := range bench.Scenarios() {
			fmt.Fprintln(p.stdout, s.Name)
		}
		return nil
	}
	m := &measurement{process: p, cmd: c}
	if err := m.prepare(); err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "throng-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := m.build(ctx, dir); err != nil {
		return err
	}
	return m.run(ctx)
}

// measurement is one scenario on its way, once or several times.
type measurement struct {
	*process
	cmd      *benchCmd
	scenario bench.Scenario
	options  bench.Options
	record   *bench.Record // nil: none
	progress *progress     // nil: quiet
	kept     *tail         // what the servers wrote
}

// prepare reads everything that may be refused.
func (m *measurement) prepare() error {
	var known bool
	if m.scenario, known = bench.Lookup(m.cmd.Scenario); !known {
		return unknownScenario(m.cmd.Scenario)
	}
	if m.cmd.Runs < 1 {
		return fmt.Errorf("--runs: %d is refused; accepted: 1 or more", m.cmd.Runs)
	}
	err := errors.Join(m.cmd.settings.read(&m.options), m.servers())
	if err != nil {
		return err
	}
	return m.options.Check(m.scenario)
}

func unknownScenario(name string) error {
	var names []string
	for _, s := range bench.Scenarios() {
		names = append(names, s.Name)
	}
	list := strings.Join(names, ", ")
	if name == "" {
		return fmt.Errorf("SCENARIO is missing; there are %s", list)
	}
	return fmt.Errorf("there is no scenario %q; the nearest is %s, of %s", name, nearest(name, names), list)
}

// run runs as often as asked and tells what came out. A run that could not be made ends
// it; what was recorded until then stays.
func (m *measurement) run(ctx context.Context) error {
	if err := m.startRecord(ctx); err != nil {
		return err
	}
	m.startProgress()
	var reports []bench.Report
	var failed error
	for i := range m.cmd.Runs {
		if m.cmd.Runs > 1 {
			m.progress.say("run %d of %d", i+1, m.cmd.Runs)
		}
		report, err := m.scenario.Run(ctx, m.options)
		if err != nil {
			failed = err
			break
		}
		reports = append(reports, report)
		if err := m.keep(report, i+1); err != nil {
			failed = err
			break
		}
	}
	m.progress.end()
	if ctx.Err() != nil {
		failed = errInterrupted
	}
	if len(reports) > 0 {
		failed = errors.Join(failed, m.tell(reports))
	}
	if failed != nil && m.kept != nil && !errors.Is(failed, errInterrupted) {
		m.kept.write(m.stderr)
	}
	return failed
}

// keep records and draws a run.
func (m *measurement) keep(report bench.Report, number int) error {
	if m.record != nil {
		if err := m.record.Add(report); err != nil {
			return fmt.Errorf("--record: %w", err)
		}
	}
	if m.cmd.Plot == "" {
		return nil
	}
	dir := m.cmd.Plot
	if m.cmd.Runs > 1 {
		dir = filepath.Join(dir, fmt.Sprint("run-", number))
	}
	files, err := report.Plot(dir)
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	m.progress.say("drawn: %s", strings.Join(files, " "))
	return nil
}

// tell prints the result. Its error says that a count was wrong, or that it could not be
// told.
func (m *measurement) tell(reports []bench.Report) error {
	var err error
	var result interface{ Print() string }
	if m.cmd.Runs == 1 {
		result = &reports[0]
	} else {
		s := bench.Summarize(reports)
		if m.record != nil {
			err = m.record.Finish(s)
		}
		result = &s
	}
	if m.cmd.JSON {
		err = errors.Join(err, json.NewEncoder(m.stdout).Encode(result))
	} else {
		_, printed := fmt.Fprint(m.stdout, result.Print())
		err = errors.Join(err, printed)
	}
	if slices.ContainsFunc(reports, func(r bench.Report) bool { return !r.OK() }) {
		err = errors.Join(err, errCount)
	}
	return err
}

// startRecord refuses a record that is there already before anything is measured.
func (m *measurement) startRecord(ctx context.Context) (err error) {
	if m.cmd.Record == "" {
		return nil
	}
	command := append([]string{"throng"}, m.args...)
	m.record, err = bench.NewRecord(m.cmd.Record, bench.ReadEnvironment(ctx, m.options.Server), command, m.cmd.Runs)
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	return nil
}
