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

	mu      sync.Mutex // no other lock is taken under it
	entries [layerCount][]entry
}

// entry is what a Board can show.
type entry interface {
	State() State
	Status() Status
	standing() State // as somebody saw it last; takes no lock
	at() Layer
}

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
	b.entries[e.at()] = append(b.entries[e.at()], e)
}

// Drop takes a circuit from the board: its scope is gone.
func (b *Board) Drop(c *Circuit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := &b.entries[c.layer]
	if i := slices.Index(*list, entry(c)); i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
}

// tell logs a transition with its cause and numbers.
func (b *Board) tell(c Change) {
	b.count(c.Layer, c.To)
	level := slog.LevelInfo
	if c.To == Open || c.Layer == Sources && c.To > c.From {
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

// State is the worst state of a layer. It is cheap while nothing is open, however many
// breakers there are.
func (b *Board) State(l Layer) State {
	worst := Closed
	for _, e := range b.notClosed(l) {
		worst = max(worst, e.State())
	}
	return worst
}

// Look sees to it that what was open for long enough is half-open, and that lost probes are
// given up: called once a second, it keeps the log and the figures true where nobody asks.
func (b *Board) Look() {
	for l := range layerCount {
		for _, e := range b.notClosed(l) {
			e.State()
		}
	}
}

// notClosed gives those of a layer that time alone may change.
func (b *Board) notClosed(l Layer) (due []entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries[l] {
		if e.standing() != Closed {
			due = append(due, e)
		}
	}
	return due
}

// Statuses gives all breakers, ordered by layer and scope.
func (b *Board) Statuses() []Status {
	b.mu.Lock()
	entries := b.entries
	for l := range entries {
		entries[l] = slices.Clone(entries[l])
	}
	b.mu.Unlock()
	list := []Status{} // JSON: never null
	for _, of := range entries {
		begin := len(list)
		for _, e := range of {
			list = append(list, e.Status())
		}
		slices.SortFunc(list[begin:], func(x, y Status) int { return cmp.Compare(x.Scope, y.Scope) })
	}
	return list
}
