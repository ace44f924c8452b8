package chart

import (
	"math"
	"strconv"
	"strings"
)

// Scale says how values lie on an axis.
type Scale int

const (
	// Linear axes begin at zero or, if all values lie far from it, near the least.
	Linear Scale = iota
	// Log axes have the same length for each decade. All values must be above 0.
	Log
	// Percentile axes give each further nine the same length, as HdrHistogram's own
	// charts do: 0, 90, 99, 99.9 … Values are percentiles below 100.
	Percentile
	// Ordinal axes count: 1, 2, 3 …
	Ordinal
)

// tick is a mark of an axis, at a place on it.
type tick struct {
	at    float64
	label string
}

// place gives where a value lies, in units of the axis.
func (s Scale) place(v float64) float64 {
	switch s {
	case Log:
		return math.Log10(v)
	case Percentile:
		return -math.Log10(1 - v/100)
	}
	return v
}

// ticks gives the marks of an axis that has to hold the values from low to high, from
// its one end to its other.
func (s Scale) ticks(low, high float64) []tick {
	switch s {
	case Log:
		return logTicks(low, high)
	case Percentile:
		return percentileTicks(high)
	case Ordinal:
		return ordinalTicks(low, high)
	}
	return linearTicks(low, high)
}

// intervals is about how many parts an axis has.
const intervals = 6

// linearTicks are multiples of 1, 2 or 5 times a power of ten.
func linearTicks(low, high float64) []tick {
	if low > 0 && low < high*2/3 {
		low = 0
	}
	if high <= low {
		high = low + math.Max(1, math.Abs(low)/10)
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/intervals)))
	for _, m := range []float64{2, 2.5, 2} { // 2, 5, 10
		if (high-low)/step > intervals {
			step *= m
		}
	}
	var all []tick
	for i := math.Floor(low/step + 1e-9); ; i++ {
		all = append(all, tick{i * step, text(i*step, step)})
		if i*step >= high-step*1e-9 {
			return all
		}
	}
}

// logTicks are 1, 2 and 5 times the powers of ten; over many decades only the powers,
// and the two ends.
func logTicks(low, high float64) []tick {
	const decadesInFull = 3
	var all []tick
	for decade := math.Floor(math.Log10(low)); decade <= math.Ceil(math.Log10(high)); decade++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, decade)
			all = append(all, tick{math.Log10(v), text(v, v)})
		}
	}
	from, to := 0, len(all)-1
	for from+1 < to && all[from+1].at <= math.Log10(low) {
		from++
	}
	for to-1 > from && all[to-1].at >= math.Log10(high) {
		to--
	}
	if all[to].at-all[from].at <= decadesInFull {
		return all[from : to+1]
	}
	few := all[from : from+1 : from+1]
	for i := from + 1; i < to; i++ {
		if i%3 == 0 { // a power of ten
			few = append(few, all[i])
		}
	}
	return append(few, all[to])
}

// ordinalTicks has a mark for each number, or for every tenth or hundredth of many, and
// half a step of room at both ends.
func ordinalTicks(low, high float64) []tick {
	const manyMarks = 20
	step := 1.0
	for (high-low)/step > manyMarks {
		step *= 10
	}
	all := []tick{{low - step/2, ""}}
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		all = append(all, tick{v, text(v, 1)})
	}
	return append(all, tick{high + step/2, ""})
}

// percentileTicks goes from 0 to the first nines above high.
func percentileTicks(high float64) []tick {
	all := []tick{{0, "0%"}, {Percentile.place(50), "50%"}}
	for nines := 1; ; nines++ {
		label := "90%"
		if nines > 1 {
			label = "99%"
		}
		if nines > 2 {
			label = "99." + strings.Repeat("9", nines-2) + "%"
		}
		all = append(all, tick{float64(nines), label})
		if float64(nines) >= Percentile.place(high) {
			return all
		}
	}
}

// text writes a value with the decimals that its step needs.
func text(v, step float64) string {
	for _, big := range []struct {
		from float64
		unit string
	}{{1e9, "G"}, {1e6, "M"}} {
		if step >= big.from/100 && math.Abs(v) >= big.from {
			return strconv.FormatFloat(v/big.from, 'f', -1, 64) + big.unit
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	return whole
}
