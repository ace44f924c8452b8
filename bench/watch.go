package bench

import (
	"fmt"
	"time"
)

// watch looks at a server now and then: memory, descriptors, processor time. What it
// sees becomes series of the report, by the time since the run began.
type watch struct {
	*run
	t        target
	rss, fds []float64 // bytes; descriptors
	lastCPU  time.Duration
	lastAt   int64
}

// newWatch begins to watch. Of a server whose processes are not known nothing is seen.
func (r *run) newWatch(t target) (*watch, error) {
	s := &watch{run: r, t: t, lastAt: r.w.now()}
	if t.family == nil {
		return s, nil
	}
	r.report.axis("server memory", "time, s", "VmRSS, MiB")
	r.report.axis("server processor", "time, s", "% of one processor")
	r.report.axis("server descriptors", "time, s", "open descriptors")
	var err error
	s.lastCPU, err = t.cpu()
	return s, err
}

// watchEvery is how often to look in a phase of the given length: 60 times, between 20
// times a second and once in 5 s.
func watchEvery(phase time.Duration) int64 {
	return int64(min(max(phase/60, 50*time.Millisecond), 5*time.Second))
}

// look takes a sample.
func (s *watch) look() error {
	if s.t.family == nil {
		return nil
	}
	now := s.w.now()
	rss, err := s.t.rss()
	if err != nil {
		return err
	}
	fds, err := s.t.fds()
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	cpu, err := s.t.cpu()
	if err != nil {
		return err
	}
	x := float64(now) / 1e9
	s.rss, s.fds = append(s.rss, float64(rss)), append(s.fds, float64(fds))
	s.report.sample("server memory", x, float64(rss)/(1<<20))
	s.report.sample("server descriptors", x, float64(fds))
	if now > s.lastAt {
		s.report.sample("server processor", x, 100*float64(cpu-s.lastCPU)/float64(now-s.lastAt))
	}
	s.lastCPU, s.lastAt = cpu, now
	return nil
}

// What may grow under a steady load without being called growth: between the median of
// the first third of the samples and that of the last.
const (
	flatShare = 0.10
	// flatRSS is for a heap that has not yet seen its highest point, bytes.
	flatRSS = 4 << 20
	// flatFDs is for requests that happen to be open.
	flatFDs = 32
)

// thirds are the medians of the first and of the last third of the samples.
func thirds(samples []float64) (first, last float64) {
	n := max(len(samples)/3, min(len(samples), 1))
	return median(samples[:n]), median(samples[len(samples)-n:])
}

// checkFlat checks that memory has not grown, and with fds set that descriptors have not.
func (s *watch) checkFlat(when string, fds bool) {
	if len(s.rss) == 0 {
		return
	}
	first, last := thirds(s.rss)
	s.checkBelow("VmRSS, first to last third, KiB"+when, first/1024, last/1024, s.o.memoryMore/1024)
	if fds {
		first, last = thirds(s.fds)
		s.checkBelow("descriptors, first to last third"+when, first, last, flatFDs)
	}
}

// checkBelow checks last against first, the share and so much more.
func (s *watch) checkBelow(name string, first, last, more float64) {
	limit := first*(1+flatShare) + more
	s.report.checkThat(name, fmt.Sprintf("%.0f to at most %.0f", first, limit), fmt.Sprintf("%.0f", last), last <= limit)
}
