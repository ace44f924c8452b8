package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// proc is a process as /proc shows it.
type proc int

func (p proc) file(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// cpu is the time the process has spent on processors: the sum of sum_exec_runtime
// (first field of /proc/PID/task/*/schedstat) over the threads that live. The scheduler
// updates a running thread's share at ticks, so the error is at most one tick a processor.
// A thread that has ended, as those of io_uring do, takes its share along: where utime and
// stime of the process, which keep it and count in hundredths of a second, say more, they
// are taken.
func (p proc) cpu() (time.Duration, error) {
	threads, err := p.threadsCPU()
	if err != nil {
		return 0, err
	}
	after, err := p.stat()
	if err != nil {
		return 0, err
	}
	const utime, stime = 11, 12 // after the name
	var ticks int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(after[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("bench: stat of process %d: %w", p, err)
		}
		ticks += n
	}
	return max(threads, time.Duration(ticks)*machineTick), nil
}

// stat is the fields of /proc/PID/stat from the state on: those before are the number and
// the name, which may hold anything.
func (p proc) stat() ([]string, error) {
	b, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	const fieldsMin = 20
	after := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(after) < fieldsMin {
		return nil, fmt.Errorf("bench: stat of process %d: %.100q", p, b)
	}
	return after, nil
}

func (p proc) threadsCPU() (time.Duration, error) {
	files, err := filepath.Glob(p.file("task/*/schedstat"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("bench: no schedstat of process %d: %v", p, err)
	}
	var sum time.Duration
	for _, f := range files {
		b, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue // a thread that ended after the listing
		}
		if err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("bench: %s: %w", f, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// rss is VmRSS in bytes.
func (p proc) rss() (int64, error) {
	kB, err := field(p.file("status"), "VmRSS:")
	return kB << 10, err
}

// fds counts open descriptors.
func (p proc) fds() (int, error) {
	entries, err := os.ReadDir(p.file("fd"))
	return len(entries), err
}

// field reads the first number after a word at the start of a line.
func field(file, word string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, word); ok && len(strings.Fields(rest)) > 0 {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("bench: no %s in %s", word, file)
}

// settleRule says when a number counts as settled.
type settleRule struct {
	Change float64       `json:"change"` // greatest relative change inside the window
	Window time.Duration `json:"windowNs"`
	Limit  time.Duration `json:"limitNs"` // give up and take it as it is
}

// rssSettled is the rule for memory. No collection is forced: what the process holds by
// itself is what an operator pays.
var rssSettled = settleRule{Change: 0.005, Window: 5 * time.Second, Limit: time.Minute}

// settledRSS waits by the rule, serving the swarm meanwhile. settled is false at the limit.
func settledRSS(ctx context.Context, w *swarm, p interface{ rss() (int64, error) }, rule settleRule) (bytes int64, settled bool, err error) {
	const step = 10 // samples a window
	start := w.now()
	var window []int64
	for {
		v, err := p.rss()
		if err != nil {
			return 0, false, err
		}
		if window = append(window, v); len(window) > step+1 {
			window = window[1:]
		}
		low, high := window[0], window[0]
		for _, x := range window {
			low, high = min(low, x), max(high, x)
		}
		if len(window) == step+1 && float64(high-low) <= rule.Change*float64(high) {
			return v, true, nil
		}
		if w.now()-start > int64(rule.Limit) {
			return v, false, nil
		}
		if err := w.sleep(ctx, w.now()+int64(rule.Window/step)); err != nil {
			return 0, false, err
		}
	}
}

// machineTick is the unit of /proc/stat: USER_HZ is 100 on Linux for user space.
const machineTick = 10 * time.Millisecond

// machineCPU is the busy time of all processors: everything in the first line of
// /proc/stat but idle and iowait (guest time is inside user time).
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var ticks int64
	for i, f := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7, 8: // user nice system irq softirq steal
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("bench: /proc/stat: %w", err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * machineTick, nil
}

// socketMemory is the kernel memory of all TCP sockets of this network namespace, bytes.
func socketMemory() (int64, error) {
	b, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "TCP:" && f[len(f)-2] == "mem" {
			pages, err := strconv.ParseInt(f[len(f)-1], 10, 64)
			return pages * int64(os.Getpagesize()), err
		}
	}
	return 0, errors.New("bench: no TCP mem in /proc/net/sockstat")
}

// sendQueue is what the server still holds unsent or unacknowledged for the client with
// the given port: tx_queue of /proc/net/tcp, bytes. ok is false when there is no such socket.
func sendQueue(serverPort, clientPort int) (bytes int64, ok bool, err error) {
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, false, fmt.Errorf("bench: %w", err)
	}
	local, remote := fmt.Sprintf(":%04X", serverPort), fmt.Sprintf(":%04X", clientPort)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasSuffix(f[1], local) || !strings.HasSuffix(f[2], remote) {
			continue
		}
		tx, _, _ := strings.Cut(f[4], ":")
		bytes, err := strconv.ParseInt(tx, 16, 64)
		return bytes, true, err
	}
	return 0, false, nil
}
