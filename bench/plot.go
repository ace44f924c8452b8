package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"throng/bench/internal/chart"
)

// Plot draws what a report holds, as PNG files in dir, which it makes: a chart for each
// group of series, latencies over a percentile axis, and the pairs of each comparison. It
// gives the names of the files. A file of the same name is replaced.
func (r *Report) Plot(dir string) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range r.charts() {
		path := filepath.Join(dir, p.name+".png")
		if err := drawFile(path, p); err != nil {
			return files, fmt.Errorf("%s: %w", path, err)
		}
		files = append(files, path)
	}
	return files, nil
}

// picture is a chart and the name of its file, without its ending.
type picture struct {
	name string
	chart.Chart
	shared string        // Series.Picture
	panels []chart.Chart // below the first; they share the file
}

// PNG draws all of it.
func (p picture) PNG(w io.Writer) error {
	if len(p.panels) == 0 {
		return p.Chart.PNG(w)
	}
	return chart.Stack(w, append([]chart.Chart{p.Chart}, p.panels...))
}

func (r *Report) charts() []picture {
	all := append(stacked(r.Scenario, r.seriesCharts()), r.latencyCharts()...)
	for _, c := range contests(r.Comparisons) {
		all = append(all, c.picture(r.Scenario))
	}
	seen := make(map[string]int)
	for i := range all {
		p := &all[i]
		if seen[p.name]++; seen[p.name] > 1 {
			p.name += fmt.Sprint("-", seen[p.name])
		}
	}
	return all
}

// seriesCharts puts lines of one chart together.
func (r *Report) seriesCharts() (all []picture) {
	index := make(map[string]int)
	for _, s := range r.Series {
		if len(s.Points) == 0 {
			continue
		}
		title, line := s.chart()
		i, known := index[title]
		if !known || len(all[i].Lines) == chart.LinesMax {
			i = len(all)
			index[title] = i
			all = append(all, picture{name: tag(r.Scenario + " " + title), shared: s.Picture, Chart: chart.Chart{
				Title: r.Scenario + ": " + title, X: chart.Axis{Label: s.XLabel}, Y: chart.Axis{Label: s.YLabel}}})
		}
		if s.Log {
			all[i].Y.Scale = chart.Log
		}
		all[i].Lines = append(all[i].Lines, chart.Line{Name: line, Points: s.Points})
	}
	return all
}

// stacked puts the charts that share a picture into the first of them.
func stacked(scenario string, charts []picture) (all []picture) {
	index := make(map[string]int)
	for _, p := range charts {
		i, known := index[p.shared]
		switch {
		case p.shared == "":
			all = append(all, p)
		case known:
			all[i].panels = append(all[i].panels, p.Chart)
		default:
			index[p.shared] = len(all)
			p.name = tag(scenario + " " + p.shared)
			all = append(all, p)
		}
	}
	return all
}

// logAbove is the ratio of greatest to least value from which a latency axis is
// logarithmic.
const logAbove = 20

// latencyCharts shows each latency from its median's side to its greatest value, on an
// axis that gives every further nine the same room.
func (r *Report) latencyCharts() (all []picture) {
	var low, high float64
	some := slices.DeleteFunc(slices.Clone(r.Latencies), func(l Latency) bool { return l.histogram == nil || l.histogram.TotalCount() == 0 })
	charts := (len(some) + chart.LinesMax - 1) / chart.LinesMax
	for i, l := range some {
		if each := (len(some) + charts - 1) / charts; i%each == 0 {
			low, high = 0, 0
			all = append(all, picture{name: tag(r.Scenario + " latency"), Chart: chart.Chart{
				Title: r.Scenario + ": latency by percentile",
				X:     chart.Axis{Label: "percentile", Scale: chart.Percentile}, Y: chart.Axis{Label: "latency, ms"}}})
		}
		p := &all[len(all)-1]
		line := chart.Line{Name: fmt.Sprintf("%s (%s values, max %s)", l.Name,
			number(float64(l.histogram.TotalCount())), quantity(float64(l.histogram.Max())/1e3, "us")), Points: l.curve()}
		for _, point := range line.Points {
			if low == 0 || point[1] < low {
				low = point[1]
			}
			high = max(high, point[1])
		}
		p.Lines = append(p.Lines, line)
		if low > 0 && high/low > logAbove {
			p.Y.Scale = chart.Log
		}
	}
	return all
}

// curveSteps is the number of points a halving of what is left above a percentile gets.
const curveSteps = 8

// curve is percentiles and milliseconds. It ends with the last percentile that has a
// value of its own: of a thousand values that is 99.9.
func (l *Latency) curve() (points [][2]float64) {
	last := 100 * (1 - 1/float64(l.histogram.TotalCount()))
	for _, b := range l.histogram.CumulativeDistributionWithTicks(curveSteps) {
		if b.Quantile <= last {
			points = append(points, [2]float64{b.Quantile, float64(b.ValueAt) / 1e6})
		}
	}
	if n := len(points); n > 0 && points[n-1][0] < last {
		points = append(points, [2]float64{last, float64(l.histogram.ValueAtQuantile(last)) / 1e6})
	}
	return points
}

func drawFile(path string, p picture) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(p.PNG(f), f.Close())
}
