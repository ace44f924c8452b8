package hostload

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Host is where the files are read. Any goroutine may use it.
type Host struct {
	root string
	in   hierarchy
}

// Open finds the cgroups of this process. root is "/", and another directory in tests. Limits are
// read whenever they are asked for: they may change.
func Open(root string) *Host {
	h := &Host{root: root}
	cgroups, _ := h.read("/proc/self", "cgroup")
	mountinfo, _ := h.read("/proc/self", "mountinfo")
	h.in = find(cgroups, mountinfo)
	return h
}

// Processors is how many processors this process may use: most, which is GOMAXPROCS, or what the
// cgroups allow, which may be a fraction.
func (h *Host) Processors(most int) float64 {
	n := float64(most)
	for _, l := range h.in.cpu {
		if allowed, ok := h.processors(l); ok {
			n = min(n, allowed)
		}
	}
	return n
}

// Busy is what all processors of the host have done since it was started, in clock ticks: busy is
// the part in which they did not idle or wait for a disk.
func (h *Host) Busy() (busy, total uint64, err error) {
	text, err := h.read("/proc", "stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %.60q; the line of all processors is expected", line)
	}
	for i, field := range fields[1:min(len(fields), 9)] { // user to steal; guest is part of user
		n := uint64(number(field))
		total += n
		if i != 3 && i != 4 { // idle, iowait
			busy += n
		}
	}
	return busy, total, nil
}

// Resident is the process's resident set, bytes.
func (h *Host) Resident() (int64, error) {
	text, err := h.read("/proc/self", "statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm is %q; at least two numbers are expected", text)
	}
	return number(fields[1]) * int64(os.Getpagesize()), nil
}

// Memory is a limit and what of it is in use, in bytes.
type Memory struct {
	Used, Max int64
}

// Share is the part that is in use, 0 to 1.
func (m Memory) Share() float64 {
	if m.Max <= 0 {
		return 0
	}
	return float64(m.Used) / float64(m.Max)
}

// scarce is the part of the host's memory below which it does not matter any more who has taken it.
const scarce = 0.05

// Memory finds the limit that is nearest: of a cgroup, or the host's memory. Of the host this
// process has its resident set, unless the host has hardly any left: then it counts as taken,
// by whomever, since the kernel's part of the sockets is in nobody's resident set.
func (h *Host) Memory() (Memory, error) {
	resident, err := h.Resident()
	if err != nil {
		return Memory{}, err
	}
	info, err := h.read("/proc", "meminfo")
	if err != nil {
		return Memory{}, err
	}
	var total, available int64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "MemTotal":
			total = number(strings.TrimSuffix(strings.TrimSpace(value), " kB")) << 10
		case "MemAvailable":
			available = number(strings.TrimSuffix(strings.TrimSpace(value), " kB")) << 10
		}
	}
	if total == 0 {
		return Memory{}, errors.New("/proc/meminfo has no MemTotal")
	}
	nearest := Memory{resident, total}
	if float64(available) < scarce*float64(total) {
		nearest.Used = max(resident, total-available)
	}
	for _, l := range h.in.memory {
		most := h.memoryMax(l)
		if most <= 0 || most >= total {
			continue
		}
		if m := (Memory{max(h.memoryUsed(l), resident), most}); m.Share() > nearest.Share() {
			nearest = m
		}
	}
	return nearest, nil
}

// Descriptors is how many this process has open; 0: the kernel does not say. Since Linux 6.2 it
// is the size of /proc/self/fd; to list that directory would take a walk through all of them.
func (h *Host) Descriptors() int {
	info, err := os.Stat(filepath.Join(h.root, "/proc/self/fd"))
	if err != nil || !info.IsDir() {
		return 0
	}
	return int(info.Size())
}

// read gives a file's text.
func (h *Host) read(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(h.root, dir, name))
	return string(b), err
}

// number reads a file that is one number; 0: there is none, it is "max", or negative.
func (h *Host) number(dir, name string) int64 {
	text, err := h.read(dir, name)
	if err != nil {
		return 0
	}
	return number(strings.TrimSpace(text))
}

// number reads what is not negative; 0: it is no such number.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
