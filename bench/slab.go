package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// connectionSlabs are the kernel's caches that one end of an established connection has
// an object in: its TCP state, its inode, its file, the file's name, and its place in an
// epoll set.
var connectionSlabs = []string{"TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq"}

// kernelMemory is what the kernel holds, bytes. It is of the whole machine.
type kernelMemory struct {
	slabs   map[string]int64
	buffers int64 // of TCP sockets
}

// readKernelMemory needs root, to whom alone /proc/slabinfo shows itself.
func readKernelMemory() (kernelMemory, error) {
	b, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return kernelMemory{}, fmt.Errorf("bench: %w", err)
	}
	slabs, err := parseSlabs(string(b))
	if err != nil {
		return kernelMemory{}, err
	}
	buffers, err := socketMemory()
	return kernelMemory{slabs, buffers}, err
}

var errSlabinfo = errors.New("bench: not a line of /proc/slabinfo")

// parseSlabs reads bytes by cache: pages of a slab times slabs. A line is
//
//	name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables … : slabdata <active_slabs> <num_slabs> <sharedavail>
func parseSlabs(text string) (map[string]int64, error) {
	bytes := make(map[string]int64)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "slabinfo ") || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 16 || f[12] != "slabdata" {
			return nil, fmt.Errorf("%w: %q", errSlabinfo, line)
		}
		pages, err := strconv.ParseInt(f[5], 10, 64)
		slabs, err2 := strconv.ParseInt(f[14], 10, 64)
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("%w: %q", errSlabinfo, line)
		}
		bytes[f[0]] = pages * slabs * int64(os.Getpagesize())
	}
	return bytes, nil
}

// kernel is the kernel's memory now; nil, with a note, where it may not be read.
func (m *crowdRun) kernel() *kernelMemory {
	now, err := readKernelMemory()
	if err != nil {
		m.report.note("the kernel's memory is left out: %v", err)
		return nil
	}
	return &now
}

// kernelSince reports the growth of the kernel's memory, a stream. The client is on the
// same machine, so each figure has both ends of the connection in it.
func (m *crowdRun) kernelSince(before *kernelMemory) {
	if before == nil {
		return
	}
	now := m.kernel()
	if now == nil {
		return
	}
	streams := float64(m.o.Streams)
	var named, total int64
	for name, bytes := range now.slabs {
		total += bytes - before.slabs[name]
	}
	for _, name := range connectionSlabs {
		bytes := now.slabs[name] - before.slabs[name]
		named += bytes
		m.report.figure("kernel memory a stream, both ends, "+name, float64(bytes)/streams, "B")
	}
	m.report.figure("kernel memory a stream, both ends, other caches", float64(total-named)/streams, "B")
	m.report.figure("kernel memory a stream, both ends, all caches", float64(total)/streams, "B")
	m.report.figure("kernel memory a stream, one end, all caches", float64(total)/streams/2, "B")
	m.report.figure("socket buffers a stream, both ends", float64(now.buffers-before.buffers)/streams, "B")
}
