package breaker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SourceOptions say how channels are probed.
type SourceOptions struct {
	Every time.Duration // between two probes of a channel
	Bound time.Duration // for an answer: within it, or it has failed
}

// Source is the channels to one set of data, probed side by side. It stands as the best of
// them: healthy while one is, isolated when all are, and degraded in between, as when one is
// isolated and the other slow.
type Source struct {
	o        SourceOptions
	channels []*Channel
	news     teller
	state    atomic.Uint32 // written under mu

	mu     sync.Mutex // guards the rest; a channel's lock is taken under it
	since  time.Time
	cause  string
	opened uint64
}

// Source makes one with its channels; the board shows all of them. Run probes them.
func (b *Board) Source(o SourceOptions, channels ...ChannelOptions) *Source {
	s := &Source{o: o, news: teller{tell: b.tell}, since: time.Now()}
	for _, options := range channels {
		c := newChannel(options, b.tell)
		s.channels = append(s.channels, c)
		b.add(c)
	}
	b.add(s)
	return s
}

// Channel finds one by its name; nil: there is none.
func (s *Source) Channel(name string) *Channel {
	for _, c := range s.channels {
		if c.o.Name == name {
			return c
		}
	}
	return nil
}

// Run probes until ctx is done. A channel's probes come one after the other, those of
// different channels side by side. It does not wait for a probe that ignores its context.
func (s *Source) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range s.channels {
		all.Go(func() { s.watch(ctx, c) })
	}
	all.Wait()
}

// watch probes one channel.
func (s *Source) watch(ctx context.Context, c *Channel) {
	p := prober{bound: s.o.Bound, probe: c.o.Probe}
	for {
		took, err := p.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		c.observe(took, err)
		s.settle()
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.pause(s.o.Every, took, err != nil)):
		}
	}
}

// prober asks one channel. One goroutine uses it.
type prober struct {
	bound  time.Duration
	probe  func(context.Context) error
	answer chan error // of the probe under way; nil: there is none
}

// ask makes one probe. It is back when the bound is over, whatever the probe does; while one
// hangs that was made before, it is a failure at once, and no second one hangs beside it.
func (p *prober) ask(ctx context.Context) (took time.Duration, err error) {
	if p.answer != nil {
		select {
		case <-p.answer:
		default:
			return 0, fmt.Errorf("a probe before has not come back, and %v is the limit", p.bound)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, p.bound)
	defer cancel()
	begun := time.Now()
	p.answer = make(chan error, 1)
	go func(answer chan<- error) { answer <- p.probe(bounded) }(p.answer)
	select {
	case err = <-p.answer:
		p.answer = nil
	case <-bounded.Done():
	}
	if took = time.Since(begun); took >= p.bound {
		err = fmt.Errorf("no answer within %v", p.bound)
	}
	return took, err
}

// settle finds the state of the whole.
func (s *Source) settle() {
	defer s.news.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := s.State(), Isolated
	for _, c := range s.channels {
		to = min(to, c.State()) // as the best of them
	}
	if from == to {
		return
	}
	s.since, s.cause = time.Now(), ""
	if to > from {
		s.cause = s.causes()
	}
	if to == Isolated {
		s.opened++
	}
	s.state.Store(uint32(to))
	if len(s.channels) > 1 { // one alone has told it already
		s.news.note(Change{Layer: Sources, Scope: whole, From: from, To: to, Cause: s.cause})
	}
}

// whole is the scope of a source as a whole.
const whole = "all"

// causes says what is wrong with which channel.
func (s *Source) causes() string {
	var all []string
	for _, c := range s.channels {
		all = append(all, c.shortly())
	}
	return strings.Join(all, ", ")
}

// State is how the whole stands.
func (s *Source) State() State { return State(s.state.Load()) }

func (s *Source) standing() State { return s.State() }

func (s *Source) at() Layer { return Sources }

// Status describes the whole.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{
		Layer: Sources.String(), Scope: whole, State: Sources.Name(s.State()), Since: s.since, Opened: s.opened, Cause: s.cause,
		Rule: "degraded while no channel is healthy, isolated while all are",
	}
}
