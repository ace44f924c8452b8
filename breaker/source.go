package breaker

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// SourceOptions say how channels are probed.
type SourceOptions struct {
	Every time.Duration // between two rounds of probes
	Bound time.Duration // for an answer, which has failed after it
}

// hurry is by how much sooner a channel is asked again that has just failed: an outage is
// known after a few probes, and each would take a whole interval.
const hurry = 5

// Source is the channels to one set of data, probed side by side. It is healthy while one
// channel is; degraded when one fails and all others are weak at least; isolated when all
// are.
type Source struct {
	o        SourceOptions
	channels []*Channel
	tell     func(Change)

	mu     sync.Mutex // guards the rest
	state  State
	since  time.Time
	opened uint64
}

// Source makes one with its channels; the board shows all of them. Run probes them.
func (b *Board) Source(o SourceOptions, channels ...ChannelOptions) *Source {
	s := &Source{o: o, tell: b.tell, since: time.Now()}
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
// different channels side by side.
func (s *Source) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range s.channels {
		all.Go(func() { s.keep(ctx, c) })
	}
	all.Wait()
}

// keep probes one channel.
func (s *Source) keep(ctx context.Context, c *Channel) {
	for {
		took, err := s.ask(ctx, c)
		if ctx.Err() != nil {
			return
		}
		c.observe(took, err)
		s.settle()
		pause := s.o.Every
		if err != nil && c.State() != Isolated {
			pause /= hurry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(pause-took, 0)):
		}
	}
}

// ask makes one probe. One that does not keep to its bound has failed; it is waited for all
// the same, so that no two of a channel are ever under way.
func (s *Source) ask(ctx context.Context, c *Channel) (time.Duration, error) {
	bounded, cancel := context.WithTimeout(ctx, s.o.Bound)
	defer cancel()
	begun := time.Now()
	err := c.o.Probe(bounded)
	took := time.Since(begun)
	if err == nil && took > s.o.Bound {
		err = fmt.Errorf("the answer took %v, and %v is the limit", took.Round(time.Millisecond), s.o.Bound)
	}
	return took, err
}

// settle finds the state of the whole.
func (s *Source) settle() {
	isolated, failing, weak := 0, 0, 0
	for _, c := range s.channels {
		f, w := c.weakness()
		if c.State() == Isolated {
			isolated++
		}
		if f {
			failing++
		}
		if w {
			weak++
		}
	}
	to := Healthy
	switch {
	case isolated == len(s.channels):
		to = Isolated
	case failing > 0 && weak == len(s.channels), len(s.channels) == 1 && weak == 1:
		to = Degraded
	}
	s.mu.Lock()
	from := s.state
	if from != to {
		s.state, s.since = to, time.Now()
		if to == Isolated {
			s.opened++
		}
	}
	s.mu.Unlock()
	if from != to && len(s.channels) > 1 {
		cause := fmt.Sprintf("%d of %d channels isolated, %d failing, %d weak", isolated, len(s.channels), failing, weak)
		s.tell(Change{Layer: Sources, Scope: "all", From: from, To: to, Cause: cause})
	}
}

// State is how the whole stands.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *Source) at() Layer { return Sources }

// Status describes the whole.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Layer: Sources.String(), Scope: "all", State: Sources.Name(s.state), Since: s.since, Opened: s.opened}
}
