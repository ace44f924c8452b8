package seglog

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var seedFlag = flag.Uint64("seed", 0, "run one seed of the crash tests; 0: many")

// A world is a log on a file system that crashes and fails, and what must be in the log.
type world struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	o    Options

	disk    *vfs.MemFS
	crashAt int        // the power goes before this operation of the file system; 0: not
	crashed *vfs.MemFS // what the disk is then
	failing bool       // operations fail now and then
	ops     int

	l     *Log
	texts map[uint64]string   // what was acknowledged
	maybe map[uint64][]string // what was refused, and may turn up after a crash nevertheless
	last  uint64              // acknowledged
	safe  uint64              // acknowledged, and not to be lost by a power cut
	first uint64              // oldest held for sure
	doubt map[uint64]bool     // the log said that the disk may not keep these
	epoch uint64
	ms    int64
	story []string
}

var errPowerCut = errors.New("power cut")

// MaybeError is called before each operation of the file system.
func (w *world) MaybeError(op errorfs.Op) error {
	if w.crashed != nil {
		return errPowerCut
	}
	w.ops++
	if w.ops == w.crashAt {
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 0, 30, 70, 100}[w.rng.IntN(5)], RNG: rand.New(rand.NewPCG(w.seed, uint64(w.ops)))}
		w.crashed = w.disk.CrashClone(cfg)
		w.tell("power cut before operation %d (kind %d, %s), %d%% of what was not synced stays", w.ops, op.Kind, op.Path, cfg.UnsyncedDataPercent)
		return errPowerCut
	}
	if w.failing && w.rng.IntN(8) == 0 {
		err := []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS}[w.rng.IntN(3)]
		w.tell("  %v for kind %d, %s", err, op.Kind, op.Path)
		return err
	}
	return nil
}

func (w *world) String() string { return "world" }

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s\nseed %d: go test ./replay/seglog -run %s -seed %d", strings.Join(w.story, "\n"), fmt.Sprintf(format, args...), w.seed, strings.SplitN(w.t.Name(), "/", 2)[0], w.seed)
}

// start opens the log on the disk as it is, and checks what is found.
func (w *world) start(power bool) {
	w.crashed, w.crashAt = nil, 0
	w.ms += int64(w.rng.IntN(3)) * 1000 // the clock may stand still
	w.o.FS = errorfs.Wrap(&tornFS{FS: w.disk, w: w}, w)
	failing := w.failing
	w.failing = w.rng.IntN(4) == 0
	if w.rng.IntN(4) == 0 {
		w.crashAt = w.ops + 1 + w.rng.IntN(12)
	}
	doubt := w.doubt
	w.doubt = map[uint64]bool{}
	l, r, err := Open("/data/log", w.o)
	w.tell("open: %v, %v", r, err)
	if w.crashed != nil {
		w.disk, w.failing, w.doubt = w.crashed, failing, doubt
		w.start(true)
		return
	}
	w.crashAt = 0
	if err != nil && w.failing {
		w.failing = false
		l, r, err = Open("/data/log", w.o)
		w.tell("open again: %v, %v", r, err)
	}
	if err != nil {
		w.fatalf("open: %v", err)
	}
	w.failing = false
	doubt, w.doubt = w.doubt, doubt
	w.check(l, power, r.Clean)
	w.doubt = doubt
	w.failing, w.l = failing, l
}

// check compares the log with what must be in it, and takes over what is.
func (w *world) check(l *Log, power, clean bool) {
	must := w.last
	if power {
		must = w.safe
	}
	fresh := l.Last() == 0
	if w.epoch > 0 && !(l.Epoch() > w.epoch || clean && l.Epoch() == w.epoch) || clean && !fresh && l.Epoch() < w.epoch {
		w.fatalf("epoch is %d after %d, clean %t", l.Epoch(), w.epoch, clean)
	}
	got := map[uint64]bool{}
	n, end := l.First(), uint64(0)
	for n != end {
		var texts []string
		texts, end = readSome(w.t, l, n)
		for _, text := range texts {
			want, ok := w.texts[n]
			if !(ok && text == want) && !(n > w.last && slices.Contains(w.maybe[n], text)) {
				w.fatalf("record %d is %.40q, want %.40q or one of %.80q", n, text, want, w.maybe[n])
			}
			w.texts[n], got[n] = text, true
			n++
		}
		if end != 0 {
			n, end = end, 0
		} else {
			end = n
		}
	}
	if n != l.Last()+1 {
		w.fatalf("reading ended at %d, last is %d", n, l.Last())
	}
	for n := range w.texts {
		if got[n] {
			continue
		}
		if n >= w.first && n <= must && !(power && (w.o.Fsync == Never || w.doubt[n])) {
			w.fatalf("record %d is lost: %d to %d were acknowledged", n, w.first, must)
		}
		if n >= l.First() { // what was truncated may come back
			delete(w.texts, n)
		}
	}
	if !clean || l.tail != nil { // else the refused is where it was, with nothing to hide it
		clear(w.maybe)
	}
	w.last, w.first = l.Last(), l.First()
	if l.tail != nil { // else no record has the new epoch, and the next start may take it, even if a marker had it
		w.epoch = l.Epoch()
	}
	w.safe = w.last
}

