package bench

import (
	"math"
	"strings"
)

// Series is points of a curve, in the order in which they were measured. A name of the
// form "chart: line" puts the line into a chart with the others of that chart, which
// share its axes; another name is a chart with one line.
type Series struct {
	Name   string       `json:"name"`
	XLabel string       `json:"xLabel"` // with the unit: "time, s"
	YLabel string       `json:"yLabel"`
	Points [][2]float64 `json:"points"` // x, y
	// Picture is the file that the charts of several series share, as panels one above the
	// other; empty: each chart has its own.
	Picture string `json:"picture,omitempty"`
	// Log gives the chart an upright axis on which each decade has the same length.
	Log bool `json:"log,omitempty"`

	stride, skipped int // of stride samples one is kept
}

// seriesPointsMax bounds a series: about a point for each pixel of a chart.
const seriesPointsMax = 1024

// chart is the part of the name before the colon, line what follows.
func (s *Series) chart() (chart, line string) {
	chart, line, _ = strings.Cut(s.Name, ": ")
	return chart, line
}

// add keeps a point. When the series is full it drops every other one and goes on with
// half as many.
func (s *Series) add(x, y float64) {
	if s.skipped++; s.skipped < s.stride {
		return
	}
	s.skipped = 0
	if len(s.Points) == seriesPointsMax {
		kept := s.Points[:0]
		for i := 1; i < seriesPointsMax; i += 2 {
			kept = append(kept, s.Points[i])
		}
		s.Points, s.stride = kept, 2*max(s.stride, 1)
	}
	s.Points = append(s.Points, [2]float64{x, y})
}

// axis labels the axes of a series; the unit belongs to a label ("time, s"). Labels of a
// series that gets no sample are forgotten.
func (r *Report) axis(series, xLabel, yLabel string) {
	s := r.series(series)
	s.XLabel, s.YLabel = xLabel, yLabel
}

// sample adds a point to a series; one without a value is left out. One goroutine at a
// time may use a report.
func (r *Report) sample(series string, x, y float64) {
	if !math.IsNaN(x+y) && !math.IsInf(x+y, 0) {
		r.series(series).add(x, y)
	}
}

func (r *Report) series(name string) *Series {
	for i := range r.Series {
		if r.Series[i].Name == name {
			return &r.Series[i]
		}
	}
	r.Series = append(r.Series, Series{Name: name})
	return &r.Series[len(r.Series)-1]
}
