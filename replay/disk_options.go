package replay

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

// DiskOptions are the limits of a Disk store. Start from DiskDefaults; a zero limit is
// meant as zero, except where the field says otherwise.
//
// EventsMax is exact. BytesMax and AgeMax are promises of what is held at least: files are
// removed whole, so a namespace takes up to BytesMax and one segment more; and an event goes
// at the latest a sixty-fourth of AgeMax after its time, or after a restart with the next
// sixty-fourth of the namespace's events. TotalBytesMax comes before them all: it takes all
// but the newest file of a namespace that is open, and everything of one that is not, but for
// an empty file that keeps the IDs rising. It is passed for a moment, and where the newest
// files of open namespaces alone take more.
//
// Keys are found in the files again after a restart. So a file stays while a key in it is
// known, though its events are not held any more, unless BytesMax or TotalBytesMax takes it:
// then its keys are forgotten by the next restart.
type DiskOptions struct {
	EventsMax     int           // events held, a namespace
	BytesMax      int64         // bytes of files held, a namespace
	AgeMax        time.Duration // age of what is held; 0: no limit
	TotalBytesMax int64         // bytes of files held, all namespaces, open or not
	NamespacesMax int           // namespaces open at once
	DirsMax       int           // namespaces on disk, open or not; of those without events the directory is removed for a new one
	KeysMax       int           // idempotency keys known, a namespace
	KeyWindow     time.Duration // how long an idempotency key is known

	Fsync         seglog.Policy // when what was appended is forced to the disk
	FsyncInterval time.Duration // wait between flushes with seglog.Interval; a power cut may take the events of it and of two rounds of flushes (seglog.Flusher)
	SegmentBytes  int64         // size of one file; 0: an eighth of BytesMax, and what TotalBytesMax allows each of NamespacesMax, from 256 KiB to 64 MiB

	RecentEventsMax     int   // newest events kept in memory too, a namespace
	RecentBytesMax      int64 // bytes of these (sse.Event.Size), a namespace
	RecentTotalBytesMax int64 // bytes of these, all namespaces

	FS  vfs.FS           // nil: the operating system's
	Log *slog.Logger     // told what was recovered, and what the disk refuses; nil: slog.Default
	Now func() time.Time // the clock; nil: time.Now
}

// DiskDefaults are limits for a server with some gigabytes of disk to spare.
func DiskDefaults() DiskOptions {
	return DiskOptions{
		EventsMax:     8 << 20,         // a day of 97 events a second; no memory is set aside for it
		BytesMax:      1 << 30,         // one namespace cannot take more than an eighth of the whole
		AgeMax:        24 * time.Hour,  // who was away over night gets all of it
		TotalBytesMax: 8 << 30,         // a small part of a small disk
		NamespacesMax: 1024,            // an open one costs some kilobytes, and at most one descriptor while it is written to
		DirsMax:       65536,           // some 200 bytes of memory and 12 KiB of disk each
		KeysMax:       65536,           // 218 keyed publishes a second over KeyWindow; about 9 MiB when full
		KeyWindow:     5 * time.Minute, // longer than any publisher retries

		Fsync:         seglog.Interval,
		FsyncInterval: 100 * time.Millisecond, // ten flushes a second leave a disk most of its time

		RecentEventsMax:     4096,      // two seconds of 2,000 events a second: a network that changed its mind
		RecentBytesMax:      4 << 20,   // with events of 1 KiB as many as RecentEventsMax
		RecentTotalBytesMax: 128 << 20, // half of what the memory store takes by default
	}
}

// Bounds of a segment's size when it follows from other limits: below, there are more files
// than anybody wants to look through; above, one more segment is a noticeable surplus. The
// newest file of a namespace can't go, so the newest of all have to fit TotalBytesMax.
const (
	segmentBytesMin   = 256 << 10
	segmentBytesMax   = 64 << 20
	segmentsOfBytes   = 8
	fsyncIntervalMin  = time.Millisecond
	fsyncIntervalMax  = time.Minute
	segmentBytesFloor = 4 << 10 // what an operator may ask for
)

// check fills in what was left out, and refuses what can't be meant.
func (o *DiskOptions) check() error {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SegmentBytes == 0 {
		most := o.TotalBytesMax / int64(max(o.NamespacesMax, 1))
		o.SegmentBytes = min(max(min(o.BytesMax/segmentsOfBytes, most), segmentBytesMin), segmentBytesMax)
	}
	switch {
	case o.EventsMax < 0 || o.BytesMax < 0 || o.AgeMax < 0 || o.TotalBytesMax < 0 || o.NamespacesMax < 0 || o.DirsMax < 0 || o.KeysMax < 0 || o.KeyWindow < 0 ||
		o.RecentEventsMax < 0 || o.RecentBytesMax < 0 || o.RecentTotalBytesMax < 0:
		return errors.New("replay: a limit of the disk store is negative: want 0 or more")
	case o.SegmentBytes < segmentBytesFloor:
		return fmt.Errorf("replay: segments of %d bytes: want at least %d", o.SegmentBytes, segmentBytesFloor)
	case o.Fsync == seglog.Interval && (o.FsyncInterval < fsyncIntervalMin || o.FsyncInterval > fsyncIntervalMax):
		return fmt.Errorf("replay: fsync interval %v: want %v to %v", o.FsyncInterval, fsyncIntervalMin, fsyncIntervalMax)
	}
	return nil
}
