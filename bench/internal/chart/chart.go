package chart

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-analyze/charts/chartdraw"
	"github.com/go-analyze/charts/chartdraw/drawing"
)

// Chart is lines that share two axes.
type Chart struct {
	Title    string
	Subtitle string // what else a reader has to know: sizes, medians
	X, Y     Axis
	Lines    []Line
}

// Axis says what it shows, with the unit, and how.
type Axis struct {
	Label string
	Scale Scale
}

// Line is points joined in their order. A line of one point is a dot.
type Line struct {
	Name   string
	Points [][2]float64 // x, y
	Dots   bool         // mark each point
}

// Pixels, and points of type.
const (
	width, height   = 1200, 720
	margin          = 28
	titlePoints     = 15
	textPoints      = 11
	titleLine       = 30
	legendLine      = 21
	legendMark      = 28
	lineWidth       = 2.5
	dotWidth        = 4
	legendTextBelow = 5 // of a letter's middle
)

var (
	ink   = drawing.ColorFromHex("222222")
	faint = drawing.ColorFromHex("dddddd")
	// inks are Okabe and Ito's colours, which the colour-blind can tell apart, yellow
	// left out.
	inks = []drawing.Color{
		drawing.ColorFromHex("0072b2"), drawing.ColorFromHex("d55e00"), drawing.ColorFromHex("009e73"),
		drawing.ColorFromHex("cc79a7"), drawing.ColorFromHex("e69f00"), drawing.ColorFromHex("56b4e9"), drawing.ColorFromHex("000000"),
	}
)

// LinesMax is how many lines a chart can show in colours of their own.
var LinesMax = len(inks)

// errNothing is the answer to a chart without a point.
var errNothing = errors.New("chart: there is no point to draw")

// PNG draws the chart. A value that its axis cannot show is an error, and so are more
// lines than LinesMax.
func (c Chart) PNG(w io.Writer) error { return c.draw(w, height) }

// draw draws the chart in so many rows of pixels.
func (c Chart) draw(w io.Writer, height int) error {
	x, y := newBounds(), newBounds()
	if len(c.Lines) > LinesMax {
		return fmt.Errorf("chart: %d lines; at most %d are good", len(c.Lines), LinesMax)
	}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if !x.add(c.X.Scale, p[0]) || !y.add(c.Y.Scale, p[1]) {
				return fmt.Errorf("chart: %s: the point %v does not fit the axes", l.Name, p)
			}
		}
	}
	if x.low > x.high {
		return errNothing
	}
	picture := chartdraw.Chart{
		Width: width, Height: height,
		Background: chartdraw.Style{Padding: chartdraw.Box{
			Top: margin + c.head(), Left: margin, Right: margin + 20, Bottom: margin, IsSet: true}},
		YAxis: chartdraw.YAxis{Style: chartdraw.Hidden(), Range: &chartdraw.ContinuousRange{Max: 1}}, // on the right
	}
	label, grid := style(textPoints, ink), chartdraw.Style{StrokeColor: faint, StrokeWidth: 1}
	picture.XAxis = chartdraw.XAxis{Name: c.X.Label, NameStyle: label, Style: label, GridMajorStyle: grid, GridMinorStyle: grid}
	picture.YAxisSecondary = chartdraw.YAxis{NameStyle: chartdraw.Hidden(), Style: label, GridMajorStyle: grid, GridMinorStyle: grid}
	for _, t := range c.X.Scale.ticks(x.low, x.high) {
		picture.XAxis.Ticks = append(picture.XAxis.Ticks, chartdraw.Tick{Value: t.at, Label: t.label})
	}
	marks := c.Y.Scale.ticks(y.low, y.high)
	if c.Y.Scale == Linear && marks[0].at > 0 {
		c.Y.Label += " (the axis does not begin at 0)"
	}
	for _, t := range marks {
		picture.YAxisSecondary.Ticks = append(picture.YAxisSecondary.Ticks, chartdraw.Tick{Value: t.at, Label: t.label})
	}
	picture.Elements = []chartdraw.Renderable{c.drawHead}
	for i, l := range c.Lines {
		if len(l.Points) > 0 {
			picture.Series = append(picture.Series, c.curve(l, inks[i]))
		}
	}
	return picture.Render(chartdraw.PNG, w)
}

func (c Chart) curve(l Line, color drawing.Color) chartdraw.Series {
	s := chartdraw.ContinuousSeries{Name: l.Name, YAxis: chartdraw.YAxisSecondary,
		Style: chartdraw.Style{StrokeColor: color, StrokeWidth: lineWidth}}
	if l.Dots || len(l.Points) == 1 {
		s.Style.DotColor, s.Style.DotWidth = color, dotWidth
	}
	for _, p := range l.Points {
		s.XValues = append(s.XValues, c.X.Scale.place(p[0]))
		s.YValues = append(s.YValues, c.Y.Scale.place(p[1]))
	}
	return s
}

// legend is the lines that have to be named: a single one without a name is what the
// title says.
func (c Chart) legend() []Line {
	if len(c.Lines) == 1 && c.Lines[0].Name == "" {
		return nil
	}
	return c.Lines
}

// head is the height of what stands above the axes.
func (c Chart) head() int {
	n := titleLine + legendLine*(len(c.legend())+1) + legendLine/2 // one for the label of the axis
	if c.Subtitle != "" {
		n += legendLine
	}
	return n
}

// drawHead writes the title, the legend, a line for each curve since names are whole
// phrases, and the upright axis's label.
func (c Chart) drawHead(r chartdraw.Renderer, _ chartdraw.Box, defaults chartdraw.Style) {
	write := func(text string, points float64, x, y int) {
		chartdraw.Draw.Text(r, text, x, y, style(points, ink).InheritFrom(defaults))
	}
	y := margin + titlePoints
	write(c.Title, titlePoints, margin, y)
	y += titleLine
	if c.Subtitle != "" {
		write(c.Subtitle, textPoints, margin, y)
		y += legendLine
	}
	for i, l := range c.legend() {
		r.SetStrokeColor(inks[i])
		r.SetStrokeWidth(lineWidth + 1)
		r.MoveTo(margin, y-legendTextBelow)
		r.LineTo(margin+legendMark, y-legendTextBelow)
		r.Stroke()
		write(l.Name, textPoints, margin+legendMark+8, y)
		y += legendLine
	}
	write(c.Y.Label, textPoints, margin, y+legendLine/2)
}

func style(points float64, color drawing.Color) chartdraw.Style {
	return chartdraw.Style{FontStyle: chartdraw.FontStyle{FontSize: points, FontColor: color}, StrokeColor: color, StrokeWidth: 1}
}

// bounds are the least and the greatest value of an axis.
type bounds struct{ low, high float64 }

func newBounds() bounds { return bounds{math.Inf(1), math.Inf(-1)} }

// add says whether the axis can show v.
func (b *bounds) add(s Scale, v float64) bool {
	b.low, b.high = math.Min(b.low, v), math.Max(b.high, v)
	place := s.place(v)
	return !math.IsNaN(place) && !math.IsInf(place, 0)
}
