package breaker

import "time"

// Line tells a Limiter how a line of waiting work presses: not only by how long one waits in
// it, but by where that is going. A line adds up what comes in too much, so its length alone
// says too late that there is too much, and too late again that there is not.
//
// A wait that grows by so many seconds a second says how much more comes in than is worked
// off, to which the distance from the target is added, weakly: a controller with a derivative
// part and a proportional one, as PIE (RFC 8033, section 4.2) has.
//
// It belongs to one goroutine.
type Line struct {
	Target time.Duration // what the wait is held at
	before time.Duration
}

const (
	// lineFrom is the part of the target below which there is no line.
	lineFrom = 0.1
	// lineOver is the time in which a wait that is too long would be worked off.
	lineOver = 500 * time.Millisecond
	// lineFall is the most that a shrinking line counts, in seconds a second.
	lineFall = 0.25
)

// Pressure is that of a line in which one waits for so long, a span after the last call. While
// the wait is above its target it is not below 1.
func (l *Line) Pressure(wait, span time.Duration) float64 {
	before := l.before
	l.before = wait
	if span <= 0 || max(wait, before) <= time.Duration(lineFrom*float64(l.Target)) {
		return 0
	}
	grows := max((wait-before).Seconds()/span.Seconds(), -lineFall)
	pressure := 1 + grows + float64(wait-l.Target)/float64(lineOver)
	if wait > l.Target {
		pressure = max(pressure, 1)
	}
	return pressure
}
