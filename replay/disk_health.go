package replay

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

const (
	probeFile  = "probe"
	probeBytes = 64 << 10 // several blocks of any file system: a full disk can't hide it in a directory
)

// diskCategory names our writes in the library's statistics.
const diskCategory vfs.DiskWriteCategory = "throng-disk"

// refused makes the answer for an operation that the disk refused, and remembers it as
// the store's health.
func (s *Disk) refused(err error) error {
	if errors.Is(err, seglog.ErrClosed) {
		return ErrClosed
	}
	e := &UnavailableError{Reason: diskReason(err), Err: err}
	if old := s.failure.Swap(e); old == nil || old.Reason != e.Reason {
		s.opts.Log.Error("the disk refuses events", "dir", s.dir, "reason", e.Reason, "error", err)
	}
	return e
}

// diskReason is one word for why the disk refused.
func diskReason(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "read_only"
	}
	return seglog.Reason(err)
}

// works notes that the disk takes events again.
func (s *Disk) works() {
	if s.failure.Load() == nil {
		return // the usual way: no write to memory that all share
	}
	if s.failure.Swap(nil) != nil {
		s.opts.Log.Info("the disk takes events again", "dir", s.dir)
	}
}

// Health implements Store: it is the last failure, until an append or the probe of a
// Sweep has worked.
func (s *Disk) Health() error {
	if e := s.failure.Load(); e != nil {
		return e
	}
	return nil
}

// probe tries the disk while it is said to be unwell, so that it is found well again
// without a publish.
func (s *Disk) probe() {
	if s.failure.Load() == nil {
		return
	}
	err := s.tryWrite()
	if err == nil {
		s.works()
		return
	}
	s.failure.Store(&UnavailableError{Reason: diskReason(err), Err: err})
}

// tryWrite writes a small file, forces it to the disk and removes it.
func (s *Disk) tryWrite() error {
	path := s.fs.PathJoin(s.dir, probeFile)
	f, err := s.fs.Create(path, diskCategory)
	if err != nil {
		return err
	}
	_, err = f.Write(slices.Repeat([]byte("probe of throng "), probeBytes/16))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), s.fs.Remove(path))
}
