package replay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"throng/replay/seglog"
	"throng/sse"
)

// scratchBytesMax is the most that a scratch keeps for the next batch.
const scratchBytesMax = 1 << 20

// A scratch is what one Append needs for its duration. It is pooled: most logs are idle.
type scratch struct {
	bytes   []byte          // the encoded events, one behind the other
	records [][]byte        // parts of bytes
	fresh   []*sse.Event    // the events to be stored
	keys    []freshKey      // the keys among them
	claimed map[keyHash]int // index in keys, for keys that come twice in one batch
}

// A freshKey is a key that is remembered once its event is stored.
type freshKey struct {
	hash  keyHash
	entry keyEntry
}

var scratches = sync.Pool{New: func() any { return &scratch{claimed: make(map[keyHash]int)} }}

// release gives a scratch back, without what it points to.
func (s *scratch) release() {
	if cap(s.bytes) > scratchBytesMax {
		s.bytes = nil
	}
	clear(s.records)
	clear(s.fresh)
	clear(s.claimed)
	s.bytes, s.records, s.fresh, s.keys = s.bytes[:0], s.records[:0], s.fresh[:0], s.keys[:0]
	scratches.Put(s)
}

// Append implements Log: the whole batch is one write, and with seglog.Always one flush.
func (l *diskLog) Append(ctx context.Context, batch []Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	now := l.store.opts.Now()
	if err := l.commit(batch, s, now); err != nil {
		return err
	}
	l.enforce(now)
	l.store.trim(trimAppendMax)
	return nil
}

// commit stores a batch.
func (l *diskLog) commit(batch []Record, s *scratch, now time.Time) error {
	l.io.Lock()
	defer l.io.Unlock()
	if l.shut {
		return ErrClosed
	}
	l.encode(batch, s, now)
	if len(s.fresh) == 0 {
		return nil
	}
	if err := l.log.Append(s.records); err != nil {
		return l.store.refused(err) // nothing of the batch was remembered
	}
	l.store.works()
	sse.SealAll(s.fresh)
	at := l.store.since(now)
	for i := range s.keys {
		l.keys.remember(s.keys[i].hash, s.keys[i].entry, at)
	}
	l.recent.add(s.fresh)
	l.publish(len(s.fresh), now.UnixMilli())
	return nil
}

// encode checks the keys of a batch, gives IDs, and encodes what is new. io is held, so
// last stays as it is.
func (l *diskLog) encode(batch []Record, s *scratch, now time.Time) {
	size, keyed := 0, 0
	for i := range batch {
		r := &batch[i]
		r.Duplicate, r.Err, r.Spooled = false, nil, 0
		if n := recordBytesMax(r); n <= seglog.RecordBytesMax {
			size += n
		}
		if r.Key != "" {
			keyed++
		}
	}
	if cap(s.bytes) < size {
		s.bytes = make([]byte, 0, size)
	}
	ms, at, epoch := now.UnixMilli(), l.store.since(now), l.epoch()
	for i := range batch {
		r := &batch[i]
		minor := l.last.Load() + 1 + uint64(len(s.fresh))
		if n := recordBytesMax(r); n > seglog.RecordBytesMax {
			r.Err = fmt.Errorf("replay: event of %d bytes: the disk store takes up to %d", n, seglog.RecordBytesMax)
			continue
		}
		var hash keyHash
		if r.Key != "" {
			hash = hashKey(r.Key)
			if !l.claim(r, s, hash, keyEntry{sum: r.Sum, minor: minor, at: at}, keyed) {
				continue
			}
		}
		r.Event.ID = sse.ID{Major: epoch, Minor: minor}
		from := len(s.bytes)
		s.bytes = appendRecord(s.bytes, r, &hash, ms)
		s.records = append(s.records, s.bytes[from:])
		s.fresh = append(s.fresh, r.Event)
	}
}

// claim says whether a record's key is new, to the log and to its batch. If it is not, the
// record gets its fate.
func (l *diskLog) claim(r *Record, s *scratch, hash keyHash, e keyEntry, keyed int) bool {
	known, ok := l.keys.find(hash, e.at)
	if i, twice := s.claimed[hash]; twice {
		known, ok = s.keys[i].entry, true
	}
	switch {
	case !ok:
		if keyed > 1 {
			s.claimed[hash] = len(s.keys)
		}
		s.keys = append(s.keys, freshKey{hash, e})
	case known.sum == r.Sum:
		r.Duplicate, r.Event.ID = true, l.id(known.minor)
	default:
		r.Err = ErrKeyReused
	}
	return !ok
}

// publish lets readers see n more events, and no more than EventsMax.
func (l *diskLog) publish(n int, ms int64) {
	l.state.Lock()
	defer l.state.Unlock()
	last := l.last.Add(uint64(n))
	l.store.events.Add(int64(n))
	l.mark(last, ms)
	l.limitEvents(last)
}
