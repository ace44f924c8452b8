package seglog

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// dirMode: what users were told is nobody else's business.
const dirMode = 0o750

// Lock keeps other processes out of a directory of logs until the Closer is closed, or the
// process ends. Open does not call it: a store of many logs locks once, at its root.
func Lock(files vfs.FS, dir string) (io.Closer, error) {
	if files == nil {
		files = vfs.Default
	}
	if err := files.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("seglog: %s: %w", dir, err)
	}
	c, err := files.Lock(files.PathJoin(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("seglog: %s is in use by another process, or can't be locked: %w", dir, err)
	}
	return c, nil
}

// syncAbove forces the name of dir to the disk, and the names of all directories above it:
// the start that made them may have ended before it did so. Where the process may not look,
// it made nothing.
func syncAbove(files vfs.FS, dir string) error {
	for up := files.PathDir(dir); up != dir; dir, up = up, files.PathDir(up) {
		if err := syncDir(files, up); errors.Is(err, fs.ErrPermission) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// syncDir forces the names in a directory to the disk.
func syncDir(files vfs.FS, dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// remove removes a file; one that is not there is as good as removed.
func remove(files vfs.FS, path string) error {
	if err := files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// markerName is the file that a Close leaves behind and an Open takes away.
const markerName = "clean"

// A marker says that all was on the disk when the log was closed, and what that was.
type marker struct {
	epoch, last uint64 // of the log
	seq         uint64 // newest segment with records; 0: none
	end         int64  // where its last record ends
}

const markerFormat = "epoch %d last %d segment %d end %d"

func (m *marker) encode() []byte {
	s := fmt.Sprintf(markerFormat, m.epoch, m.last, m.seq, m.end)
	return fmt.Appendf(nil, "%s crc %08x\n", s, crc32.Checksum([]byte(s), castagnoli))
}

func parseMarker(b []byte) (m marker, ok bool) {
	var sum uint32
	n, err := fmt.Sscanf(string(b), markerFormat+" crc %x\n", &m.epoch, &m.last, &m.seq, &m.end, &sum)
	return m, err == nil && n == 5 && string(m.encode()) == string(b) && m.epoch > 0 && m.epoch < numberMax && m.last < numberMax
}

// readMarker answers false when there is none that can be believed.
func readMarker(files vfs.FS, dir string) (marker, bool) {
	f, err := files.Open(files.PathJoin(dir, markerName))
	if err != nil {
		return marker{}, false
	}
	defer f.Close()
	var b [256]byte
	n, _ := f.ReadAt(b[:], 0)
	return parseMarker(b[:n])
}

// writeMarker puts it on the disk.
func writeMarker(files vfs.FS, dir string, m marker) error {
	f, err := files.Create(files.PathJoin(dir, markerName), category)
	if err != nil {
		return err
	}
	_, err = f.Write(m.encode())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(files, dir)
}

// takeMarker removes it. The name of the next segment takes the removal to the disk with it,
// before anything is acknowledged; if a power cut comes first, the log is as it was closed.
func takeMarker(files vfs.FS, dir string) error {
	return remove(files, files.PathJoin(dir, markerName))
}
