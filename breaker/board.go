package breaker

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Board has the breakers of a process: it logs and counts their transitions and knows how
// each stands. Any goroutine may use it.
type Board struct {
	log   *slog.Logger
	count func(l Layer, to State)

	mu      sync.Mutex
	entries []entry
}

// entry is what a Board can show.
type entry interface {
	State() State
	Status() Status
	at() Layer
}

func (c *Circuit) at() Layer { return c.layer }

// NewBoard makes an empty one. count is called for each transition.
func NewBoard(log *slog.Logger, count func(l Layer, to State)) *Board {
	return &Board{log: log, count: count}
}

// Circuit makes one that the board shows.
func (b *Board) Circuit(layer Layer, scope string, rule Rule) *Circuit {
	c := NewCircuit(layer, scope, rule, b.tell)
	b.add(c)
	return c
}

func (b *Board) add(e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
}

// Drop takes a circuit from the board: its scope is gone.
func (b *Board) Drop(c *Circuit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = slices.DeleteFunc(b.entries, func(e entry) bool { return e == entry(c) })
}

// tell logs a transition with its cause and numbers.
func (b *Board) tell(c Change) {
	b.count(c.Layer, c.To)
	level := slog.LevelInfo
	if c.To == Open || c.Layer == Sources && c.To == Degraded {
		level = slog.LevelWarn
	}
	args := []any{"layer", c.Layer.String(), "from", c.Layer.Name(c.From), "to", c.Layer.Name(c.To)}
	if c.Scope != "" {
		args = append(args, "scope", c.Scope)
	}
	if c.Cause != "" {
		args = append(args, "cause", c.Cause)
	}
	if c.Numbers != (Numbers{}) {
		args = append(args, "outcomes", c.Numbers.Outcomes, "failures", c.Numbers.Failures, "failures_in_a_row", c.Numbers.InARow)
	}
	b.log.Log(context.Background(), level, "a breaker changed", args...)
}

// State is the worst state of a layer.
func (b *Board) State(l Layer) State {
	worst := Closed
	for _, e := range b.all() {
		if e.at() == l {
			worst = max(worst, e.State())
		}
	}
	return worst
}

// Look sees to it that what was open for long enough is half-open: called once a second,
// it keeps the log and the figures true where nobody asks.
func (b *Board) Look() {
	for _, e := range b.all() {
		e.State()
	}
}

// Statuses gives all breakers, ordered by layer and scope.
func (b *Board) Statuses() []Status {
	entries := b.all()
	slices.SortStableFunc(entries, func(x, y entry) int { return cmp.Compare(x.at(), y.at()) })
	list := make([]Status, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.Status())
	}
	return list
}

func (b *Board) all() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.entries)
}
