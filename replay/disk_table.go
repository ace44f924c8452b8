package replay

import (
	"errors"
	"fmt"
	"time"

	"throng/replay/seglog"
)

// namespaceBytesMax is the longest name of a namespace: what any file system takes.
const namespaceBytesMax = 64

// checkNamespace refuses what is not a name: names become directories.
func checkNamespace(ns string) error {
	ok := len(ns) > 0 && len(ns) <= namespaceBytesMax
	for i := range len(ns) {
		c := ns[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !ok {
		return fmt.Errorf("replay: namespace %q: want 1 to %d of a-z, 0-9, _ and -", ns, namespaceBytesMax)
	}
	return nil
}

// Open implements Store. The first Open of a namespace reads what its last KeyWindow wrote;
// meanwhile others wait for it, and nobody for them.
func (s *Disk) Open(ns string) (Log, error) {
	s.mu.RLock()
	sp, closed := s.spaces[ns], s.closed
	if sp != nil && sp.log != nil && !closed {
		defer s.mu.RUnlock()
		return sp.log, nil
	}
	s.mu.RUnlock()
	if err := checkNamespace(ns); err != nil {
		return nil, err
	}
	return s.openSlow(ns)
}

// openSlow opens a log, or waits for whoever does.
func (s *Disk) openSlow(ns string) (Log, error) {
	sp, err := s.take(ns, func(sp *space) error {
		switch {
		case s.closed:
			return ErrClosed
		case sp != nil && sp.log != nil:
			return nil
		case s.open >= s.opts.NamespacesMax:
			return ErrNamespaces
		case sp == nil && len(s.spaces) >= s.opts.DirsMax:
			return errDirs
		}
		s.open++
		return nil
	})
	if errors.Is(err, errDirs) && s.forget() {
		return s.openSlow(ns)
	}
	if err != nil {
		return nil, err
	}
	defer s.release(sp)
	if sp.log != nil {
		return sp.log, nil
	}
	l, err := s.openLog(sp)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.open--
		return nil, s.refused(err)
	}
	sp.log, sp.empty = l, false
	return l, nil
}

// errDirs is ErrNamespaces for want of directories.
var errDirs = fmt.Errorf("%w on disk", ErrNamespaces)

// forget removes the directory of a namespace that holds nothing. Should that come back, its
// IDs begin in a later epoch.
func (s *Disk) forget() bool {
	s.mu.Lock()
	var sp *space
	for _, c := range s.spaces {
		if c.empty && c.log == nil && c.busy == nil {
			sp = c
			break
		}
	}
	if sp == nil {
		s.mu.Unlock()
		return false
	}
	sp.busy = make(chan struct{})
	s.forgot = max(s.forgot, sp.epoch)
	s.mu.Unlock()
	defer s.release(sp)
	if err := s.fs.RemoveAll(s.path(sp.name)); err != nil {
		s.opts.Log.Warn("the directory of an empty namespace can't be removed", "namespace", sp.name, "error", err)
		return false
	}
	s.bytes.Add(-sp.bytes.Swap(0))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.spaces, sp.name)
	return true
}

// take makes a space busy, so that it is ours without the lock, once may has agreed under
// the lock. A namespace that is not known is nil for may, and made after that.
func (s *Disk) take(ns string, may func(*space) error) (*space, error) {
	for {
		s.mu.Lock()
		sp := s.spaces[ns]
		if sp != nil && sp.busy != nil {
			busy := sp.busy
			s.mu.Unlock()
			<-busy
			continue
		}
		if err := may(sp); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		if sp == nil {
			sp = &space{name: ns}
			s.spaces[ns] = sp
		}
		sp.busy = make(chan struct{})
		s.mu.Unlock()
		return sp, nil
	}
}

// release ends what take began.
func (s *Disk) release(sp *space) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(sp.busy)
	sp.busy = nil
}

// Evict implements Store: descriptors, memory and known keys are let go, and the files
// stay. When the namespace is opened again its events and IDs are there, and the keys of
// the last KeyWindow are read back. It waits for an Append that is under way.
func (s *Disk) Evict(ns string) error { return s.shut(ns) }

// shut closes the log of a namespace, if it is open.
func (s *Disk) shut(ns string) error {
	var l *diskLog
	sp, err := s.take(ns, func(sp *space) error {
		if sp == nil || sp.log == nil {
			return ErrClosed
		}
		l, sp.log = sp.log, nil
		s.open--
		return nil
	})
	if err != nil {
		return nil // it is not open
	}
	defer s.release(sp)
	err = l.close()
	s.mu.Lock()
	sp.empty, sp.epoch = l.first.Load() == l.last.Load(), l.epoch()
	s.mu.Unlock()
	if err != nil {
		return s.refused(err)
	}
	return nil
}

// options are those of the segmented log of a namespace.
func (s *Disk) options() seglog.Options {
	return seglog.Options{
		FS: s.fs, SegmentBytes: s.opts.SegmentBytes, Fsync: s.opts.Fsync, Flusher: s.flusher, Now: s.epochTime,
		Report: func(err error) { _ = s.refused(err) },
	}
}

// epochTime is the clock, but not before what a forgotten directory may have had for an
// epoch.
func (s *Disk) epochTime() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.opts.Now()
	if least := time.UnixMilli(int64(s.forgot) + 1); s.forgot > 0 && now.Before(least) {
		return least
	}
	return now
}
