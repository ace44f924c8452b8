package bench

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// What the goals of overload are.
const (
	goalSlower   = 2.0  // p99 of accepted work, of its reference
	goalGoodput  = 85.0 // percent of the peak
	goalRecovery = 10 * time.Second
	// goalSustained is what has to be served of the reference, percent: it is 80 % of the
	// peak, and arrivals at random moments leave some of it to the end.
	goalSustained = 95.0
	goodputLeft   = 0.95 // of the goodput without breakers
	// recoveredWindows is how many looks in a row must be normal.
	recoveredWindows = 3

	// A generator that begins its work later than this, at its 99th percentile, or that is
	// busy for more of the time, measures itself.
	// Half of the period of its quota is what a server may be late by itself.
	generatorLate      = quotaPeriod / 2
	generatorLateShare = 0.2 // of the reference's p99, where that is more
	generatorShare     = 0.9
)

// Phases of a result.
const (
	atReference = iota
	atOverload
	atAfter
)

// tell reports all turns: figures and latencies of the last pair, comparisons of all.
func (o *overloadRun) tell() {
	for _, load := range o.loads() {
		var goodput, slow []measured
		for _, s := range o.sides {
			g, p := measured{side: s.name}, measured{side: s.name}
			for _, r := range o.of(load, s.name) {
				g.values = append(g.values, 100*r.phases[atOverload].work)
				p.values = append(p.values, float64(r.p99(atOverload))/1e3)
				o.verify(r)
				o.judge(r)
			}
			goodput, slow = append(goodput, g), append(slow, p)
			o.describe(o.last(load, s.name))
		}
		o.report.compareAll("goodput under overload of "+load+", of the peak", "%", goodput)
		o.report.compareAll("p99 of accepted work under overload of "+load, "us", slow)
		o.compareSides(load)
		o.draw(load)
	}
}

// of gives the results of a load and a side, pair by pair.
func (o *overloadRun) of(load, side string) (all []*overloadResult) {
	for _, r := range o.results {
		if r.load == load && r.side == side {
			all = append(all, r)
		}
	}
	return all
}

func (o *overloadRun) last(load, side string) *overloadResult {
	all := o.of(load, side)
	return all[len(all)-1]
}

// verify adds what must hold on any machine. What a server without breakers does to its
// clients is counted, and no fault of the run.
func (o *overloadRun) verify(r *overloadResult) {
	rep := &o.report
	var lost, cut int64
	for _, p := range r.phases {
		for _, t := range p.tallies {
			lost, cut = lost+t.lost, cut+t.cut
		}
	}
	rep.figure(r.name("closed without an answer"), float64(lost), "")
	rep.figure(r.name("streams that the server closed"), float64(cut)+float64(r.gone), "")
	rep.figure(r.name("gaps told to the audience"), float64(r.gaps), "")
	rep.check(r.name("publishes taken and not delivered, or delivered and not taken"), 0, r.unknown)
	if !r.on {
		return
	}
	rep.check(r.name("connections closed without an answer"), 0, lost)
	rep.check(r.name("streams that the server closed"), 0, cut+int64(r.gone))
	rep.check(r.name("events delivered to the audience"), r.ticks, r.tickGot)
}

// judge compares a result with the goals, and says whether it can be trusted.
func (o *overloadRun) judge(r *overloadResult) {
	rep, ref, over := &o.report, r.phases[atReference], r.phases[atOverload]
	for _, p := range r.phases[:atAfter] {
		late := p.late.ValueAtQuantile(99)
		if most := max(int64(generatorLate), int64(generatorLateShare*float64(r.p99(atReference)))); late > most {
			rep.invalid("%s: the generator was late in the %s: p99 %s, at most %s", r.name("pair "+fmt.Sprint(r.pair+1)), p.name, timeText(late), timeText(most))
		}
		if p.own > generatorShare {
			rep.invalid("%s: the generator was busy for %.0f %% of the %s", r.name("pair "+fmt.Sprint(r.pair+1)), 100*p.own, p.name)
		}
	}
	if name, speed := o.farthest(r); !o.o.short() && math.Abs(speed-1) > speedOff {
		rep.invalid("%s: in the %s the machine was at %.0f %% of its speed while the peak was found", r.name("pair "+fmt.Sprint(r.pair+1)), name, 100*speed)
	}
	share := 100 * ref.work / overloadCalm
	if !r.on {
		if share < goalSustained {
			rep.invalid("%s: of the reference %.0f %% were served: the peak was taken too high", r.name("pair "+fmt.Sprint(r.pair+1)), share)
		}
		return
	}
	rep.goalNumber(r.name("reference, served of what was offered"), share, goalSustained, 0, "%")
	for k, kind := range kinds(r.load) {
		before, now := ref.tallies[k], over.tallies[k]
		rep.goalTime(r.name("p99 of accepted "+kind), now.accepted.ValueAtQuantile(99), int64(goalSlower*float64(before.accepted.ValueAtQuantile(99))), now.accepted.TotalCount())
		if kind == loadPublishes {
			rep.goalTime(r.name("p99 of their delivery"), now.delivery.ValueAtQuantile(99), int64(goalSlower*float64(before.delivery.ValueAtQuantile(99))), now.delivery.TotalCount())
		}
	}
	rep.goalTime(r.name("p99 of the audience's events"), over.audience.ValueAtQuantile(99), int64(goalSlower*float64(ref.audience.ValueAtQuantile(99))), over.audience.TotalCount())
	rep.goalNumber(r.name("goodput, of the peak"), 100*over.work, goalGoodput, 0, "%")
	rep.goalNumber(r.name("VmRSS, first to last third of the overload"), over.rssHigh, 0, over.rssLow*(1+flatShare)+o.o.memoryMore, "B")
	seconds, again := r.recovery()
	if !again {
		rep.goal(r.name("normal again"), "within "+goalRecovery.String(), fmt.Sprintf("not within %.1f s", r.phases[atAfter].length), false)
		return
	}
	rep.goal(r.name("normal again"), "within "+goalRecovery.String(), fmt.Sprintf("after %.1f s", seconds), seconds <= goalRecovery.Seconds())
}

