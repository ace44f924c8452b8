package bench

import (
	"math"
	"strconv"
	"strings"
)

// ladders are the units that a value climbs until it is short. The factor leads from the
// rung below.
var ladders = [][]struct {
	unit   string
	factor float64
}{
	{{"ns", 1}, {"us", 1e3}, {"ms", 1e3}, {"s", 1e3}},
	{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 10}, {"GiB", 1 << 10}},
}

// climbAbove is the greatest number that stays on its rung.
const climbAbove = 9999

// readable gives the value in the unit of the same ladder that suits a reader. Other
// units stay.
func readable(value float64, unit string) (float64, string) {
	for _, ladder := range ladders {
		for i, rung := range ladder {
			if rung.unit != unit {
				continue
			}
			for math.Abs(value) > climbAbove && i+1 < len(ladder) {
				i++
				value /= ladder[i].factor
			}
			return value, ladder[i].unit
		}
	}
	return value, unit
}

// Quantity is a value with its unit, for a reader: 15 KiB, 1.20 ms. A ratio has three
// decimals and no unit.
func Quantity(value float64, unit string) string {
	if unit == ratioUnit {
		return ratio(value)
	}
	return quantity(value, unit)
}

// quantity is a value with its unit, for a reader.
func quantity(value float64, unit string) string {
	value, unit = readable(value, unit)
	return strings.TrimSpace(number(value) + " " + unit)
}

// number is a value with three digits that count, or all of its whole part, in groups
// of three.
func number(v float64) string {
	decimals := 0
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64); err == nil && v != math.Trunc(v) && math.Abs(rounded) < 100 {
		decimals = 2 - max(int(math.Floor(math.Log10(math.Abs(rounded)))), -2)
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction != "" {
		fraction = "." + fraction
	}
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + fraction
}
