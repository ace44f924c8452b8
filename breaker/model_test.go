package breaker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// model is a circuit as its comments tell it, without a lock or a library: a list of all
// outcomes, and a look through it.
type model struct {
	rule     Rule
	state    State
	turn     int // transitions
	since    time.Time
	outcomes []outcome // while closed
	good     int       // probes
	probes   []*modelPass
}

type outcome struct {
	at  time.Time
	bad bool
}

// modelPass is a Pass in both worlds.
type modelPass struct {
	real  Pass
	turn  int
	probe bool
	begun time.Time
}

func (m *model) to(s State) {
	m.state, m.since, m.turn = s, time.Now(), m.turn+1
	m.outcomes, m.probes, m.good = nil, nil, 0
}

// look lets time do its work.
func (m *model) look() {
	if m.state == Open && time.Since(m.since) >= m.rule.OpenFor {
		m.to(HalfOpen)
	}
}

func (m *model) allow() (*modelPass, bool) {
	m.look()
	p := &modelPass{turn: m.turn, begun: time.Now()}
	switch m.state {
	case Open:
		return nil, false
	case HalfOpen:
		if m.good+len(m.probes) >= m.rule.Probes {
			m.giveUp()
		}
		if m.good+len(m.probes) >= m.rule.Probes {
			return nil, false
		}
		p.probe = true
		m.probes = append(m.probes, p)
	}
	return p, true
}

func (m *model) giveUp() {
	for len(m.probes) > 0 && time.Since(m.probes[0].begun) >= m.rule.ProbeFor {
		m.probes = m.probes[1:]
	}
}

func (m *model) count(bad bool) {
	if m.state != Closed {
		if m.state == HalfOpen && bad {
			m.to(Open)
		}
		return
	}
	m.outcomes = append(m.outcomes, outcome{time.Now(), bad})
	if bad && m.trips() {
		m.to(Open)
	}
}

// trips goes through all outcomes. The window rolls in tenths, counted from the transition.
func (m *model) trips() bool {
	row, total, failures := 0, 0, 0
	step := m.rule.Window / windowSteps
	for _, o := range m.outcomes {
		row++
		if !o.bad {
			row = 0
		}
		if step > 0 && time.Since(m.since)/step-o.at.Sub(m.since)/step >= windowSteps {
			continue
		}
		total++
		if o.bad {
			failures++
		}
	}
	if m.rule.Ratio > 0 {
		return total >= m.rule.Min && 100*failures >= int(m.rule.Ratio*100+0.5)*total
	}
	return row >= m.rule.InARow
}

// end tells of a pass: 0 good, 1 bad, 2 void.
func (m *model) end(p *modelPass, how int) {
	m.look()
	switch {
	case p.turn != m.turn:
	case !p.probe:
		if how != 2 {
			m.count(how == 1)
		}
	default:
		for i, under := range m.probes {
			if under == p {
				m.probes = append(m.probes[:i:i], m.probes[i+1:]...)
				m.conclude(how)
				return
			}
		}
	}
}

func (m *model) conclude(how int) {
	switch how {
	case 0:
		if m.good++; m.good == m.rule.Probes {
			m.to(Closed)
		}
	case 1:
		m.to(Open)
	}
}

// TestCircuit_GoesAsItsModel does things at random to both, and compares all that can be seen.
func TestCircuit_GoesAsItsModel(t *testing.T) {
	for _, rule := range []Rule{connectionRule, gatewayRule, queueRule, {InARow: 1, OpenFor: 3 * time.Second, Probes: 1}, {Ratio: 0.25, Min: 4, Window: time.Second, OpenFor: 100 * time.Millisecond, Probes: 2}} {
		for range 20 {
			seed := rand.Uint64()
			synctest.Test(t, func(t *testing.T) {
				if fault := compare(rule, rand.New(rand.NewPCG(seed, 0))); fault != "" {
					t.Errorf("%v, seed %d: %s", rule, seed, fault)
				}
			})
		}
	}
}

