package breaker

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// The rules of the server's three circuits, as its options have them by default.
var (
	connectionRule = Rule{Ratio: 0.6, Min: 20, Window: 10 * time.Second, OpenFor: 30 * time.Second, Probes: 5}
	gatewayRule    = Rule{InARow: 5, OpenFor: 30 * time.Second, Probes: 3}
	queueRule      = Rule{InARow: 5, OpenFor: time.Second, Probes: 10}
)

var errBad = errors.New("it went wrong")

// count tells a circuit of so many outcomes, the good ones first.
func count(c *Circuit, good, bad int) State {
	for range good {
		c.Succeed()
	}
	for range bad {
		c.Fail(errBad)
	}
	return c.State()
}

func TestCircuit_Thresholds(t *testing.T) {
	for _, x := range []struct {
		rule      Rule
		good, bad int
		want      State
	}{
		{connectionRule, 0, 19, Closed},
		{connectionRule, 0, 20, Open},
		{connectionRule, 9, 11, Closed}, // 55 %
		{connectionRule, 8, 12, Open},   // 60 %
		{connectionRule, 41, 59, Closed},
		{connectionRule, 40, 60, Open},
		{connectionRule, 4001, 5999, Closed},
		{Rule{Ratio: 0.55, Min: 20, Window: time.Second}, 9, 11, Open}, // 0.55 · 20 is a bit above 11 as a float64
		{Rule{Ratio: 1, Min: 1, Window: time.Second}, 0, 1, Open},
		{Rule{Ratio: 1, Min: 1, Window: time.Second}, 1, 1000, Closed},
		{gatewayRule, 0, 4, Closed},
		{gatewayRule, 0, 5, Open},
		{gatewayRule, 1000, 5, Open},
		{queueRule, 0, 4, Closed},
		{queueRule, 0, 5, Open},
		{Rule{}, 0, 1000, Closed},
		{Rule{InARow: 3, Ratio: 0.5, Min: 100, Window: time.Second}, 50, 3, Open},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := count(NewCircuit(Queue, "", x.rule, nil), x.good, x.bad); got != x.want {
				t.Errorf("%v: %d good, %d bad: %s", x.rule, x.good, x.bad, Queue.Name(got))
			}
		})
	}
}

func TestCircuit_OldFailuresRollOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCircuit(Connection, "", connectionRule, nil)
		count(c, 0, 19)
		time.Sleep(10*time.Second - 1)
		if n := c.Status().Numbers.Failures; n != 19 {
			t.Errorf("%d failures within the window, want 19", n)
		}
		time.Sleep(time.Nanosecond)
		if n := c.Status().Numbers; n != (Numbers{}) {
			t.Errorf("after the window there is still %+v", n)
		}
		if count(c, 0, 1) != Closed {
			t.Error("a failure opened it whose 19 companions are out of the window")
		}
		// One a second, half of them good: at most ten in the window, for ever.
		for i := range 100 {
			time.Sleep(time.Second)
			if count(c, i%2, 1-i%2) != Closed {
				t.Fatal("it opened by failures that were never within one window")
			}
		}
	})
}

func TestCircuit_HalfOpenAfterExactly(t *testing.T) {
	for _, rule := range []Rule{connectionRule, gatewayRule, queueRule} {
		synctest.Test(t, func(t *testing.T) {
			c := NewCircuit(Gateway, "", rule, nil)
			c.Trip(errBad)
			time.Sleep(rule.OpenFor - 1)
			if _, ok := c.Allow(); ok || c.State() != Open {
				t.Error("a probe passed too early")
			}
			time.Sleep(time.Nanosecond)
			if c.State() != HalfOpen {
				t.Errorf("it is %s when its time is over", Gateway.Name(c.State()))
			}
			var passes []Pass
			for range rule.Probes {
				pass, ok := c.Allow()
				if !ok {
					t.Fatal("a probe was refused")
				}
				passes = append(passes, pass)
			}
			if _, ok := c.Allow(); ok {
				t.Error("one probe too many")
			}
			for i, pass := range passes {
				if c.State() != HalfOpen {
					t.Errorf("closed after %d good probes", i)
				}
				pass.Succeeded()
				pass.Succeeded() // counts once
			}
			if c.State() != Closed {
				t.Errorf("it is %s after %d good probes", Gateway.Name(c.State()), len(passes))
			}
		})
	}
}

func TestCircuit_OutcomeOfBeforeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCircuit(Gateway, "", gatewayRule, nil)
		old, _ := c.Allow()
		count(c, 0, 5)
		time.Sleep(30 * time.Second)
		probe, _ := c.Allow()
		old.Failed(errBad)
		if c.State() != HalfOpen {
			t.Fatal("what passed before the circuit opened decided a probing")
		}
		probe.Failed(errBad)
		time.Sleep(30 * time.Second)
		for range 3 {
			pass, _ := c.Allow()
			pass.Succeeded()
		}
		count(c, 0, 4)
		old.Failed(errBad)
		probe.Failed(errBad)
		if c.State() != Closed {
			t.Error("what passed two openings ago opened it")
		}
		old.Succeeded()
		if count(c, 0, 1) != Open {
			t.Error("an old success ended a row of failures")
		}
	})
}

func TestCircuit_LostProbeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCircuit(Queue, "", queueRule, nil)
		c.Trip(errBad)
		time.Sleep(time.Second)
		var lost []Pass
		for range 10 {
			pass, _ := c.Allow()
			lost = append(lost, pass)
		}
		time.Sleep(probeForLeast - 1)
		if _, ok := c.Allow(); ok {
			t.Error("probes were given up too early")
		}
		time.Sleep(time.Nanosecond)
		for range 10 {
			pass, ok := c.Allow()
			if !ok {
				t.Fatal("lost probes keep the circuit half-open")
			}
			pass.Succeeded()
		}
		lost[0].Failed(errBad)
		if c.State() != Closed {
			t.Errorf("it is %s", Queue.Name(c.State()))
		}
	})
}

func TestPass_ZeroAndNil(t *testing.T) {
	Pass{}.Succeeded()
	Pass{}.Failed(nil)
	Pass{}.Void()
	c := NewCircuit(Queue, "", Rule{InARow: 2, OpenFor: time.Hour}, nil)
	pass, _ := c.Allow()
	pass.Failed(nil)
	c.Fail(nil)
	if s := c.Status(); s.State != "open" || s.Cause != errNoReason.Error() {
		t.Errorf("failures without a reason: %+v", s)
	}
}

// Whoever is told of a transition may look at the circuit, and use it: no lock is held.
func TestCircuit_TellMayUseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		var c *Circuit
		c = NewCircuit(Queue, "", Rule{InARow: 1, OpenFor: time.Second}, func(x Change) {
			told = append(told, fmt.Sprintf("%s→%s", Queue.Name(x.From), Queue.Name(x.To)))
			c.Status()
			if x.To == HalfOpen && len(told) < 4 {
				c.Fail(errBad)
			}
		})
		c.Fail(errBad)
		time.Sleep(time.Second)
		c.State()
		want := "[closed→open open→half-open half-open→open]"
		if fmt.Sprint(told) != want {
			t.Errorf("told %v, want %s", told, want)
		}
	})
}
