package ringbuf

import (
	"fmt"
	"strings"
)

// Strategy is how a goroutine waits at a [Gate]: the sooner it wakes, the more
// processor time it burns meanwhile.
type Strategy int

const (
	// Block parks the goroutine until a signal: no processor time while
	// waiting, a wake-up through the scheduler. The zero value, and the only
	// choice when more goroutines wait than there are cores.
	Block Strategy = iota
	// Yield offers the processor to other goroutines and looks again: wakes
	// within one turn of the scheduler and keeps a core busy.
	Yield
	// Sleep looks again after naps that double from sleepMin to SleepMax:
	// almost no processor time, wakes late by one nap at most.
	Sleep
	// Spin looks again and again, with a yield after every spinBurst looks:
	// wakes soonest and takes a core for itself.
	Spin
)

// strategyNames holds the accepted names in the order of the constants.
var strategyNames = [...]string{Block: "block", Yield: "yield", Sleep: "sleep", Spin: "spin"}

// ParseStrategy returns the strategy called name, in lower case as String
// writes it. The error names what is accepted.
func ParseStrategy(name string) (Strategy, error) {
	for i, n := range strategyNames {
		if n == name {
			return Strategy(i), nil
		}
	}
	return 0, fmt.Errorf("ringbuf: wait strategy %q: want one of %s", name, strings.Join(strategyNames[:], ", "))
}

// String returns the strategy's name, as ParseStrategy accepts it.
func (s Strategy) String() string {
	if !s.valid() {
		return fmt.Sprintf("Strategy(%d)", int(s))
	}
	return strategyNames[s]
}

func (s Strategy) valid() bool { return s >= 0 && int(s) < len(strategyNames) }
