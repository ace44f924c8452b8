package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"throng/replay/seglog"
	"throng/sse"
)

// TestDisk_Stories runs every story of testdata/script/disk; what a story is, is told at
// TestMemory_Stories. The disk is one in memory that can lose what was not forced to it.
func TestDisk_Stories(t *testing.T) { runStories(t, "testdata/script/disk/*.txt", tellDisk) }

// tellDisk plays a story and writes it down again with the answers that came.
func tellDisk(story string) []byte {
	var out bytes.Buffer
	p := diskPlay{disk: vfs.NewCrashableMem(), opts: DiskDefaults()}
	p.now = time.UnixMilli(1000)
	p.opts.FsyncInterval = time.Minute // nothing happens in a story by itself
	p.opts.Now = func() time.Time { return p.now }
	p.opts.Log = slog.New(slog.NewTextHandler(&p.lines, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		switch command, ok := strings.CutPrefix(line, "> "); {
		case ok:
			answer := strings.TrimRight(p.do(strings.Fields(command)), "\n")
			fmt.Fprintf(&out, "%s\n%s%s\n", line, p.lines.String(), answer)
			p.lines.Reset()
		case line == "" || line[0] == '#':
			fmt.Fprintln(&out, line)
		}
	}
	if p.store != nil {
		p.refuse.Store(0)
		_ = p.store.Close()
	}
	return out.Bytes()
}

// diskPlay is the world of a story: a clock that only its commands move, a disk, and one
// store on it.
type diskPlay struct {
	play
	disk   *vfs.MemFS
	refuse atomic.Int32 // the error number that every write gets; 0: none
	opts   DiskOptions
	store  *Disk
	lines  bytes.Buffer // what the store logged
}

// do runs one command.
func (p *diskPlay) do(args []string) string {
	switch cmd := args[0]; cmd {
	case "start":
		return p.start(args[1:])
	case "stop":
		return answer(p.store.Close())
	case "kill", "power-cut":
		return p.end(map[string]int{"kill": 100, "power-cut": 0}[cmd])
	case "clock":
		d, err := time.ParseDuration(args[1])
		p.now = p.now.Add(d)
		return answer(err)
	case "sweep":
		p.store.Sweep(p.now)
		return "ok"
	case "disk":
		number, ok := map[string]syscall.Errno{"full": syscall.ENOSPC, "read-only": syscall.EROFS, "broken": syscall.EIO, "well": 0}[args[1]]
		p.refuse.Store(int32(number))
		return map[bool]string{true: "ok", false: "no such state"}[ok]
	case "health":
		return answer(p.store.Health())
	case "stats":
		s := p.store.Stats()
		return fmt.Sprintf("%d namespaces, %d events, %d keys", s.Namespaces, s.Events, s.Keys)
	case "open":
		l, err := p.store.Open(args[1])
		if err != nil {
			return err.Error()
		}
		p.logs[args[1]] = l
		return "first " + l.First().String() + ", last " + l.Last().String()
	case "evict":
		return answer(p.store.Evict(args[1]))
	case "files":
		return p.files(args[1])
	case "damage":
		return p.damage(args[1:])
	case "append":
		return middleCut(p.append(p.logs[args[1]], args[2:]))
	case "after":
		return middleCut(p.after(p.logs[args[1]], args[2:]))
	case "peek":
		return p.peek(p.logs[args[1]], args[2])
	}
	return "no such command"
}

// start opens the store: start [fsync=P] [events=N] [bytes=N] [age=D] [total=N]
// [namespaces=N] [keys=N] [window=D] [segment=N] [recent=N].
func (p *diskPlay) start(args []string) string {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		d, _ := time.ParseDuration(value)
		switch name {
		case "fsync":
			p.opts.Fsync, _ = seglog.ParsePolicy(value)
		case "events":
			p.opts.EventsMax = int(n)
		case "bytes":
			p.opts.BytesMax = n
		case "age":
			p.opts.AgeMax = d
		case "total":
			p.opts.TotalBytesMax = n
		case "namespaces":
			p.opts.NamespacesMax = int(n)
		case "keys":
			p.opts.KeysMax = int(n)
		case "window":
			p.opts.KeyWindow = d
		case "segment":
			p.opts.SegmentBytes = n
		case "recent":
			p.opts.RecentEventsMax = int(n)
		default:
			return "no such limit: " + name
		}
	}
	p.opts.FS = errorfs.Wrap(p.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if number := p.refuse.Load(); number != 0 && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
			return &fs.PathError{Op: "write", Path: op.Path, Err: syscall.Errno(number)}
		}
		return nil
	}))
	var err error
	p.store, err = NewDisk("d", p.opts)
	p.logs = make(map[string]Log)
	return answer(err)
}

// end is the end of a process that had no time to close: what it had written but not forced
// to the disk stays with the given chance.
func (p *diskPlay) end(percent int) string {
	old := p.store
	p.disk = p.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: newRand(1)})
	_ = old.Close() // what it does now, it does to a disk that is gone
	p.lines.Reset()
	return "ok"
}

// files lists the segments of a namespace.
func (p *diskPlay) files(ns string) string {
	names, err := p.disk.List(p.disk.PathJoin("d", spacesDir, ns))
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasSuffix(name, ".seg") {
			continue
		}
		info, err := p.disk.Stat(p.disk.PathJoin("d", spacesDir, ns, name))
		if err != nil {
			return err.Error()
		}
		fmt.Fprintln(&out, name, info.Size())
	}
	return out.String()
}

// damage changes the file in place: damage NS FILE OFFSET.
func (p *diskPlay) damage(args []string) string {
	offset, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err.Error()
	}
	f, err := p.disk.OpenReadWrite(p.disk.PathJoin("d", spacesDir, args[0], args[1]), diskCategory)
	if err != nil {
		return err.Error()
	}
	_, err = f.WriteAt([]byte("DAMAGE"), offset)
	return answer(errors.Join(err, f.Sync(), f.Close()))
}

// middleCut leaves out the middle of a long answer.
func middleCut(answer string) string {
	lines := strings.Split(strings.TrimRight(answer, "\n"), "\n")
	if len(lines) < 10 {
		return answer
	}
	return lines[0] + "\n…\n" + lines[len(lines)-1]
}

// peek reads one page from memory: peek NS ID.
func (p *diskPlay) peek(l Log, from string) string {
	at, err := sse.ParseID(from)
	if err != nil {
		return err.Error()
	}
	page := make([]*sse.Event, 10)
	n, err := l.Peek(at, l.Last(), page)
	if gone := (*GoneError)(nil); errors.As(err, &gone) {
		return fmt.Sprintf("gone: earliest %s, resume from %s", gone.Earliest, gone.Resume)
	}
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, e := range page[:n] {
		fmt.Fprintf(&out, "%s %s\n", e.ID, e.Data)
	}
	return out.String() + fmt.Sprint(n, " from memory")
}
