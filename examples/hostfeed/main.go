package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// intervalMin bounds how often /proc is read: its counters advance by hundredths of a second.
const intervalMin = 100 * time.Millisecond

func main() {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	flag.StringVar(&name, "name", name, "`host`'s name in the topics")
	interval := flag.Duration("interval", time.Second, "time between two readings, at least "+intervalMin.String())
	page := flag.String("page", "", "serve the page that shows the readings on this `address`, such as 127.0.0.1:8090")
	flag.Parse()
	if flag.NArg() > 0 || *interval < intervalMin {
		fmt.Fprintf(os.Stderr, "hostfeed: no arguments are taken, and -interval is %v or more\n", intervalMin)
		os.Exit(2)
	}
	if err := run(name, *interval, *page); err != nil {
		fmt.Fprintln(os.Stderr, "hostfeed:", err)
		os.Exit(1)
	}
}

// run serves the page, if there is to be one, and writes readings until that fails. A
// reader that goes away ends the process by SIGPIPE, as in every pipe.
func run(name string, interval time.Duration, page string) error {
	if page != "" {
		if err := servePage(page); err != nil {
			return err
		}
	}
	s := newSampler(os.DirFS("/proc"), topicLevel(name))
	tick := time.NewTicker(interval) // drops ticks while a full pipe holds us up: no reading is late
	defer tick.Stop()
	for ; ; <-tick.C {
		readings, err := s.sample(time.Now())
		if err == nil {
			err = write(os.Stdout, readings)
		}
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("it needs /proc, as Linux has it: %w", err)
		}
		if err != nil {
			return err
		}
	}
}

// write writes one line a reading, all with one call where they fit.
func write(w io.Writer, readings []reading) error {
	b := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(b)
	for _, r := range readings {
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
	return b.Flush()
}

// topicLevel makes one topic level of a name: what separates levels, is a wildcard or is
// no text becomes a dash.
func topicLevel(name string) string {
	level := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == '+' || r == '#' || r == 0x7f || r == '\uFFFD' {
			return '-'
		}
		return r
	}, name)
	if level == "" {
		return "-"
	}
	return level
}
