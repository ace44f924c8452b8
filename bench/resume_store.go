package bench

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"throng/internal/redisproc"
)

// Values of Options.Store.
const (
	storeMemory = "memory" // the server's default
	storeDisk   = "disk"   // a new directory, which the end of the run removes
	storeRedis  = "redis"  // a redis-server of the run's own
)

// redisFsync is the appendfsync of the AOF of a redis-server: Redis' own default.
const redisFsync = "everysec"

// storeProcess is a process beside the server that holds its events.
type storeProcess struct {
	name string
	pid  proc
}

// startStore makes what Options.Store asks for, until the end of the run, and tells the
// server that will be started: for disk a new directory, for redis a redis-server of its
// own, with an AOF.
func (r *run) startStore() (*storeProcess, error) {
	switch {
	case r.o.Store == storeMemory:
		return nil, nil
	case r.o.URL != "" || !isOurs(r.o.Server):
		return nil, fmt.Errorf("bench: --store %s is for a server of ours that is started, with the word serve in its command", r.o.Store)
	case r.o.Store == storeDisk:
		dir, err := os.MkdirTemp("", "throng-bench-store-")
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		r.afterwards = append(r.afterwards, func() error { return os.RemoveAll(dir) })
		r.serverOption("--store", "disk:"+dir)
		return nil, nil
	case r.o.Store == storeRedis:
		s, err := redisproc.Start(r.ctx, redisproc.Options{Fsync: redisFsync})
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		r.afterwards = append(r.afterwards, s.Stop)
		r.serverOption("--store", "redis://"+s.Addr)
		return &storeProcess{"redis-server", proc(s.PID)}, nil
	}
	return nil, fmt.Errorf("bench: --store %s is not for resume; accepted: %s, %s or %s", r.o.Store, storeMemory, storeDisk, storeRedis)
}

// tidyUp does what has to be done when the servers have stopped, the last first.
func (r *run) tidyUp() error {
	var errs []error
	for i := len(r.afterwards) - 1; i >= 0; i-- {
		errs = append(errs, r.afterwards[i]())
	}
	return errors.Join(errs...)
}

// topicsOwn is the value of Options.Topics for a topic for each stream.
const topicsOwn = -1

// topicsSetting is a number of topics, one, or own.
func topicsSetting(name, group, help, of string, field func(*Options) *int, high int) Setting {
	s := wholeSetting(name, group, help, of, field, 1, high)
	s.Accepts += "; one; in resume also own: one for each stream"
	number, text := s.set, s.text
	s.set = func(o *Options, given string) error {
		switch given {
		case "one":
			*field(o) = 1
		case "own":
			*field(o) = topicsOwn
		default:
			return number(o, given)
		}
		return nil
	}
	s.text = func(o Options) string {
		if *field(&o) == topicsOwn {
			return "own"
		}
		return text(o)
	}
	return s
}

// peakOf forgets the greatest VmRSS of a target so far, or, with read set, gives the
// greatest since, bytes: VmHWM of its processes. NaN: it is not known, as where /proc may
// not be written to.
func (t target) peakOf(read bool) float64 {
	if t.family == nil {
		return math.NaN()
	}
	sum, err := t.family.sum(func(p proc) (int64, error) {
		if read {
			kB, err := field(p.file("status"), "VmHWM:")
			return kB << 10, err
		}
		const forgetPeak = 5 // proc(5), clear_refs
		return 0, os.WriteFile(p.file("clear_refs"), []byte(strconv.Itoa(forgetPeak)), 0)
	})
	if err != nil {
		return math.NaN()
	}
	return float64(sum)
}
