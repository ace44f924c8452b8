package bench

// overloadPanel is one chart of the picture of a load: a line for each side.
type overloadPanel struct {
	name, label string
	log         bool // values of 0 are left out
	value       func(w overloadWindow) float64
}

var overloadPanels = []overloadPanel{
	{"work", "% of the peak", false, func(w overloadWindow) float64 { return 100 * w.served }},
	{"p99 of accepted work", "ms", true, func(w overloadWindow) float64 { return float64(w.p99) / 1e6 }},
	{"p99 of the audience's events", "ms", true, func(w overloadWindow) float64 { return float64(w.audience) / 1e6 }},
	{"memory", "VmRSS, MiB", false, func(w overloadWindow) float64 { return w.rss / (1 << 20) }},
	{"processors", "% of one processor", false, func(w overloadWindow) float64 { return 100 * w.cpu }},
}

// draw adds the series of a load: the last pair of turns over each other. Sides come first
// in each panel, so that they have the same colours everywhere.
func (o *overloadRun) draw(load string) {
	line := func(panel overloadPanel, name string, r *overloadResult, value func(w overloadWindow) float64) {
		name = "overload of " + load + ", " + panel.name + ": " + name
		o.report.axis(name, "time since the overload began, s", panel.label)
		s := o.report.series(name)
		s.Picture, s.Log = load, panel.log
		for _, w := range r.windows {
			if v := value(w); v > 0 || !panel.log {
				o.report.sample(name, float64(w.at-r.started)/1e9, v)
			}
		}
	}
	for i, panel := range overloadPanels {
		for _, s := range o.sides {
			line(panel, s.name, o.last(load, s.name), panel.value)
		}
		first := o.last(load, o.sides[0].name)
		switch i {
		case 0:
			line(panel, "offered", first, func(w overloadWindow) float64 { return 100 * w.offered })
		case len(overloadPanels) - 1:
			line(panel, "generator, busy, "+first.side, first, func(w overloadWindow) float64 { return 100 * w.own })
		}
	}
}
