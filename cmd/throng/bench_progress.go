package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows a person how far a measurement is: on a terminal a bar, which leaves a
// line for each phase; elsewhere a line when a phase begins, and now and then its share.
// It is a bench.Progress. Any goroutine may write to it; what is written stands above the
// bar. A nil progress says nothing.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	tty   bool
	bar   *progressbar.ProgressBar // of the phase; nil: none is shown
	name  string                   // of the phase; empty: none
	total int64
	since time.Time     // the phase
	over  chan struct{} // closed by end
	told  time.Time     // the last line, where there is no terminal
}

const (
	barColumns = 24
	// tellInterval parts the lines of a long phase where there is no terminal.
	tellInterval = 30 * time.Second
	// barInterval parts two pictures of the bar.
	barInterval = 100 * time.Millisecond
	// tickInterval is for a bar that nobody moves.
	tickInterval = 500 * time.Millisecond
)

func newProgress(out io.Writer) *progress {
	f, isFile := out.(*os.File)
	p := &progress{out: out, tty: isFile && term.IsTerminal(int(f.Fd())), over: make(chan struct{})}
	if p.tty {
		go p.tick()
	}
	return p
}

// tick keeps the time beside the bar going while a phase has nothing to tell.
func (p *progress) tick() {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case <-p.over:
			return
		case <-t.C:
			p.mu.Lock()
			if p.bar != nil {
				p.bar.Describe(p.name) // draws it
			}
			p.mu.Unlock()
		}
	}
}

// Phase implements bench.Progress.
func (p *progress) Phase(name string, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
	p.name, p.total = name, total
	p.since = time.Now()
	p.told = p.since
	if !p.tty {
		fmt.Fprintf(p.out, "throng: %s\n", name)
		return
	}
	limit := total
	if limit <= 0 {
		limit = -1
	}
	p.bar = progressbar.NewOptions64(limit,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(name),
		progressbar.OptionSetWidth(barColumns),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetPredictTime(total > 0),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionThrottle(barInterval),
		progressbar.OptionSetSpinnerChangeInterval(0), // or it would draw from a goroutine of its own
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionClearOnFinish(),
	)
}

// Step implements bench.Progress.
func (p *progress) Step(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		if p.total > 0 {
			done = min(done, p.total-1) // the end is told by the next phase
		}
		_ = p.bar.Set64(done)
		return
	}
	if now := time.Now(); p.total > 0 && now.Sub(p.told) >= tellInterval {
		p.told = now
		fmt.Fprintf(p.out, "throng: %s: %d %%\n", p.name, 100*done/p.total)
	}
}

// finish ends the phase.
func (p *progress) finish() {
	if p.name == "" {
		return
	}
	if p.bar != nil {
		_ = p.bar.Finish() // a terminal that is gone is no reason to stop measuring
		_ = p.bar.Clear()
		p.bar = nil
		fmt.Fprintf(p.out, "%s, %s\n", p.name, time.Since(p.since).Round(barInterval))
	}
	p.name = ""
}

// say writes a line.
func (p *progress) say(format string, args ...any) {
	if p != nil {
		fmt.Fprintf(p, "throng: "+format+"\n", args...)
	}
}

// Write puts lines above the bar.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		return p.out.Write(b)
	}
	_ = p.bar.Clear()
	n, err := p.out.Write(b)
	_ = p.bar.RenderBlank()
	return n, err
}

// end leaves the terminal as it should be.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
	close(p.over)
}

// startProgress says where a run's progress and its servers' words go.
func (m *measurement) startProgress() {
	if !m.cmd.Quiet {
		m.progress = newProgress(m.stderr)
		m.options.Progress = m.progress
	}
	if m.cmd.Verbose {
		m.options.Log = m.stderr
		if m.progress != nil {
			m.options.Log = m.progress
		}
		return
	}
	m.kept = new(tail)
	m.options.Log = m.kept
}

// tail keeps the last lines of what is written to it, for the case that a run fails.
type tail struct {
	mu   sync.Mutex
	last []byte
}

const tailBytesMax = 16 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - tailBytesMax; over > 0 {
		t.last = t.last[over:]
		if end := bytes.IndexByte(t.last, '\n'); end >= 0 {
			t.last = t.last[end+1:]
		}
	}
	return len(b), nil
}

func (t *tail) write(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) > 0 {
		fmt.Fprintf(w, "throng: the last that bench and servers said:\n%s", t.last)
	}
}
