package replay

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

const (
	spacesDir  = "namespaces" // holds a directory for each namespace
	readersMax = 64           // readers that wait for their next page, all namespaces: a descriptor and 256 KiB each
)

// Disk is the Store that survives the process: a directory with a segmented log for each
// namespace. Any goroutine may use it. Each namespace waits for its own I/O only.
//
// Its IDs are epoch and number. A start after a Close goes on in the same epoch; any other
// start begins a new one, since events that clients have seen may be lost then. Events of
// older epochs that are still held resume like all others.
//
// Order of locks: trimming, then a log's io, then the table of namespaces, then one log's
// state, its keys, its readers or the pool of recent events.
type Disk struct {
	opts    DiskOptions
	fs      vfs.FS
	dir     string
	lock    io.Closer
	flusher *seglog.Flusher // also lets idle logs rest, whatever the policy
	start   time.Time       // zero of the time in keys
	pool    *recentPool

	events  atomic.Int64 // events held, open namespaces
	bytes   atomic.Int64 // bytes of files, all namespaces
	keys    atomic.Int64 // keys known, all namespaces
	waiting atomic.Int64 // readers that wait for their next page
	trimAt  atomic.Int64 // from how many bytes on there is something to trim
	failure atomic.Pointer[UnavailableError]

	trimming sync.Mutex // held by the one who makes room for all

	mu     sync.RWMutex // guards the rest, and the spaces
	spaces map[string]*space
	open   int    // spaces with a log, or about to get one
	forgot uint64 // the highest epoch of a directory that was removed
	closed bool
}

var _ Store = (*Disk)(nil)

// A space is what the store knows of one namespace on disk, open or not. Guarded by the
// store's lock, but for bytes.
type space struct {
	name   string
	log    *diskLog      // nil: not open
	busy   chan struct{} // not nil: somebody opens, closes or trims it without the lock; closed afterwards
	empty  bool          // closed with no event held, in epoch
	epoch  uint64
	bytes  atomic.Int64 // of its files; written by whoever owns its log
	tidied time.Time    // when its age limit was enforced last while it was not open; zero: never
}

// NewDisk opens the store in a directory, which is made if it is not there. Namespaces are
// opened when they are asked for; only the sizes of their files are looked at here. Errors:
// impossible options, a directory that another process uses, those of the file system.
func NewDisk(dir string, o DiskOptions) (*Disk, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Disk{opts: o, fs: o.FS, dir: dir, start: o.Now(), spaces: make(map[string]*space)}
	s.pool = newRecentPool(recentLimits{eventsMax: o.RecentEventsMax, bytesMax: o.RecentBytesMax}, o.RecentTotalBytesMax)
	lock, err := seglog.Lock(s.fs, dir)
	if err != nil {
		return nil, fmt.Errorf("replay: can't have the store's directory to ourselves: %w", err)
	}
	s.lock = lock
	if err := s.discover(); err != nil {
		return nil, errors.Join(fmt.Errorf("replay: can't read %s: %w", dir, err), lock.Close())
	}
	s.trimAt.Store(o.TotalBytesMax)
	s.flusher = seglog.NewFlusher(o.FsyncInterval)
	return s, nil
}

// discover finds the namespaces on disk and adds up their files.
func (s *Disk) discover() error {
	names, err := s.fs.List(s.fs.PathJoin(s.dir, spacesDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first namespace makes it
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		path := s.fs.PathJoin(s.dir, spacesDir, name)
		files, err := s.fs.List(path)
		if err != nil {
			continue // no directory: not ours
		}
		sp := &space{name: name}
		for _, file := range files {
			if info, err := s.fs.Stat(s.fs.PathJoin(path, file)); err == nil {
				sp.bytes.Add(info.Size())
			}
		}
		s.bytes.Add(sp.bytes.Load())
		s.spaces[name] = sp
	}
	return nil
}

// path is the directory of a namespace.
func (s *Disk) path(ns string) string { return s.fs.PathJoin(s.dir, spacesDir, ns) }

// since is the time of keys: what passed since the store was made.
func (s *Disk) since(now time.Time) time.Duration { return now.Sub(s.start) }

// Resident implements Store: always false.
func (s *Disk) Resident() bool { return false }

// Stats implements Store. Bytes are those of all files, of namespaces that are not open too.
func (s *Disk) Stats() Stats {
	s.mu.RLock()
	n := s.open
	s.mu.RUnlock()
	return Stats{Namespaces: n, Events: int(s.events.Load()), Bytes: s.bytes.Load(), Keys: int(s.keys.Load())}
}

// logs is all open logs at this moment.
func (s *Disk) logs() []*diskLog {
	s.mu.RLock()
	defer s.mu.RUnlock()
	logs := make([]*diskLog, 0, len(s.spaces))
	for _, sp := range s.spaces {
		if sp.log != nil {
			logs = append(logs, sp.log)
		}
	}
	return logs
}

// Sweep implements Store. While the disk is said to be unwell it is tried, too.
func (s *Disk) Sweep(now time.Time) {
	for _, l := range s.logs() {
		l.sweep(now)
	}
	s.probe()
	s.trimAt.Store(s.opts.TotalBytesMax)
	s.trim(trimSweepMax)
	s.tidy(now)
}

// Close implements Store: what was appended is forced to the disk, whatever the policy,
// and the next start goes on in the same epoch. Errors are those of the file system; the
// store is closed all the same.
func (s *Disk) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.trimming.Lock() // whoever makes room is done, and nobody begins to
	defer s.trimming.Unlock()
	var errs []error
	for {
		sp := s.anyOpen()
		if sp == nil {
			break
		}
		errs = append(errs, s.shut(sp.name))
	}
	s.flusher.Close()
	return errors.Join(append(errs, s.lock.Close())...)
}

// anyOpen is a space that is open or busy, nil when there is none.
func (s *Disk) anyOpen() *space {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sp := range s.spaces {
		if sp.log != nil || sp.busy != nil {
			return sp
		}
	}
	return nil
}
