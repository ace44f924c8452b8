package breaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// play is one story under way.
type play struct {
	t       *testing.T
	mu      sync.Mutex // guards out, quiet, changes and the dependencies: probers use them too
	out     bytes.Buffer
	quiet   bool // count transitions, and write nothing
	changes map[string]int
	begun   time.Time
	board   *Board
	circuit *Circuit
	passes  map[string]Pass
	source  *Source
	options SourceOptions
	list    []ChannelOptions
	deps    map[string]*dependency
}

func newPlay(t *testing.T) *play {
	p := &play{t: t, begun: time.Now(), changes: map[string]int{}, passes: map[string]Pass{}, deps: map[string]*dependency{}}
	p.board = NewBoard(slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{ReplaceAttr: p.attribute})), func(l Layer, to State) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changes["to "+l.Name(to)]++
	})
	return p
}

// Write takes the log's lines.
func (p *play) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet {
		return len(line), nil
	}
	return p.out.Write(line)
}

// attribute writes virtual time, and leaves out what is the same in all lines.
func (p *play) attribute(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey:
		return slog.Duration("at", time.Since(p.begun))
	case slog.MessageKey:
		return slog.Attr{}
	}
	return a
}

// note writes a line with the time, unless many are to come.
func (p *play) note(format string, args ...any) {
	fmt.Fprintf(p, "at=%v %s\n", time.Since(p.begun), fmt.Sprintf(format, args...))
}

// counting writes nothing while something happens, but the transitions that there were.
func (p *play) counting(happen func()) {
	silence := func(on bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.quiet = on; on {
			p.changes = map[string]int{}
		}
	}
	silence(true)
	happen()
	silence(false)
	p.note("transitions %v", p.changes)
}

// do does one command.
func (p *play) do(args []string) {
	rest := strings.Join(args[1:], " ")
	switch args[0] {
	case "circuit": // LAYER KEY=VALUE…
		o := p.values(args[2:])
		p.circuit = p.board.Circuit(Layer(indexOf(p.t, Layers(), args[1])), "", Rule{
			InARow: o.count("row"), Ratio: float64(o.count("percent")) / 100, Min: o.count("min"),
			Window: o.span("window"), OpenFor: o.span("open"), Probes: o.count("probes"), ProbeFor: o.span("probe"),
		})
	case "fail", "succeed": // N CAUSE
		n, _ := strconv.Atoi(args[1])
		for range n {
			if args[0] == "succeed" {
				p.circuit.Succeed()
			} else {
				p.circuit.Fail(errors.New(strings.Join(args[2:], " ")))
			}
		}
	case "trip":
		p.circuit.Trip(errors.New(rest))
	case "ask": // NAME…
		for _, name := range args[1:] {
			pass, ok := p.circuit.Allow()
			p.passes[name] = pass
			p.note("%s %s", name, map[bool]string{true: "passes", false: "is refused"}[ok])
		}
	case "good", "bad", "void": // NAME…
		for _, name := range args[1:] {
			switch pass := p.passes[name]; args[0] {
			case "good":
				pass.Succeeded()
			case "bad":
				pass.Failed(fmt.Errorf("%s went wrong", name))
			case "void":
				pass.Void()
			}
		}
	case "work": // DURATION PATTERN
		p.counting(func() { p.work(args[1], args[2]) })
	case "wait":
		p.wait(rest)
	case "status":
		for _, s := range p.board.Statuses() {
			text, _ := json.Marshal(s)
			fmt.Fprintf(p, "%s\n", text)
		}
	default:
		p.doSource(args)
	}
}

// wait lets time go by; the board is looked at once a second, as the server does.
func (p *play) wait(d string) {
	span, err := time.ParseDuration(d)
	if err != nil {
		p.t.Fatal(err)
	}
	for end := time.Now().Add(span); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		synctest.Wait()
		p.board.Look()
	}
}

