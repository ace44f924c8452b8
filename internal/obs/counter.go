package obs

import (
	"sync/atomic"
)

// cacheLine is the number of bytes that processors hand to each other at once. What is
// counted by one of them shall not share a line with what another counts.
const cacheLine = 64

// A Counter only rises. Any goroutine may use it. Its zero value is ready.
type Counter struct {
	n atomic.Uint64
	f atomic.Pointer[func() uint64]
	_ [cacheLine - 16]byte
}

// Inc adds 1.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Func sets a callback whose value is added at each scrape, for what somebody else counts.
// It must never fall, and may be called by any goroutine, by several at once too.
func (c *Counter) Func(f func() uint64) { c.f.Store(&f) }

// Value is the count now.
func (c *Counter) Value() uint64 {
	n := c.n.Load()
	if f := c.f.Load(); f != nil {
		n += (*f)()
	}
	return n
}

// A Gauge rises and falls. Any goroutine may use it. Its zero value is ready.
type Gauge struct {
	n atomic.Int64
	f atomic.Pointer[func() float64]
	_ [cacheLine - 16]byte
}

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Set replaces what was added.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Func sets a callback whose value is added at each scrape, for what somebody else knows.
// It may be called by any goroutine, by several at once too.
func (g *Gauge) Func(f func() float64) { g.f.Store(&f) }

// Value is what the gauge shows now.
func (g *Gauge) Value() float64 {
	v := float64(g.n.Load())
	if f := g.f.Load(); f != nil {
		v += (*f)()
	}
	return v
}
