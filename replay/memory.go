package replay

import (
	"sync"
	"sync/atomic"
	"time"
)

// MemoryOptions are the limits of a Memory store. Start from MemoryDefaults; a zero limit
// is meant as zero (nothing is kept), except where the field says otherwise.
type MemoryOptions struct {
	EventsMax     int           // events held, a namespace
	BytesMax      int64         // bytes held (sse.Event.Size), a namespace
	AgeMax        time.Duration // age of what is held; 0: no limit
	TotalBytesMax int64         // bytes held, all namespaces
	NamespacesMax int           // namespaces open at once
	KeysMax       int           // idempotency keys known, a namespace
	KeyWindow     time.Duration // how long an idempotency key is known
	TombstonesMax int           // evicted namespaces whose last ID is remembered exactly

	Epoch uint64           // Major of every ID; 0: Now in unix milliseconds, so that it rises with every start
	Now   func() time.Time // the clock; nil: time.Now
}

// MemoryDefaults are limits for a server of some hundred megabytes.
func MemoryDefaults() MemoryOptions {
	return MemoryOptions{
		EventsMax:     65536,           // 18 events a second over AgeMax; 1.5 MiB of entries when full
		BytesMax:      32 << 20,        // one namespace cannot take more than an eighth of the whole
		AgeMax:        time.Hour,       // longer than a laptop lid or a tunnel; after that a page reloads
		TotalBytesMax: 256 << 20,       // what a small host can spare
		NamespacesMax: 1024,            // an empty one costs about 300 bytes
		KeysMax:       65536,           // 218 keyed publishes a second over KeyWindow; about 9 MiB when full
		KeyWindow:     5 * time.Minute, // longer than any publisher retries
		TombstonesMax: 65536,           // 16 bytes each, before the map's own overhead
	}
}

// trimShare is the part of TotalBytesMax that is freed when the limit is passed, and the
// part of the largest namespace that is given up at most in one go. Freeing a little more
// than needed makes the search for the largest rare.
const (
	trimShare  = 32
	trimVictim = 8
)

// Memory is the Store without a disk: what it holds is lost when the process stops, and
// each start is a new epoch. Any goroutine may use it. It starts none of its own: the
// owner calls Sweep.
type Memory struct {
	opts  MemoryOptions
	start time.Time // zero of the time in entries; monotonic if the clock is

	events atomic.Int64 // events held, all namespaces
	bytes  atomic.Int64 // bytes held, all namespaces
	keys   atomic.Int64 // keys known, all namespaces

	trimming sync.Mutex // held by the one appender that makes room for all

	mu     sync.RWMutex // guards the rest
	logs   map[string]*memLog
	tombs  tombs
	closed bool
}

var _ Store = (*Memory)(nil)

// NewMemory makes an empty store. Nothing is allocated for events before they come.
func NewMemory(o MemoryOptions) *Memory {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Memory{opts: o, start: o.Now(), logs: make(map[string]*memLog), tombs: newTombs(o.TombstonesMax)}
	if s.opts.Epoch == 0 {
		s.opts.Epoch = uint64(max(1, s.start.UnixMilli())) // a clock before 1970 must not make IDs zero
	}
	return s
}

// now is the time since the store was made.
func (s *Memory) now() time.Duration { return s.opts.Now().Sub(s.start) }

// Open implements Store.
func (s *Memory) Open(ns string) (Log, error) {
	s.mu.RLock()
	l, closed := s.logs[ns], s.closed
	s.mu.RUnlock()
	if l != nil {
		return l, nil
	}
	if closed {
		return nil, ErrClosed
	}
	return s.open(ns)
}

// open makes the log, unless somebody else was faster.
func (s *Memory) open(ns string) (Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := s.logs[ns]; {
	case s.closed:
		return nil, ErrClosed
	case l != nil:
		return l, nil
	case len(s.logs) >= s.opts.NamespacesMax:
		return nil, ErrNamespaces
	}
	l := newMemLog(s, s.tombs.start(ns))
	s.logs[ns] = l
	return l, nil
}

// Evict implements Store. An evicted namespace also forgets its keys, so one that was
// published to within KeyWindow should not be evicted.
func (s *Memory) Evict(ns string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logs[ns]; l != nil {
		delete(s.logs, ns)
		s.tombs.bury(ns, l.close())
	}
	return nil
}

// Sweep implements Store. It visits one log after the other and holds no lock for longer
// than a page of events or keys.
func (s *Memory) Sweep(now time.Time) {
	s.mu.RLock()
	logs := make([]*memLog, 0, len(s.logs))
	for _, l := range s.logs {
		logs = append(logs, l)
	}
	s.mu.RUnlock()
	at := now.Sub(s.start)
	for _, l := range logs {
		l.enforce(at)
		l.keys.sweep(at)
	}
}

// Resident implements Store: always true.
func (s *Memory) Resident() bool { return true }

// Health implements Store: memory is always well.
func (s *Memory) Health() error { return nil }

// Stats implements Store.
func (s *Memory) Stats() Stats {
	s.mu.RLock()
	n := len(s.logs)
	s.mu.RUnlock()
	return Stats{Namespaces: n, Events: int(s.events.Load()), Bytes: s.bytes.Load(), Keys: int(s.keys.Load())}
}

// Close implements Store. It never fails.
func (s *Memory) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, l := range s.logs {
		l.close()
	}
	clear(s.logs)
	return nil
}

// trim makes room when all namespaces together hold too much: the oldest events of the
// largest one go first. No lock but its own is held on entry.
func (s *Memory) trim() {
	if s.bytes.Load() <= s.opts.TotalBytesMax {
		return
	}
	s.trimming.Lock()
	defer s.trimming.Unlock()
	if s.bytes.Load() <= s.opts.TotalBytesMax {
		return // the one before us did it
	}
	goal := s.opts.TotalBytesMax - s.opts.TotalBytesMax/trimShare
	for {
		excess := s.bytes.Load() - goal
		victim := s.largest()
		if excess <= 0 || victim == nil {
			return
		}
		victim.drop(min(excess, victim.bytes.Load()/trimVictim+1))
	}
}

// largest is the namespace that holds the most bytes, of equals any; nil when all are
// empty.
func (s *Memory) largest() *memLog {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var best *memLog
	var most int64
	for _, l := range s.logs {
		if n := l.bytes.Load(); n > most {
			best, most = l, n
		}
	}
	return best
}
