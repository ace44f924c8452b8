package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The columns of a CPU's line in /proc/stat, proc(5): times in ticks since boot. The two
// that follow, guest and guest_nice, are part of user and nice already.
const (
	user = iota
	nice
	system
	idle
	iowait
	irq
	softirq
	steal
	columns
)

// cpuTimes are the counters of one CPU, in ticks.
type cpuTimes [columns]uint64

type cpu struct {
	number int
	times  cpuTimes
}

// cpuShares say how one CPU spent an interval, as shares from 0 to 1.
type cpuShares struct {
	UnixMs int64   `json:"unixMs"`
	Busy   float64 `json:"busy"`   // all but idle and iowait
	User   float64 `json:"user"`   // programs, niced ones and guests included
	System float64 `json:"system"` // the kernel, interrupts included
	IOWait float64 `json:"iowait"` // idle with a disk at work
	Steal  float64 `json:"steal"`  // taken by the hypervisor
}

var errNoCPU = errors.New("there is no line for a CPU")

// parseStat reads the lines cpu0, cpu1, … of /proc/stat. A CPU that is off has none.
func parseStat(text string) ([]cpu, error) {
	var out []cpu
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "cpu") || fields[0] == "cpu" {
			continue
		}
		number, err := strconv.Atoi(fields[0][len("cpu"):])
		if err != nil {
			return nil, fmt.Errorf("%q is no CPU: %w", fields[0], err)
		}
		if len(fields) < 1+columns {
			return nil, fmt.Errorf("%s has %d columns, at least %d are needed", fields[0], len(fields)-1, columns)
		}
		c := cpu{number: number}
		for i := range c.times {
			if c.times[i], err = strconv.ParseUint(fields[1+i], 10, 64); err != nil {
				return nil, fmt.Errorf("%s, column %d: %w", fields[0], i+1, err)
			}
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errNoCPU
	}
	return out, nil
}

// since gives the shares of the time between two samples. A counter that ran backwards
// (proc(5) says that iowait may) counts as one that stood still.
func (c cpuTimes) since(before cpuTimes, unixMs int64) cpuShares {
	var ticks [columns]float64
	total := 0.0
	for i := range c {
		if c[i] > before[i] {
			ticks[i] = float64(c[i] - before[i])
			total += ticks[i]
		}
	}
	share := func(t float64) float64 {
		if total == 0 {
			return 0 // no tick has passed
		}
		return math.Round(t/total*1e4) / 1e4 // a second has 100 ticks: more digits would be noise
	}
	return cpuShares{
		UnixMs: unixMs,
		Busy:   share(total - ticks[idle] - ticks[iowait]),
		User:   share(ticks[user] + ticks[nice]),
		System: share(ticks[system] + ticks[irq] + ticks[softirq]),
		IOWait: share(ticks[iowait]),
		Steal:  share(ticks[steal]),
	}
}
