package bench

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// family is a server's process and those that descend from it: nginx serves in children.
// The nil family is that of a server of which only the address is known; it costs
// nothing, and figures of it have to be left out.
type family struct {
	root    proc
	members []proc // root first
}

// newFamily finds the family of a process.
func newFamily(root proc) (*family, error) {
	f := &family{root: root}
	return f, f.find()
}

// find looks for children that were born since. It reads a file for each process of the
// machine, which takes milliseconds: never while something is measured. The parents in
// /proc/*/stat are used because not every kernel has lists of children.
func (f *family) find() error {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	children := make(map[proc][]proc)
	for _, name := range files {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return fmt.Errorf("bench: %s: %w", name, err)
		}
		after, err := proc(child).stat()
		if err != nil {
			continue // ended after the listing
		}
		parent, err := strconv.Atoi(after[1])
		if err != nil {
			return fmt.Errorf("bench: %s: %w", name, err)
		}
		children[proc(parent)] = append(children[proc(parent)], proc(child))
	}
	f.members = append(f.members[:0], f.root)
	for i := 0; i < len(f.members); i++ {
		f.members = append(f.members, children[f.members[i]]...)
	}
	return nil
}

// sum adds what the members have. A child that has ended since counts as nothing.
func (f *family) sum(of func(p proc) (int64, error)) (int64, error) {
	if f == nil {
		return 0, nil
	}
	var sum int64
	for _, p := range f.members {
		n, err := of(p)
		if err != nil && p == f.root {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// cpu is the processor time of all members; see proc.cpu.
func (f *family) cpu() (time.Duration, error) {
	sum, err := f.sum(func(p proc) (int64, error) {
		t, err := p.cpu()
		return int64(t), err
	})
	return time.Duration(sum), err
}

// rss is VmRSS in bytes; with children the sum of Pss, in which a shared page counts once.
func (f *family) rss() (int64, error) {
	if f != nil && len(f.members) == 1 {
		return f.root.rss()
	}
	return f.sum(func(p proc) (int64, error) {
		kB, err := field(p.file("smaps_rollup"), "Pss:")
		return kB << 10, err
	})
}

// fds counts open descriptors.
func (f *family) fds() (int, error) {
	sum, err := f.sum(func(p proc) (int64, error) {
		n, err := p.fds()
		return int64(n), err
	})
	return int(sum), err
}
