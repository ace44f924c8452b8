package ringbuf

import (
	"strings"
	"testing"
)

var strategies = []Strategy{Block, Yield, Sleep, Spin}

func TestParseStrategy_RoundTrips(t *testing.T) {
	for _, s := range strategies {
		if got, err := ParseStrategy(s.String()); err != nil || got != s {
			t.Errorf("%v: got %v, error %v", s, got, err)
		}
	}
}

func TestParseStrategy_NamesWhatIsAccepted(t *testing.T) {
	for _, name := range []string{"", "Block", "busy", "Strategy(1)"} {
		_, err := ParseStrategy(name)
		if err == nil || !strings.Contains(err.Error(), "want one of block, yield, sleep, spin") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestStrategy_UnknownPrintsItsNumber(t *testing.T) {
	for s, want := range map[Strategy]string{-1: "Strategy(-1)", 4: "Strategy(4)"} {
		if s.String() != want {
			t.Errorf("got %q, want %q", s.String(), want)
		}
	}
}

func TestNewGate_UnknownStrategyPanics(t *testing.T) {
	requirePanic(t, "Strategy(4)", func() { NewGate(Spin + 1) })
}
