package replay

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"throng/replay/seglog"
	"throng/sse"
)

// diskModel is a namespace told naively: what was acknowledged, in order. Index i has the
// number i+1, whatever its epoch.
type diskModel struct {
	log   Log
	all   []modelEvent
	acked uint64            // the highest number that was acknowledged; others may be held, and vanish
	keys  map[string]uint64 // number, for keys that were acknowledged; the window does not end here
}

// diskWorld is a disk that may lose what was not forced to it, a store on it, and what
// should be in there.
type diskWorld struct {
	t     *testing.T
	rnd   *rand.Rand
	now   time.Time
	disk  *vfs.MemFS
	fail  int // chance of a write to fail, in percent
	opts  DiskOptions
	s     *Disk
	ns    map[string]*diskModel
	given map[string]map[sse.ID]string // every ID ever acknowledged, and for what
}

// TestDisk_Model plays random operations against the store and the naive model: appends,
// reads, evictions, sweeps, refusing disks, stops, kills and power cuts. With
// seglog.Always nothing that was acknowledged is ever lost, and no ID given twice.
func TestDisk_Model(t *testing.T) {
	n := seedOf(t, "TestDisk_Model")
	rounds := uint64(40)
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		w := newDiskWorld(t, rand.New(rand.NewPCG(n, round)))
		for step := range 150 {
			w.step()
			if t.Failed() {
				t.Fatalf("round %d, step %d, limits %+v", round, step, w.opts)
			}
		}
		w.fail = 0
		if err := w.s.Close(); err != nil {
			t.Logf("round %d: Close: %v", round, err) // a flush had failed before
		}
	}
}

func newDiskWorld(t *testing.T, rnd *rand.Rand) *diskWorld {
	w := &diskWorld{t: t, rnd: rnd, now: time.Unix(1_700_000_000, 0), disk: vfs.NewCrashableMem(), ns: make(map[string]*diskModel)}
	w.given = make(map[string]map[sse.ID]string)
	w.opts = quietDisk(nil)
	w.opts.Fsync, w.opts.Now = seglog.Always, func() time.Time { return w.now }
	w.opts.EventsMax = rnd.IntN(400)
	w.opts.AgeMax = time.Duration(rnd.IntN(3)) * 10 * time.Minute
	w.opts.SegmentBytes = int64(4096 + rnd.IntN(20_000))
	w.opts.RecentEventsMax = rnd.IntN(100)
	w.opts.KeyWindow = 24 * time.Hour
	w.opts.NamespacesMax = 3
	w.start()
	return w
}

// start opens the store on the disk as it is.
func (w *diskWorld) start() {
	w.opts.FS = errorfs.Wrap(w.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose && w.fail > 0 && w.rnd.IntN(100) < w.fail {
			return syscall.ENOSPC
		}
		return nil
	}))
	s, err := NewDisk("d", w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
	for _, m := range w.ns {
		m.log = nil
	}
}

func (w *diskWorld) step() {
	name := fmt.Sprint("ns", w.rnd.IntN(3))
	m := w.ns[name]
	if m == nil {
		m = &diskModel{keys: make(map[string]uint64)}
		w.ns[name], w.given[name] = m, make(map[sse.ID]string)
	}
	if m.log == nil && !w.open(name, m) {
		w.fail = 0
		return
	}
	switch op := w.rnd.IntN(40); {
	case op < 16:
		w.append(name, m)
	case op < 28:
		w.read(m)
	case op < 31:
		w.now = w.now.Add(time.Duration(w.rnd.IntN(300)) * time.Second)
	case op < 33:
		w.s.Sweep(w.now)
	case op < 35:
		_ = w.s.Evict(name) // an error is about the clean mark only: the next start is in a new epoch
		m.log = nil
	case op < 37:
		w.fail = w.rnd.IntN(2) * w.rnd.IntN(60)
	case op < 38:
		w.fail = 0
		_ = w.s.Close()
		w.now = w.now.Add(time.Millisecond)
		w.start()
	default: // a power cut, or with all of the unsynced data a kill
		old := w.s
		w.disk = w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[w.rnd.IntN(3)], RNG: w.rnd})
		w.fail = 0
		_ = old.Close() // does what it does to a disk that is gone
		w.now = w.now.Add(time.Millisecond)
		w.start()
	}
}

