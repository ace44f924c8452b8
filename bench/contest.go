package bench

import (
	"fmt"
	"strings"

	"throng/bench/internal/chart"
)

// contest is comparisons of one side with several others in the same turns.
type contest []Comparison

// contests puts comparisons together that stand beside each other and have a side and its
// numbers in common.
func contests(all []Comparison) (out []contest) {
	for _, c := range all {
		if n := len(out); n > 0 && len(out[n-1]) < chart.LinesMax-1 && out[n-1][0].sharesSide(c) {
			out[n-1] = append(out[n-1], c)
			continue
		}
		out = append(out, contest{c})
	}
	return out
}

func (c *Comparison) sharesSide(o Comparison) bool {
	if c.Name != o.Name || c.SideA != o.SideA || c.Unit != o.Unit || len(c.Pairs) != len(o.Pairs) {
		return false
	}
	for i, p := range c.Pairs {
		if p.A != o.Pairs[i].A {
			return false
		}
	}
	return true
}

// side is what one side of a contest measured, turn by turn, in the unit of the contest.
type side struct {
	name   string
	values []float64
}

// sides are all of a contest, the common one first, with the unit that suits a reader.
func (c contest) sides() (all []side, unit string) {
	first := side{name: c[0].SideA}
	greatest := 0.0
	for _, p := range c[0].Pairs {
		first.values = append(first.values, p.A)
		greatest = max(greatest, p.A)
	}
	all = append(all, first)
	for _, o := range c {
		other := side{name: o.SideB}
		for _, p := range o.Pairs {
			other.values = append(other.values, p.B)
			greatest = max(greatest, p.B)
		}
		all = append(all, other)
	}
	shown, unit := readable(greatest, c[0].Unit)
	if greatest > 0 {
		for _, s := range all {
			for i := range s.values {
				s.values[i] *= shown / greatest
			}
		}
	}
	return all, unit
}

func (c contest) table() string {
	sides, unit := c.sides()
	t := newTable()
	head := []string{withUnit(c[0].Name, unit)}
	for _, s := range sides {
		head = append(head, s.name)
	}
	t.row(head...)
	for i := range c[0].Pairs {
		row := []string{fmt.Sprintf("  turn %d", i+1)}
		for _, s := range sides {
			row = append(row, number(s.values[i]))
		}
		t.row(row...)
	}
	middle, spread := []string{"  ratio to each, median", ""}, []string{"  min to max", ""}
	for _, o := range c {
		middle, spread = append(middle, ratio(o.Median)), append(spread, ratio(o.Min)+" to "+ratio(o.Max))
	}
	t.row(middle...)
	t.row(spread...)
	return t.String()
}

// picture has a dot for each side and turn.
func (c contest) picture(scenario string) picture {
	sides, unit := c.sides()
	p := picture{name: tag(scenario + " " + c[0].Name), Chart: chart.Chart{
		Title: scenario + ": " + c[0].Name,
		X:     chart.Axis{Label: "turn", Scale: chart.Ordinal}, Y: chart.Axis{Label: withUnit(c[0].Name, unit)}}}
	var ratios []string
	for _, o := range c {
		ratios = append(ratios, fmt.Sprintf("to %s %s (%s to %s)", o.SideB, ratio(o.Median), ratio(o.Min), ratio(o.Max)))
	}
	p.Subtitle = fmt.Sprintf("ratio of %s, median (min to max): %s", c[0].SideA, strings.Join(ratios, ", "))
	for _, s := range sides {
		l := chart.Line{Name: s.name + ", median " + strings.TrimSpace(number(median(s.values))+" "+unit), Dots: true}
		for i, v := range s.values {
			l.Points = append(l.Points, [2]float64{float64(i + 1), v})
		}
		p.Lines = append(p.Lines, l)
	}
	return p
}

func withUnit(name, unit string) string { return strings.TrimSuffix(name+", "+unit, ", ") }
