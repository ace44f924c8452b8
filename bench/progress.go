package bench

import "time"

// Progress is told how far a run is. Its methods are called by the goroutine of the run,
// one at a time, and should return at once: the run measures.
type Progress interface {
	// Phase begins a phase, and ends the last one. total is what Step counts up to; 0
	// means that the end is not known.
	Phase(name string, total int64)
	// Step says how much of the phase is done; it comes ten times a second at most.
	Step(done int64)
}

// stepInterval keeps the telling out of the measurement.
const stepInterval = 100 * time.Millisecond

// phase begins a part of the run that a person waits for.
func (r *run) phase(name string, total int64) {
	if r.o.Progress == nil {
		return
	}
	r.phaseTotal, r.stepped = total, r.w.now()
	r.o.Progress.Phase(name, total)
}

// rest serves the swarm for a time, as a phase of the run.
func (r *run) rest(name string, d time.Duration) error {
	start := r.w.now()
	r.phase(name, int64(d))
	for end := start + int64(d); ; {
		now := r.w.now()
		if now >= end {
			return nil
		}
		if err := r.w.sleep(r.ctx, min(end, now+int64(stepInterval))); err != nil {
			return err
		}
		r.step(r.w.now() - start)
	}
}

// step tells how much of the phase is done.
func (r *run) step(done int64) {
	if r.o.Progress == nil {
		return
	}
	now := r.w.now()
	if done < r.phaseTotal && now-r.stepped < int64(stepInterval) {
		return
	}
	r.stepped = now
	r.o.Progress.Step(done)
}