// open opens a namespace, which must be as it was, but for events that nobody
// acknowledged: those of a batch that was refused may have come to the disk.
func (w *diskWorld) open(name string, m *diskModel) bool {
	l, err := w.s.Open(name)
	if err != nil {
		if w.fail == 0 || !errors.Is(err, ErrUnavailable) {
			w.t.Errorf("Open: %v", err)
		}
		return false
	}
	m.log = l
	last := l.Last().Minor
	if last < m.acked {
		w.t.Errorf("%s: %d were acknowledged, the newest held is %v", name, m.acked, l.Last())
		return false
	}
	m.all = m.all[:m.acked]
	maps.DeleteFunc(m.keys, func(_ string, number uint64) bool { return number > m.acked })
	at := l.First()
	m.unknown(at)
	if m.acked > at.Minor {
		at = m.all[m.acked-1].event.ID
	}
	page := make([]*sse.Event, 64)
	for at != l.Last() {
		n, err := l.After(w.t.Context(), at, l.Last(), page)
		if gone := (*GoneError)(nil); errors.As(err, &gone) && at.Less(gone.Resume) {
			at = gone.Resume // they were on the disk once
			m.unknown(at)
			continue
		}
		if err != nil || n == 0 {
			w.t.Errorf("After(%v): %d, %v", at, n, err)
			return false
		}
		for _, e := range page[:n] {
			m.all = append(m.all, modelEvent{event: e}) // nobody knows when
			if key, _, _ := strings.Cut(string(e.Data), " "); key != "" {
				m.keys[key] = e.ID.Minor
			}
			w.give(name, e)
		}
		at = page[n-1].ID
	}
	return true
}

// unknown fills up to a position with events that can't be read, and were not acknowledged.
func (m *diskModel) unknown(at sse.ID) {
	for i := uint64(len(m.all)) + 1; i <= at.Minor; i++ {
		m.all = append(m.all, modelEvent{event: &sse.Event{ID: sse.ID{Major: at.Major, Minor: i}}})
	}
}

// neverAcked says whether none of the numbers (from, to] was acknowledged: such may vanish.
func (m *diskModel) neverAcked(from, to int) bool {
	for _, e := range m.all[from:to] {
		if !e.at.IsZero() {
			return false
		}
	}
	return to > from
}

// give notes an ID as given, which must not have been.
func (w *diskWorld) give(name string, e *sse.Event) {
	if data, twice := w.given[name][e.ID]; twice && data != string(e.Data) {
		w.t.Errorf("%s: %v was given to %q, and now to %q", name, e.ID, data, e.Data)
	}
	w.given[name][e.ID] = string(e.Data)
}

