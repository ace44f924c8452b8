package replay

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"throng/sse"
)

var seed = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one")

// model is a namespace told naively: everything ever appended, and how much of its
// front is gone.
type model struct {
	log   Log
	all   []modelEvent // index i has Minor i+1
	gone  int          // all[:gone] were removed
	bytes int64        // of all[gone:]
	keys  []modelKey   // in the order they were remembered
}

type modelEvent struct {
	event *sse.Event
	at    time.Time
}

type modelKey struct {
	key   string
	sum   [32]byte
	minor int
	at    time.Time
}

// world is the store and what it should be.
type world struct {
	t    *testing.T
	rnd  *rand.Rand
	now  time.Time
	opts MemoryOptions
	s    *Memory
	ns   map[string]*model
}

// TestMemory_Model plays random operations against the store and the naive model.
func TestMemory_Model(t *testing.T) {
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("go test -run TestMemory_Model -seed %d", n)
	for round := range uint64(40) {
		w := newWorld(t, rand.New(rand.NewPCG(n, round)))
		for range 300 {
			w.step()
			if t.Failed() {
				t.Fatalf("round %d, limits %+v", round, w.opts)
			}
		}
	}
}

func newWorld(t *testing.T, rnd *rand.Rand) *world {
	w := &world{t: t, rnd: rnd, now: time.Unix(1_700_000_000, 0), ns: make(map[string]*model)}
	w.opts = MemoryOptions{
		EventsMax:     rnd.IntN(200),
		BytesMax:      int64(rnd.IntN(60_000)),
		AgeMax:        time.Duration(rnd.IntN(3)) * time.Minute,
		TotalBytesMax: int64(20_000 + rnd.IntN(100_000)),
		NamespacesMax: 4,
		KeysMax:       rnd.IntN(20),
		KeyWindow:     time.Minute,
		TombstonesMax: 100, // nothing is forgotten here: that is a story of its own
		Now:           func() time.Time { return w.now },
	}
	w.s = NewMemory(w.opts)
	return w
}

func (w *world) step() {
	name := fmt.Sprint("ns", w.rnd.IntN(4))
	m := w.ns[name]
	if m == nil {
		m = &model{}
		w.ns[name] = m
	}
	if m.log == nil {
		m.log = mustOpen(w.t, w.s, name)
	}
	switch op := w.rnd.IntN(20); {
	case op < 8:
		w.append(m)
	case op < 16:
		w.after(m)
	case op < 18:
		w.now = w.now.Add(time.Duration(w.rnd.IntN(40)) * time.Second)
	case op < 19:
		w.s.Sweep(w.now)
		for _, m := range w.ns {
			w.enforce(m)
		}
	default:
		if err := w.s.Evict(name); err != nil {
			w.t.Error(err)
		}
		m.log, m.gone, m.bytes, m.keys = nil, len(m.all), 0, nil
	}
	w.compare()
}

// append publishes a random batch and checks each record's fate.
func (w *world) append(m *model) {
	batch := newBatch(1 + w.rnd.IntN(100))
	for i := range batch {
		r := &batch[i]
		r.Event.Data = make([]byte, w.rnd.IntN(300))
		if w.rnd.IntN(4) == 0 {
			r.Key = fmt.Sprint("key", w.rnd.IntN(30))
			r.Sum[0] = byte(w.rnd.IntN(2))
		}
	}
	if err := m.log.Append(w.t.Context(), batch); err != nil {
		w.t.Error(err)
	}
	for i := range batch {
		w.fate(m, &batch[i])
	}
	w.enforce(m)
	w.learnTrim()
}

// fate is what must have become of one record.
func (w *world) fate(m *model, r *Record) {
	minor := len(m.all) + 1
	if r.Key != "" {
		for len(m.keys) > 0 && w.now.Sub(m.keys[0].at) > w.opts.KeyWindow {
			m.keys = m.keys[1:]
		}
		for _, k := range m.keys {
			switch {
			case k.key != r.Key:
			case k.sum != r.Sum:
				if !errors.Is(r.Err, ErrKeyReused) || r.Duplicate {
					w.t.Errorf("%+v, want ErrKeyReused", r)
				}
				return
			default:
				if r.Err != nil || !r.Duplicate || r.Event.ID.Minor != uint64(k.minor) {
					w.t.Errorf("%+v, want a duplicate of %d", r, k.minor)
				}
				return
			}
		}
		m.keys = append(m.keys, modelKey{r.Key, r.Sum, minor, w.now})
		m.keys = m.keys[max(0, len(m.keys)-w.opts.KeysMax):]
	}
	if r.Err != nil || r.Duplicate || r.Event.ID.Minor != uint64(minor) {
		w.t.Errorf("%+v, want to be stored as %d", r, minor)
	}
	m.all = append(m.all, modelEvent{r.Event, w.now})
	m.bytes += int64(r.Event.Size())
}

