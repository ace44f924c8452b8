package main

import (
	"fmt"
	"io/fs"
	"strconv"
	"time"
)

// reading is one line of the feed.
type reading struct {
	Topic string `json:"topic"`
	Data  any    `json:"data"`
}

// sampler turns the counters of /proc into readings; most of them are differences, so it
// keeps the counters that it saw last. One goroutine uses it.
type sampler struct {
	proc  fs.FS // /proc, or a recorded one
	topic string
	at    time.Time // of the last sample; zero before the first
	cpus  map[int]cpuTimes
	links map[string]linkBytes
}

func newSampler(proc fs.FS, host string) *sampler {
	return &sampler{proc: proc, topic: "host/" + host + "/"}
}

// sample reads /proc. The first sample has no rates: it gives the load alone. A CPU or an
// interface is told from its second sample on.
func (s *sampler) sample(now time.Time) ([]reading, error) {
	cpus, err := read(s.proc, "stat", parseStat)
	if err != nil {
		return nil, err
	}
	load, err := read(s.proc, "loadavg", parseLoad)
	if err != nil {
		return nil, err
	}
	links, err := read(s.proc, "net/dev", parseLinks)
	if err != nil {
		return nil, err
	}
	seconds, unixMs := now.Sub(s.at).Seconds(), now.UnixMilli()
	lastCPUs, lastLinks := s.cpus, s.links
	s.at, s.cpus, s.links = now, map[int]cpuTimes{}, map[string]linkBytes{}
	var out []reading
	for _, c := range cpus {
		s.cpus[c.number] = c.times
		if before, known := lastCPUs[c.number]; known {
			out = append(out, reading{s.topic + "cpu/" + strconv.Itoa(c.number), c.times.since(before, unixMs)})
		}
	}
	load.UnixMs = unixMs
	out = append(out, reading{s.topic + "load", load})
	for _, l := range links {
		s.links[l.name] = l.bytes
		if before, known := lastLinks[l.name]; known && !l.bytes.unused() {
			out = append(out, reading{s.topic + "net/" + topicLevel(l.name), l.bytes.since(before, seconds, unixMs)})
		}
	}
	return out, nil
}

// read parses one file of /proc.
func read[T any](proc fs.FS, name string, parse func(text string) (T, error)) (v T, err error) {
	text, err := fs.ReadFile(proc, name)
	if err != nil {
		return v, err
	}
	if v, err = parse(string(text)); err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}