// work asks the circuit every 10 ms for a time, whose seconds go as the letters of pattern
// say, again and again: g good, b bad, a one after the other. It counts the transitions.
func (p *play) work(d, pattern string) {
	span, err := time.ParseDuration(d)
	if err != nil {
		p.t.Fatal(err)
	}
	passed := 0
	for i := range int(span / (10 * time.Millisecond)) {
		kind := pattern[i/100%len(pattern)]
		pass, ok := p.circuit.Allow()
		if ok {
			passed++
		}
		if kind == 'b' || kind == 'a' && i%2 == 1 {
			pass.Failed(errors.New("it went wrong"))
		} else {
			pass.Succeeded()
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.changes["passed, in percent"] = 100 * passed * int(10*time.Millisecond) / int(span)
}

// doSource does the commands of a source.
func (p *play) doSource(args []string) {
	switch args[0] {
	case "source":
		o := p.values(args[1:])
		p.options = SourceOptions{Every: o.span("every"), Bound: o.span("bound")}
	case "channel": // NAME KEY=VALUE…
		o := p.values(args[2:])
		d := &dependency{play: p, name: args[1]}
		p.deps[d.name] = d
		p.list = append(p.list, ChannelOptions{
			Name: d.name, Probe: d.probe, Slow: o.span("slow"), Failures: o.count("failures"),
			IsolatedFor: o.span("isolated"), Probes: o.count("probes"), Ramp: o.span("ramp"),
		})
	case "run":
		p.source = p.board.Source(p.options, p.list...)
		ctx, cancel := context.WithCancel(p.t.Context())
		ended := make(chan struct{})
		p.t.Cleanup(func() { cancel(); <-ended })
		go func() { defer close(ended); p.source.Run(ctx) }()
		synctest.Wait()
	case "set": // NAME answers DURATION | NAME fails DURATION CAUSE | NAME cycles DURATION PATTERN | NAME hangs
		p.deps[args[1]].set(args[2:])
	case "count": // DURATION: lets it go by, and counts the transitions
		p.counting(func() { p.wait(args[1]) })
	case "share": // NAME: how much of its work a channel is given now
		let := 0
		for range 1000 {
			if p.source.Channel(args[1]).Allow() {
				let++
			}
		}
		p.note("%s is given %d of 1000", args[1], let)
	default:
		p.t.Fatalf("no command %q", args[0])
	}
}

// dependency is what a channel probes.
type dependency struct {
	play  *play
	name  string
	after time.Duration
	cause string
	hangs chan struct{} // closed: it goes on
	cycle string        // of letters g and b, one for each probe
	asked int
}

func (d *dependency) set(args []string) {
	d.play.mu.Lock()
	defer d.play.mu.Unlock()
	if d.hangs != nil {
		close(d.hangs)
	}
	d.cause, d.hangs, d.cycle = "", nil, ""
	switch args[0] {
	case "hangs":
		d.hangs = make(chan struct{})
		d.play.t.Cleanup(func() {
			if d.hangs != nil {
				close(d.hangs)
			}
		})
		return
	case "cycles":
		d.cycle, d.asked = args[2], 0
	case "fails":
		d.cause = strings.Join(args[2:], " ")
	}
	d.after, _ = time.ParseDuration(args[1])
}

// probe ignores its context when it hangs.
func (d *dependency) probe(ctx context.Context) error {
	after, cause, hangs := d.next()
	if hangs != nil {
		d.play.note("%s hangs", d.name)
		<-hangs
		return nil
	}
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return ctx.Err()
	}
	if cause != "" {
		d.play.note("%s: %s", d.name, cause)
		return errors.New(cause)
	}
	d.play.note("%s answers after %v", d.name, after)
	return nil
}

// next is how the next probe goes.
func (d *dependency) next() (after time.Duration, cause string, hangs chan struct{}) {
	d.play.mu.Lock()
	defer d.play.mu.Unlock()
	cause = d.cause
	if d.cycle != "" && d.cycle[d.asked%len(d.cycle)] == 'b' {
		cause = "it went wrong"
	}
	d.asked++
	return d.after, cause, d.hangs
}

// options are KEY=VALUE.
type options struct {
	t    *testing.T
	pair map[string]string
}

func (p *play) values(args []string) options {
	o := options{p.t, map[string]string{}}
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		o.pair[key] = value
	}
	return o
}

func (o options) count(key string) int { n, _ := strconv.Atoi(o.pair[key]); return n }

func (o options) span(key string) time.Duration {
	d, err := time.ParseDuration(o.pair[key])
	if err != nil && o.pair[key] != "" {
		o.t.Fatal(err)
	}
	return d
}

func indexOf(t *testing.T, list []string, name string) int {
	for i, x := range list {
		if x == name {
			return i
		}
	}
	t.Fatalf("%q is none of %v", name, list)
	return 0
}
