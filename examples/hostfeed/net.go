package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The columns of /proc/net/dev, proc_pid_net(5): eight of what was received, then eight of
// what was sent. The first of each are bytes.
const (
	receivedColumn = 0
	sentColumn     = 8
	linkColumns    = 16
)

// linkBytes are the counters of one interface since it was made.
type linkBytes struct{ received, sent uint64 }

type link struct {
	name  string
	bytes linkBytes
}

// linkRates are what one interface carried, in bytes per second.
type linkRates struct {
	UnixMs   int64   `json:"unixMs"`
	Received float64 `json:"received"`
	Sent     float64 `json:"sent"`
}

// parseLinks reads the interfaces of /proc/net/dev: two lines of headings, then one line
// each. The first number may stand right behind the name's colon.
func parseLinks(text string) ([]link, error) {
	var out []link
	for line := range strings.Lines(text) {
		if strings.Contains(line, "|") {
			continue // headings
		}
		colon := strings.LastIndexByte(line, ':')
		if colon < 0 {
			return nil, fmt.Errorf("%q names no interface", line)
		}
		l := link{name: strings.TrimSpace(line[:colon])}
		fields := strings.Fields(line[colon+1:])
		if len(fields) < linkColumns {
			return nil, fmt.Errorf("%s has %d columns, at least %d are needed", l.name, len(fields), linkColumns)
		}
		var err error
		if l.bytes.received, err = strconv.ParseUint(fields[receivedColumn], 10, 64); err != nil {
			return nil, fmt.Errorf("%s, received: %w", l.name, err)
		}
		if l.bytes.sent, err = strconv.ParseUint(fields[sentColumn], 10, 64); err != nil {
			return nil, fmt.Errorf("%s, sent: %w", l.name, err)
		}
		out = append(out, l)
	}
	return out, nil
}

// unused tells of an interface that never carried anything: it would be a row of zeros.
func (b linkBytes) unused() bool { return b == linkBytes{} }

// since gives the rates between two samples. Counters start again when an interface is
// made anew: then nothing is known about the interval, and the rate is 0.
func (b linkBytes) since(before linkBytes, seconds float64, unixMs int64) linkRates {
	rate := func(now, then uint64) float64 {
		if now < then || seconds <= 0 {
			return 0
		}
		return math.Round(float64(now-then) / seconds)
	}
	return linkRates{unixMs, rate(b.received, before.received), rate(b.sent, before.sent)}
}