// remove takes one event off the front.
func (m *model) remove() {
	m.bytes -= int64(m.all[m.gone].event.Size())
	m.gone++
}

// enforce is retention of one namespace.
func (w *world) enforce(m *model) {
	for m.gone < len(m.all) && (len(m.all)-m.gone > w.opts.EventsMax || m.bytes > w.opts.BytesMax ||
		w.opts.AgeMax > 0 && w.now.Sub(m.all[m.gone].at) > w.opts.AgeMax) {
		m.remove()
	}
}

// learnTrim: when all together are too much the store may remove more, from anywhere but
// only from the front and not below its goal by more than one event.
func (w *world) learnTrim() {
	var total int64
	for _, m := range w.ns {
		total += m.bytes
	}
	if total <= w.opts.TotalBytesMax {
		return
	}
	for _, m := range w.ns {
		if m.log == nil {
			continue
		}
		l := m.log.(*memLog)
		for m.gone < int(l.last.Load())-l.events.n {
			m.remove()
		}
	}
	held := w.s.Stats().Bytes
	goal := w.opts.TotalBytesMax - w.opts.TotalBytesMax/trimShare
	if held > w.opts.TotalBytesMax || held < goal-600 { // no event here is larger
		w.t.Errorf("%d bytes held after a trim to %d", held, goal)
	}
}

// after reads from a random position to a random position.
func (w *world) after(m *model) {
	w.enforce(m)
	from, to := w.rnd.IntN(len(m.all)+3), w.rnd.IntN(len(m.all)+3)
	if w.rnd.IntN(2) == 0 {
		from = m.gone
	}
	id := func(minor int) sse.ID { return sse.ID{Major: w.s.opts.Epoch, Minor: uint64(minor)} }
	dst := make([]*sse.Event, w.rnd.IntN(80))
	n, err := m.log.After(w.t.Context(), id(from), id(to), dst)
	if from < m.gone || from > len(m.all) {
		want := GoneError{Earliest: id(min(m.gone+1, len(m.all))), Resume: id(m.gone)}
		if from > len(m.all) {
			want.Resume = id(len(m.all))
		}
		if gone := (*GoneError)(nil); !errors.As(err, &gone) || *gone != want {
			w.t.Errorf("After(%d) with %d..%d: %v, want %v", from, m.gone, len(m.all), err, &want)
		}
		return
	}
	want := min(max(0, min(to, len(m.all))-from), len(dst), dequePage)
	if n != want || err != nil {
		w.t.Errorf("After(%d, %d) with %d..%d = %d, %v, want %d", from, to, m.gone, len(m.all), n, err, want)
		return
	}
	for i, e := range dst[:n] {
		if e != m.all[from+i].event {
			w.t.Errorf("After(%d)[%d] is %v", from, i, e.ID)
		}
	}
}

// compare looks at the counts, without reading through the log: that would remove.
func (w *world) compare() {
	var want Stats
	for name, m := range w.ns {
		if m.log == nil {
			continue
		}
		want.Namespaces++
		want.Events += len(m.all) - m.gone
		want.Bytes += m.bytes
		l := m.log.(*memLog)
		if int(l.last.Load()) != len(m.all) || l.events.n != len(m.all)-m.gone {
			w.t.Errorf("%s holds %d up to %d, want %d up to %d", name, l.events.n, l.last.Load(), len(m.all)-m.gone, len(m.all))
		}
		if len(l.keys.known) > w.opts.KeysMax || l.keys.order.n > w.opts.KeysMax {
			w.t.Errorf("%s knows %d keys in %d places", name, len(l.keys.known), l.keys.order.n)
		}
	}
	got := w.s.Stats()
	want.Keys = got.Keys // expired ones may still be held
	if got != want {
		w.t.Errorf("stats %+v, want %+v", got, want)
	}
}
