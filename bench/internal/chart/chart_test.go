package chart

import (
	"bytes"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"
)

// The marks of an axis must hold its values, rise, be few, and have labels of their own.
func TestTicks_HoldTheValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		low := math.Pow(10, rng.Float64()*12-6)
		high := low * (1 + math.Pow(10, rng.Float64()*10-3))
		for _, s := range []Scale{Linear, Log, Percentile, Ordinal} {
			a, b := low, high
			switch s {
			case Percentile:
				a, b = 0, 100*(1-1/(1+math.Min(high, 1e9)))
			case Ordinal:
				a, b = 1, math.Ceil(math.Min(high, 1e4))
			}
			ticks := s.ticks(a, b)
			first, last := ticks[0].at, ticks[len(ticks)-1].at
			slack := (last - first) * 1e-6
			if first > s.place(a)+slack || last < s.place(b)-slack || len(ticks) > 30 || len(ticks) < 2 {
				t.Fatalf("scale %d from %v to %v: %v", s, a, b, ticks)
			}
			for i := 1; i < len(ticks); i++ {
				if ticks[i].at <= ticks[i-1].at || ticks[i].label == ticks[i-1].label && ticks[i].label != "" {
					t.Fatalf("scale %d from %v to %v: %v", s, a, b, ticks)
				}
			}
		}
	}
}

func TestTicks_ReadWell(t *testing.T) {
	for _, c := range []struct {
		s         Scale
		low, high float64
		want      string
	}{
		{Linear, 0, 15000, "0 5,000 10,000 15,000 "},
		{Linear, 92.3, 99, "92 94 96 98 100 "},
		{Linear, 0, 0, "0 0.2 0.4 0.6 0.8 1 "},
		{Linear, 0, 3e9, "0 500M 1G 1.5G 2G 2.5G 3G "},
		{Log, 0.8, 9, "0.5 1 2 5 10 "},
		{Log, 0.03, 400, "0.02 0.1 1 10 100 500 "},
		{Percentile, 0, 99.97, "0% 50% 90% 99% 99.9% 99.99% "},
		{Ordinal, 1, 3, " 1 2 3  "},
	} {
		got := ""
		for _, t := range c.s.ticks(c.low, c.high) {
			got += t.label + " "
		}
		if got != c.want {
			t.Errorf("scale %d from %v to %v: %q, want %q", c.s, c.low, c.high, got, c.want)
		}
	}
}

func TestChart_DrawsEveryScale(t *testing.T) {
	points := [][2]float64{{1, 1}, {50, 20}, {99.9, 3000}}
	for _, x := range []Scale{Linear, Log, Percentile, Ordinal} {
		for _, y := range []Scale{Linear, Log} {
			c := Chart{Title: "title", Subtitle: "more", X: Axis{"x", x}, Y: Axis{"y", y},
				Lines: []Line{{Name: "three", Points: points}, {Name: "one", Points: points[:1], Dots: true}, {Name: "none"}}}
			var b bytes.Buffer
			if err := c.PNG(&b); err != nil {
				t.Fatalf("scales %d and %d: %v", x, y, err)
			}
			if _, err := png.Decode(&b); err != nil {
				t.Errorf("scales %d and %d: %v", x, y, err)
			}
		}
	}
}

func TestChart_RefusesWhatItCannotShow(t *testing.T) {
	for name, c := range map[string]Chart{
		"no point":       {Lines: []Line{{Name: "a"}}},
		"no line":        {},
		"no number":      {Lines: []Line{{Points: [][2]float64{{0, math.NaN()}}}}},
		"log of 0":       {Y: Axis{"", Log}, Lines: []Line{{Points: [][2]float64{{0, 0}}}}},
		"percentile 100": {X: Axis{"", Percentile}, Lines: []Line{{Points: [][2]float64{{100, 1}}}}},
		"too many lines": {Lines: make([]Line, LinesMax+1)},
	} {
		if err := c.PNG(new(bytes.Buffer)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStack_HoldsEveryPanel(t *testing.T) {
	one := Chart{Title: "one", X: Axis{Label: "x"}, Y: Axis{Label: "y"}, Lines: []Line{{Points: [][2]float64{{0, 1}, {1, 2}}}}}
	var b bytes.Buffer
	if err := Stack(&b, []Chart{one, one, one}); err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(&b)
	if err != nil || picture.Bounds().Dx() != width || picture.Bounds().Dy() != 3*panelHeight {
		t.Errorf("%v, %v", picture.Bounds(), err)
	}
	if err := Stack(&b, []Chart{one, {}}); err == nil {
		t.Error("a panel without a point: no error")
	}
}
