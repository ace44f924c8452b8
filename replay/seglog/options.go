package seglog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	// ErrClosed says that the Log was closed.
	ErrClosed = errors.New("seglog: log is closed")
	// ErrGone says that a number was truncated away.
	ErrGone = errors.New("seglog: record is gone")
	// ErrAhead says that a number was not given yet.
	ErrAhead = errors.New("seglog: no such record yet")
	// ErrCorrupt is what every CorruptError is, by errors.Is.
	ErrCorrupt = errors.New("seglog: damaged segment")
	// ErrTooLarge refuses a record above RecordBytesMax.
	ErrTooLarge = errors.New("seglog: record is too large")
)

const (
	// RecordBytesMax is the largest record. An event and all that surrounds it is far below
	// it; above it, a reader would need more memory than a server should give for one record.
	RecordBytesMax = 64 << 20
	// SegmentBytesDefault is where a segment ends unless Options say otherwise: what a
	// start after a crash reads in some 30 ms.
	SegmentBytesDefault = 64 << 20
	// segmentBytesMin keeps the headers below a hundredth.
	segmentBytesMin = 4 << 10
)

// A Policy says when what was appended is forced to the disk.
type Policy int

const (
	// Interval: written before Append returns, forced to disk by the Flusher within its interval
	// and two of its rounds. A killed process loses nothing, a power cut what came after the
	// last flush.
	Interval Policy = iota
	// Always: forced to disk before Append returns.
	Always
	// Never: written before Append returns, forced to disk by Close and Sync only. What a
	// power cut takes is up to the kernel, and need not be a suffix: a segment may lack its
	// end though the next one is there. Only the names of segments and their headers are
	// forced to disk, so that numbers rise whatever happens.
	Never
)

var policyNames = [...]string{Interval: "interval", Always: "always", Never: "never"}

// String gives the name that ParsePolicy reads.
func (p Policy) String() string {
	if p < 0 || int(p) >= len(policyNames) {
		return fmt.Sprintf("Policy(%d)", int(p))
	}
	return policyNames[p]
}

// ParsePolicy reads "always", "interval" or "never".
func ParsePolicy(s string) (Policy, error) {
	for p, name := range policyNames {
		if s == name {
			return Policy(p), nil
		}
	}
	return 0, fmt.Errorf("seglog: unknown fsync policy %q: want always, interval or never", s)
}

// Options of a Log. The zero value is usable but for Flusher, which Interval needs.
type Options struct {
	FS           vfs.FS           // nil: the operating system's
	SegmentBytes int64            // a segment that has as many is ended; 0: SegmentBytesDefault
	Fsync        Policy           // when to force to disk
	Flusher      *Flusher         // flushes for Interval, and lets idle logs rest; may be nil for the other policies
	Now          func() time.Time // for epochs; nil: time.Now

	// Report is told of failures that no caller waits for: a *SyncError of a background
	// flush. It is called from the Flusher's goroutines or an Append, by several at once. nil:
	// nobody is told.
	Report func(error)
}

func (o *Options) check() error {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = SegmentBytesDefault
	}
	o.SegmentBytes = max(o.SegmentBytes, segmentBytesMin)
	if o.Fsync == Interval && o.Flusher == nil {
		return errors.New("seglog: fsync policy interval needs a Flusher")
	}
	return nil
}

// A SyncError says that the disk refused to keep what was acknowledged before: records
// From to To survive the process, but perhaps not a power cut.
type SyncError struct {
	Path     string
	From, To uint64
	Err      error
}

// Error names the segment, the numbers and the cause.
func (e *SyncError) Error() string {
	return fmt.Sprintf("seglog: fsync of %s failed, records %d to %d may not survive a power cut: %v", e.Path, e.From, e.To, e.Err)
}

// Unwrap gives the cause.
func (e *SyncError) Unwrap() error { return e.Err }

// A CorruptError says that a segment can't be read at some place, or ends too early, though
// it was whole once.
type CorruptError struct {
	Path   string
	Offset int64  // where in the file
	Number uint64 // first record that can't be read
	Resume uint64 // first record of the next segment: reading may go on there
}

// Error names the place and what is lost.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v: %s is unreadable at byte %d: records %d to %d are lost", ErrCorrupt, e.Path, e.Offset, e.Number, e.Resume-1)
}

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Reason is one word for why a disk refused: "disk_full", "read_only" or "io".
func Reason(err error) string {
	switch {
	case vfs.IsNoSpaceError(err) || strings.Contains(err.Error(), "disk quota exceeded"):
		return "disk_full"
	case strings.Contains(err.Error(), "read-only file system"):
		return "read_only"
	default:
		return "io"
	}
}
