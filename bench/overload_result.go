package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// overloadResult is what came out of one turn.
type overloadResult struct {
	side, load       string
	on               bool
	pair             int
	phases           []*overloadPhase // reference, overload, after
	windows          []overloadWindow
	started, ended   int64 // of the overload, ns
	ticks            int64 // that the audience had to get
	tickGot          int64
	ticksRefused     int64
	gaps, gone       int
	unknown          int64 // publishes that were taken and never delivered, or the other way round
	throttled, spans int64
	notes            []string
}

// overloadPhase is one part of a turn.
type overloadPhase struct {
	name      string
	length    float64 // s
	tallies   []*outcomes
	work      float64                 // served in time, of the peak
	late      *hdrhistogram.Histogram // the generator's own lateness
	audience  *hdrhistogram.Histogram
	spent     usage
	pace      float64 // a round's time, ns
	own       float64 // part of the time in which the generator had something to do
	rssLow    float64 // median of its first third, bytes
	rssHigh   float64 // of its last
	rssMost   float64
	rssSeries []float64
}

// overloadWindow is one look.
type overloadWindow struct {
	at              int64 // its end, ns
	length          float64
	offered, served float64 // of the peak; served in time
	p99             int64   // ns, of accepted work of all kinds; 0: none
	audience        int64
	rss, cpu, own   float64
}

// sum takes what the looks of a phase have seen.
func (p *overloadPhase) sum(windows []overloadWindow) {
	var length float64
	for _, w := range windows {
		p.work += w.served * w.length
		length += w.length
		p.rssSeries = append(p.rssSeries, w.rss)
		p.rssMost = max(p.rssMost, w.rss)
	}
	p.work /= max(length, 1e-9)
	p.rssLow, p.rssHigh = thirds(p.rssSeries)
}

// name is a figure of the result's own.
func (r *overloadResult) name(what string) string { return r.load + ", " + r.side + ": " + what }

// part is a figure of one kind of work in a phase.
func (r *overloadResult) part(kind, phase string) string {
	if r.load == kind {
		return r.name(phase)
	}
	return r.name(kind + ", " + phase)
}

// p99 of accepted work in a phase, ns; of two kinds that of the slower.
func (r *overloadResult) p99(phase int) int64 {
	var worst int64
	for _, t := range r.phases[phase].tallies {
		worst = max(worst, t.accepted.ValueAtQuantile(99))
	}
	return worst
}

// recovery is the time from the end of the overload until the windows are normal: p99 and
// goodput as the goals have them under overload.
func (r *overloadResult) recovery() (seconds float64, again bool) {
	most, row := int64(goalSlower*float64(r.p99(atReference))), 0
	for _, w := range r.windows {
		if w.at <= r.ended {
			continue
		}
		if w.p99 == 0 || w.p99 > most || w.served < goalGoodput/100*w.offered {
			row = 0
			continue
		}
		if row++; row == 1 {
			seconds = max(float64(w.at-r.ended)/1e9-w.length, 0)
		}
		if row == recoveredWindows {
			return seconds, true
		}
	}
	return 0, false
}
