package replay

import (
	"time"

	"throng/replay/seglog"
)

// tidyShare is the part of AgeMax after which a namespace that is not open is looked at
// again for files that are too old; tidyMin is the least such time.
const (
	tidyShare = 8
	tidyMin   = time.Minute
)

// A trim removes up to so many files: that of a namespace which is not open costs some flushes
// of small files, and a publisher waits for them, or whoever else a Sweep is for.
const (
	trimAppendMax = 4
	trimSweepMax  = 128
)

// spaceBytesMin: what the files of a namespace without events take, and a little more. There
// is nothing to gain below.
const spaceBytesMin = 256

// trim makes room when the files of all namespaces take too much: the oldest file of the
// largest goes first, open or not. One goroutine does it for all, the others go on; it
// removes up to most files.
func (s *Disk) trim(most int) {
	if s.bytes.Load() <= s.trimAt.Load() || !s.trimming.TryLock() {
		return
	}
	defer s.trimming.Unlock()
	goal := s.opts.TotalBytesMax - s.opts.TotalBytesMax/trimShare
	stuck, gained := make(map[*space]bool), false
	for range most {
		if s.bytes.Load() <= goal {
			return
		}
		sp := s.largest(stuck)
		if sp == nil {
			gained = false
			break
		}
		before := sp.bytes.Load()
		s.dropOldest(sp)
		stuck[sp] = sp.bytes.Load() >= before
		gained = gained || !stuck[sp]
	}
	if !gained {
		// Nothing more can go: it is pointless to search again before there is more.
		s.trimAt.Store(max(s.opts.TotalBytesMax, s.bytes.Load()+s.opts.SegmentBytes/2))
	}
}

// largest is the namespace whose files take the most, of those that have something to give
// up and are not stuck.
func (s *Disk) largest(stuck map[*space]bool) *space {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var best *space
	most := int64(spaceBytesMin)
	for _, sp := range s.spaces {
		if n := sp.bytes.Load(); n > most && !stuck[sp] && (sp.log == nil || len(sp.log.log.Segments()) > 1) {
			best, most = sp, n
		}
	}
	return best
}

// dropOldest removes the oldest file of a namespace, unless that is busy. The newest file of
// an open one stays, since it is appended to.
func (s *Disk) dropOldest(sp *space) {
	s.mu.RLock()
	l := sp.log
	s.mu.RUnlock()
	if l != nil {
		l.dropOldest()
		return
	}
	s.whileClosed(sp, func(log *seglog.Log) error {
		segs := log.Segments()
		if len(segs) == 0 || segs[0].Last < segs[0].First {
			return nil
		}
		if len(segs) == 1 {
			if err := log.Rotate(); err != nil { // an empty one in its place keeps the IDs rising
				return err
			}
		}
		return log.TruncateBefore(segs[0].Last + 1)
	})
}

// whileClosed does something to the files of a namespace that is neither open nor busy.
func (s *Disk) whileClosed(sp *space, do func(*seglog.Log) error) {
	s.mu.Lock()
	if s.closed || sp.busy != nil || sp.log != nil {
		s.mu.Unlock()
		return
	}
	sp.busy = make(chan struct{})
	s.mu.Unlock()
	defer s.release(sp)
	log, recovery, err := seglog.Open(s.path(sp.name), s.options())
	if err == nil {
		s.tell(sp.name, &recovery)
		err = do(log)
		s.mu.Lock()
		sp.empty, sp.epoch = sp.empty || log.First() > log.Last(), log.Epoch()
		s.mu.Unlock()
		bytes := log.Bytes()
		s.bytes.Add(bytes - sp.bytes.Swap(bytes))
		if closing := log.Close(); err == nil {
			err = closing
		}
	}
	if err != nil {
		s.opts.Log.Warn("a namespace that is not open could not be tidied up", "namespace", sp.name, "error", err)
	}
}

// tidy enforces the age limit of one namespace that is not open, the one that has waited
// the longest.
func (s *Disk) tidy(now time.Time) {
	if s.opts.AgeMax == 0 {
		return
	}
	s.mu.Lock()
	var sp *space
	for _, c := range s.spaces {
		if c.log == nil && c.busy == nil && (sp == nil || c.tidied.Before(sp.tidied)) {
			sp = c
		}
	}
	if sp == nil || now.Sub(sp.tidied) < max(s.opts.AgeMax/tidyShare, tidyMin) {
		s.mu.Unlock()
		return
	}
	sp.tidied = now
	s.mu.Unlock()
	s.whileClosed(sp, func(log *seglog.Log) error { return s.dropAged(log, now) })
}

// dropAged removes the files of a log whose events are all too old, and so are their keys; the
// newest one too: an empty one in its place keeps the IDs rising.
func (s *Disk) dropAged(log *seglog.Log, now time.Time) error {
	ageMax := max(s.opts.AgeMax, s.opts.KeyWindow).Milliseconds()
	segs := log.Segments()
	for i := range segs {
		if segs[i].Last < segs[i].First {
			return nil
		}
		ms, err := timeAt(log, segs[i].Last)
		if err != nil {
			return err
		}
		if now.UnixMilli()-ms <= ageMax {
			return nil
		}
		if i == len(segs)-1 {
			if err := log.Rotate(); err != nil {
				return err
			}
		}
		if err := log.TruncateBefore(segs[i].Last + 1); err != nil {
			return err
		}
	}
	return nil
}
