package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// quota is a control group that bounds the processor time of the processes started in it,
// so that a server can be overloaded by a generator on the same machine which is not: the
// generator has what the quota leaves.
type quota struct {
	dir string
	cpu float64 // processors
	v2  bool
}

const (
	// quotaPeriod is the kernel's accounting period. A tenth of its default: a server that
	// has used up its share waits for some milliseconds, as on a busy machine, and not for
	// most of 100.
	quotaPeriod = 10 * time.Millisecond
	// quotaMin is the least time in a period that the kernel takes.
	quotaMin = time.Millisecond
	// quotaCloseLimit is how long a group may still hold a process that has ended.
	quotaCloseLimit = 2 * time.Second
)

var (
	quotaCount atomic.Int64
	errQuota   = errors.New("bench: no control group for the server's processor time")
)

// newQuota makes a control group, version 1 or 2. It needs to be allowed to write below
// /sys/fs/cgroup, which root is; the error says what else can be done.
func newQuota(cpu float64) (*quota, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errQuota, err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errQuota, err)
	}
	name := fmt.Sprintf("throng-bench-%d-%d", os.Getpid(), quotaCount.Add(1))
	errs := []error{fmt.Errorf("%w: give --server-cpu %s to measure without, or run as root", errQuota, noQuotaWord)}
	for _, place := range quotaPlaces(string(mounts), string(own)) {
		q := &quota{dir: filepath.Join(place.dir, name), cpu: cpu, v2: place.v2}
		err := q.make()
		if err == nil {
			return q, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// quotaPlace is a group in which one may be made.
type quotaPlace struct {
	dir string
	v2  bool
}

// quotaPlaces are the group this process is in and those above it, of the hierarchies that
// may have the cpu controller, the nearest first: with version 2 a group that has
// processes can't share out its processors.
func quotaPlaces(mounts, own string) (all []quotaPlace) {
	for line := range strings.Lines(mounts) {
		head, tail, _ := strings.Cut(line, " - ")
		at, fields := strings.Fields(head), strings.Fields(tail)
		if len(at) < 5 || len(fields) < 3 {
			continue
		}
		controllers, v2 := strings.Split(fields[2], ","), fields[0] == "cgroup2"
		if !v2 && (fields[0] != "cgroup" || !slices.Contains(controllers, "cpu")) {
			continue
		}
		mount := at[4]
		path := ownGroup(own, v2)
		for {
			all = append(all, quotaPlace{filepath.Join(mount, path), v2})
			if path == "/" || path == "." {
				break
			}
			path = filepath.Dir(path)
		}
	}
	return all
}

// ownGroup is this process's group in a hierarchy, by /proc/self/cgroup.
func ownGroup(own string, v2 bool) string {
	for line := range strings.Lines(own) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		if v2 && number == "0" && controllers == "" || !v2 && slices.Contains(strings.Split(controllers, ","), "cpu") {
			return filepath.Clean("/" + path)
		}
	}
	return "/"
}

// make makes the group and sets its limit. What is half made is taken away.
func (q *quota) make() error {
	if q.v2 {
		if err := shareProcessors(filepath.Dir(q.dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(q.dir, 0o755); err != nil {
		return err
	}
	period := int64(math.Ceil(max(float64(quotaPeriod.Microseconds()), float64(quotaMin.Microseconds())/q.cpu)))
	share := strconv.FormatInt(int64(math.Ceil(q.cpu*float64(period))), 10)
	files := [][2]string{{"cpu.cfs_period_us", strconv.FormatInt(period, 10)}, {"cpu.cfs_quota_us", share}}
	if q.v2 {
		files = [][2]string{{"cpu.max", share + " " + strconv.FormatInt(period, 10)}}
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(q.dir, f[0]), []byte(f[1]), 0o644); err != nil {
			return errors.Join(err, os.Remove(q.dir))
		}
	}
	return nil
}

// shareProcessors lets groups below a group of version 2 have limits of their own.
func shareProcessors(dir string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	shared, err := os.ReadFile(file)
	if err != nil || slices.Contains(strings.Fields(string(shared)), "cpu") {
		return err
	}
	return os.WriteFile(file, []byte("+cpu"), 0o644)
}

// wrap is a command that runs argv in the group from its first instruction on, so that it
// finds its limit where it looks for it at start. The nil quota changes nothing.
func (q *quota) wrap(argv []string) []string {
	if q == nil {
		return argv
	}
	return append([]string{"/bin/sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(q.dir, "cgroup.procs")}, argv...)
}

// throttled is how often the group had used up its share, and of how many periods.
func (q *quota) throttled() (times, periods int64, err error) {
	if q == nil {
		return 0, 0, nil
	}
	file := filepath.Join(q.dir, "cpu.stat")
	if times, err = field(file, "nr_throttled"); err != nil {
		return 0, 0, err
	}
	periods, err = field(file, "nr_periods")
	return times, periods, err
}

// close removes the group, whose processes must have ended.
func (q *quota) close() error {
	if q == nil {
		return nil
	}
	for end := time.Now().Add(quotaCloseLimit); ; time.Sleep(10 * time.Millisecond) {
		err := os.Remove(q.dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // closed before
		case err == nil || time.Now().After(end):
			return err
		}
	}
}