// compare does 3,000 things at random, with periods in which most go well, and others.
func compare(rule Rule, r *rand.Rand) (fault string) {
	changes := 0
	c := NewCircuit(Gateway, "", rule, func(Change) { changes++ })
	m := &model{rule: c.rule, since: time.Now()}
	var passes []*modelPass
	badness := 0.5
	for i := range 3000 {
		if r.IntN(100) == 0 {
			badness = r.Float64()
		}
		bad := r.Float64() < badness
		what := ""
		switch r.IntN(8) {
		case 0, 1, 2:
			real, ok := c.Allow()
			p, want := m.allow()
			if what = fmt.Sprintf("Allow %v", ok); ok != want {
				return fmt.Sprintf("%d: %s, want %v", i, what, want)
			}
			if ok {
				p.real = real
				passes = append(passes, p)
			}
		case 3, 4:
			if len(passes) > 0 {
				k := r.IntN(len(passes))
				p := passes[k]
				if r.IntN(4) > 0 { // else it may be told again
					passes = append(passes[:k:k], passes[k+1:]...)
				}
				what = endBoth(m, p, bad, r.IntN(10) == 0)
			}
		case 5:
			if m.state == Open { // it says nothing, and nobody looks
			} else if m.look(); bad {
				m.count(true)
			} else {
				m.count(false)
			}
			if what = "Succeed"; bad {
				what = "Fail"
				c.Fail(errBad)
			} else {
				c.Succeed()
			}
		case 6:
			what = "State"
			m.look()
			m.giveUp()
			c.State()
		case 7:
			time.Sleep(time.Duration(r.Int64N(int64([]time.Duration{time.Millisecond, time.Second, rule.OpenFor}[r.IntN(3)]))))
		}
		if got := c.standing(); got != m.state || changes != m.turn {
			return fmt.Sprintf("%d: after %s it is %s by %d transitions, want %s by %d", i, what, Gateway.Name(got), changes, Gateway.Name(m.state), m.turn)
		}
	}
	return ""
}

// endBoth tells of a pass. One that the model holds for over changes nothing in either.
func endBoth(m *model, p *modelPass, bad, void bool) string {
	before := m.state
	how := 0
	switch {
	case void:
		how = 2
		p.real.Void()
	case bad:
		how = 1
		p.real.Failed(errBad)
	default:
		p.real.Succeeded()
	}
	if before != Open { // open, only who asks sees that the time is over
		m.end(p, how)
	}
	return fmt.Sprintf("pass %d of turn %d, probe %v", how, p.turn, p.probe)
}

// TestCircuit_ManyAtOnce is for the race detector, and holds what must be true at any time:
// no more probes than the rule says, transitions told in their order, and a circuit that closes
// when all goes well again.
func TestCircuit_ManyAtOnce(t *testing.T) {
	const probes = 3
	var inside, told atomic.Int64
	last := Closed
	c := NewCircuit(Gateway, "", Rule{InARow: 4, OpenFor: time.Millisecond, Probes: probes}, func(x Change) {
		if x.From != last {
			t.Errorf("told of %s after %s", Gateway.Name(x.From), Gateway.Name(last))
		}
		last = x.To
		told.Add(1)
	})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 20_000 {
				switch pass, ok := c.Allow(); {
				case !ok:
					c.State()
				case pass.probe != nil:
					inside.Add(1)
					endAtRandom(pass, r)
				default:
					endAtRandom(pass, r)
				}
				if r.IntN(100) == 0 {
					c.Status()
				}
				if r.IntN(50) == 0 {
					c.Trip(errBad)
				}
			}
		})
	}
	all.Wait()
	for c.State() != Closed {
		if pass, ok := c.Allow(); ok {
			pass.Succeeded()
		}
	}
	c.news.flush()
	t.Logf("%d transitions, %d probes", told.Load(), inside.Load())
	if last != Closed || told.Load() == 0 {
		t.Errorf("the last transition told was to %s, of %d", Gateway.Name(last), told.Load())
	}
}

func endAtRandom(pass Pass, r *rand.Rand) {
	switch r.IntN(8) {
	case 0:
		pass.Failed(errBad)
	case 1:
		pass.Void()
	default:
		pass.Succeeded()
	}
}