// append publishes a random batch.
func (w *diskWorld) append(name string, m *diskModel) {
	batch := newBatch(1 + w.rnd.IntN(60))
	for i := range batch {
		if w.rnd.IntN(6) == 0 {
			batch[i].Key = fmt.Sprint("key", w.rnd.IntN(50))
		}
		batch[i].Event.Data = fmt.Appendf(nil, "%s %d %0*d", batch[i].Key, w.rnd.Uint32(), w.rnd.IntN(200), 0)
	}
	err := m.log.Append(w.t.Context(), batch)
	if err != nil {
		if w.fail == 0 || !errors.Is(err, ErrUnavailable) || w.s.Health() == nil {
			w.t.Errorf("Append: %v, health %v", err, w.s.Health())
		}
		return
	}
	stored := len(m.all)
	for i := range batch {
		r := &batch[i]
		known, ok := m.keys[r.Key]
		if r.Duplicate {
			first := m.all[r.Event.ID.Minor-1].event // nobody knows its key, if it was never read
			if (!ok || known != r.Event.ID.Minor) && first.Data != nil {
				w.t.Errorf("key %q is a duplicate of %v, want %d", r.Key, r.Event.ID, known)
			}
			continue
		}
		m.all = append(m.all, modelEvent{r.Event, w.now})
		m.acked = r.Event.ID.Minor
		if r.Event.ID.Minor != uint64(len(m.all)) || r.Err != nil {
			w.t.Errorf("stored as %v, want number %d: %v", r.Event.ID, len(m.all), r.Err)
		}
		if r.Key != "" {
			// A key is known as long as its event is held, at least.
			if ok && known > m.log.First().Minor && !m.neverAcked(int(known)-1, int(known)) {
				w.t.Errorf("key %q of number %d was forgotten", r.Key, known)
			}
			m.keys[r.Key] = r.Event.ID.Minor
		}
		w.give(name, r.Event)
	}
	if w.s.Health() != nil && len(m.all) > stored {
		w.t.Errorf("an append worked, but health is %v", w.s.Health())
	}
}

// read reads from a random position, through files or memory, and checks what is held.
func (w *diskWorld) read(m *diskModel) {
	first, last := m.log.First(), m.log.Last()
	if last.Minor != uint64(len(m.all)) {
		w.t.Errorf("last is %v, want number %d", last, len(m.all))
		return
	}
	if held := int(last.Minor - first.Minor); held > w.opts.EventsMax {
		w.t.Errorf("%d events held, %d allowed", held, w.opts.EventsMax)
	}
	if n := first.Minor; n > 0 && int(last.Minor-n) < w.opts.EventsMax {
		if removed := m.all[n-1]; w.opts.AgeMax == 0 || w.now.Sub(removed.at) <= w.opts.AgeMax {
			w.t.Errorf("number %d of %d was removed, %v old", n, last.Minor, w.now.Sub(removed.at))
		}
	}
	from := w.rnd.IntN(len(m.all) + 1)
	if w.rnd.IntN(2) == 0 {
		from = int(first.Minor) + w.rnd.IntN(int(last.Minor-first.Minor)+1)
	}
	at := first
	if from == 0 {
		from = int(first.Minor)
	}
	if from != int(first.Minor) {
		at = m.all[from-1].event.ID
	}
	page := make([]*sse.Event, 1+w.rnd.IntN(100))
	read := m.log.After
	if w.rnd.IntN(3) == 0 {
		peek := m.log.Peek
		if _, err := peek(at, last, page); err == nil {
			read = nil
		}
	}
	for at != last {
		var n int
		var err error
		if read != nil {
			n, err = read(w.t.Context(), at, last, page)
		} else if n, err = m.log.Peek(at, last, page); errors.Is(err, ErrNotResident) {
			w.t.Errorf("Peek(%v) does not know what it began", at)
		}
		if uint64(from) < first.Minor {
			if !errors.Is(err, ErrGone) {
				w.t.Errorf("After(%v) = %d, %v with First %v", at, n, err, first)
			}
			return
		}
		if gone := (*GoneError)(nil); errors.As(err, &gone) && m.neverAcked(from, int(gone.Resume.Minor)) {
			at, from = gone.Resume, int(gone.Resume.Minor)
			continue
		}
		if err != nil || n == 0 {
			w.t.Errorf("After(%v) = %d, %v", at, n, err)
			return
		}
		for _, e := range page[:n] {
			want := m.all[from].event
			if e.ID != want.ID || string(e.Data) != string(want.Data) {
				w.t.Errorf("after %v comes %v %q, want %v %q", at, e.ID, e.Data, want.ID, want.Data)
				return
			}
			at = e.ID
			from++
		}
	}
}