// append adds a batch of random sizes.
func (w *world) append() {
	var batch [][]byte
	for range w.rng.IntN(6) + 1 {
		b := fmt.Appendf(nil, "%d.%d:", w.l.Epoch(), w.rng.Uint32())
		b = append(b, make([]byte, []int{0, 5, 50, 200, 200, 200, 3000, 36000}[w.rng.IntN(8)])...)
		batch = append(batch, b)
	}
	err := w.l.Append(batch)
	w.tell("append %d behind %d: %v", len(batch), w.last, err)
	for i, b := range batch {
		n := w.last + 1 + uint64(i)
		if err != nil {
			w.maybe[n] = append(w.maybe[n], string(b))
		} else {
			w.texts[n] = string(b)
		}
	}
	if err == nil {
		w.last += uint64(len(batch))
		w.epoch = w.l.Epoch()
		clear(w.maybe)
		if w.o.Fsync == Always {
			w.safe = w.last
		}
	}
}

// step does one thing, and what a power cut asks for after it.
func (w *world) step() {
	if w.rng.IntN(12) == 0 {
		w.crashAt = w.ops + 1 + w.rng.IntN(12)
	}
	switch k := w.rng.IntN(20); {
	case k < 12:
		w.append()
	case k < 14:
		n := w.first + uint64(w.rng.IntN(int(w.last-w.first)+2))
		err := w.l.TruncateBefore(n)
		w.first = w.l.First()
		w.tell("truncate before %d: %v, first is %d", n, err, w.first)
	case k < 15:
		last := w.last
		err := w.l.Sync()
		if e, ok := errors.AsType[*SyncError](err); ok {
			w.doubtful(e)
		} else if err == nil {
			w.safe = last
		}
		w.tell("sync: %v", err)
	case k < 16:
		w.l.tick()
		w.l.idle = w.rng.IntN(restTicks + 1)
		w.tell("tick")
	case k < 17 && w.crashAt == 0:
		err := w.l.Close()
		w.tell("close: %v", err)
		w.start(false)
	case k < 18 && w.crashAt == 0:
		w.tell("kill")
		w.start(false)
	default:
		w.failing = w.failing != (w.rng.IntN(3) == 0)
		w.tell("failing: %t", w.failing)
	}
	if w.crashed != nil {
		w.disk = w.crashed
		w.start(true)
	}
}

// doubtful takes a failed flush into account.
func (w *world) doubtful(e *SyncError) {
	w.tell("  doubtful: %d to %d", e.From, e.To)
	for n := e.From; n <= e.To; n++ {
		w.doubt[n] = true
	}
}

// tornFS writes a part of what fails to be written.
type tornFS struct {
	vfs.FS
	w *world
}

type tornFile struct {
	vfs.File
	w *world
}

func (f *tornFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return &tornFile{file, f.w}, err
}

func (f *tornFile) WriteAt(p []byte, off int64) (int, error) {
	if f.w.failing && f.w.rng.IntN(4) == 0 {
		n, _ := f.File.WriteAt(p[:f.w.rng.IntN(len(p)+1)], off)
		f.w.tell("  wrote %d of %d bytes", n, len(p))
		return n, syscall.ENOSPC
	}
	return f.File.WriteAt(p, off)
}

func (f *tornFile) SyncData() error {
	if f.w.failing && f.w.rng.IntN(8) == 0 {
		_ = f.File.SyncData()
		f.w.tell("  synced, and said it failed")
		return syscall.EIO
	}
	return f.File.SyncData()
}

func runWorld(t *testing.T, seed uint64, p Policy) {
	f := NewFlusher(time.Hour) // the test ticks
	defer f.Close()
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, uint64(p))), disk: vfs.NewCrashableMem(),
		texts: map[uint64]string{}, maybe: map[uint64][]string{}, doubt: map[uint64]bool{}, first: 1, ms: 1000}
	w.o = Options{Fsync: p, SegmentBytes: 8 << 10, Flusher: f, Now: func() time.Time { return time.UnixMilli(w.ms) }}
	w.o.Report = func(err error) {
		if e, ok := errors.AsType[*SyncError](err); ok {
			w.doubtful(e)
		}
	}
	w.start(false)
	for range 60 {
		w.step()
	}
}

func TestCrash_AcknowledgedSurvives(t *testing.T) {
	const runs = 100 // each has several crashes
	for _, p := range []Policy{Always, Interval, Never} {
		t.Run(p.String(), func(t *testing.T) {
			if *seedFlag != 0 {
				runWorld(t, *seedFlag, p)
				return
			}
			base := uint64(time.Now().UnixNano())
			t.Logf("seeds %d to %d", base, base+runs-1)
			for i := range uint64(runs) {
				runWorld(t, base+i, p)
			}
		})
	}
}