// compareSides says whether the breakers are of use.
func (o *overloadRun) compareSides(load string) {
	if len(o.sides) < 2 {
		return
	}
	on, off := o.last(load, o.sides[0].name), o.last(load, o.sides[1].name)
	slower := float64(off.p99(atOverload)) / float64(max(on.p99(atOverload), 1))
	o.report.goal(load+": without breakers accepted work is slower", "p99 more than 1 times", number(slower)+" times", slower > 1)
	goodput := [2]float64{100 * on.phases[atOverload].work, 100 * off.phases[atOverload].work}
	o.report.goal(load+": breakers cost no goodput", fmt.Sprintf("at least %.0f %%, nearly that without", goodputLeft*goodput[1]),
		fmt.Sprintf("%.0f %%", goodput[0]), goodput[0] >= goodputLeft*goodput[1])
}

// describe adds the figures and latencies of a result.
func (o *overloadRun) describe(r *overloadResult) {
	rep := &o.report
	for i, p := range r.phases[:atAfter] {
		for k, kind := range kinds(r.load) {
			t, at := p.tallies[k], r.part(kind, p.name)
			rep.figure(at+", offered", float64(t.offered)/p.length, "1/s")
			rep.figure(at+", accepted", float64(t.served)/p.length, "1/s")
			if kind == loadConnections {
				rep.latency(at+": connect to head", t.accepted)
				rep.latency(at+": a client's first connect until it is served", t.whole)
			} else {
				rep.latency(at+": due to answer", t.accepted)
				rep.latency(at+": due to delivery", t.delivery)
			}
			if i == atOverload {
				o.refusals(at, t, p.length)
			}
		}
		rep.latency(r.name(p.name+": audience, due to delivery"), p.audience)
		rep.figure(r.name(p.name+", work, of the peak"), 100*p.work, "%")
		rep.figure(r.name(p.name+", server CPU, of one processor"), 100*float64(p.spent.process)/float64(p.spent.at), "%")
		rep.figure(r.name(p.name+", time in which the generator had something to do"), 100*p.own, "%")
		rep.figure(r.name(p.name+", the generator's lateness, p99"), float64(p.late.ValueAtQuantile(99))/1e3, "us")
		rep.figure(r.name(p.name+", the machine's speed, of that while the peak was found"), 100*o.speed(r.load, p), "%")
		rep.figure(r.name(p.name+", server's greatest VmRSS"), p.rssMost, "B")
	}
	rep.figure(r.name("ticks that the server refused"), float64(r.ticksRefused), "")
	if seconds, again := r.recovery(); again {
		rep.figure(r.name("normal again after"), seconds, "s")
	}
	if r.spans > 0 {
		rep.figure(r.name("periods in which the server had used up its share"), 100*float64(r.throttled)/float64(r.spans), "%")
	}
	if len(r.notes) > 0 {
		rep.note("%s", r.name(strings.Join(r.notes, "; ")))
	}
}

// refusals adds what became of the work that was not accepted.
func (o *overloadRun) refusals(at string, t *outcomes, length float64) {
	rep := &o.report
	for _, told := range t.answers() {
		rep.figure(at+", refused with "+told, float64(t.told[told])/length, "1/s")
	}
	rep.figure(at+", left unheard by the server's kernel", float64(t.unheard)/length, "1/s")
	rep.figure(at+", held back after a refusal", float64(t.heldBack)/length, "1/s")
	rep.figure(at+", attempts", float64(t.attempts)/length, "1/s")
	rep.figure(at+", given up without an answer", float64(t.unanswered)/length, "1/s")
	rep.figure(at+", not sent: the client was still busy, or had no descriptor", float64(t.unsent)/length, "1/s")
	if t.givenUp > 0 {
		rep.figure(at+", answers after which an EventSource never comes back", float64(t.givenUp)/length, "1/s")
	}
}
