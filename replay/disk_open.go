package replay

import (
	"errors"
	"io"
	"sort"
	"time"

	"throng/replay/seglog"
)

// openLog opens the log of a namespace and finds out what an Append has to know: epochs,
// times, and the keys of the last KeyWindow. The space is ours.
func (s *Disk) openLog(sp *space) (*diskLog, error) {
	log, recovery, err := seglog.Open(s.path(sp.name), s.options())
	if err != nil {
		return nil, err
	}
	s.tell(sp.name, &recovery)
	l := &diskLog{store: s, space: sp, log: log, spans: log.Epochs()}
	l.last.Store(log.Last())
	l.first.Store(log.First() - 1)
	if n := len(l.spans); n == 0 || l.spans[n-1].Epoch != log.Epoch() {
		l.spans = append(l.spans, seglog.Span{Epoch: log.Epoch(), First: log.Last() + 1})
	}
	l.keys = keys{max: s.opts.KeysMax, window: s.opts.KeyWindow, total: &s.keys}
	l.readers.total = &s.waiting
	s.events.Add(int64(l.last.Load() - l.first.Load()))
	l.recent = s.pool.open(l.id(l.last.Load()))
	now := s.opts.Now()
	if err := errors.Join(l.findTimes(), l.findKeys(now)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.limitEvents(l.last.Load())
	l.enforce(now)
	return l, nil
}

// tell says what a start after a crash found; a clean one is not worth a line.
func (s *Disk) tell(ns string, r *seglog.Recovery) {
	switch {
	case r.DroppedBytes > 0 || r.LostRecords > 0:
		s.opts.Log.Warn("a log was recovered, and not all of it", "namespace", ns, "first", r.First, "last", r.Last, "epoch", r.Epoch,
			"lost_between", r.LostRecords, "dropped_bytes", r.DroppedBytes, "dropped_in", r.DroppedIn)
	case !r.Clean:
		s.opts.Log.Info("a log was recovered", "namespace", ns, "first", r.First, "last", r.Last, "epoch", r.Epoch)
	}
}

// timeAt reads when an event was appended, in unix milliseconds.
func timeAt(log *seglog.Log, n uint64) (int64, error) {
	r, err := log.Reader(n)
	if err != nil {
		return 0, err
	}
	_, record, err := r.Next()
	if err != nil {
		return 0, errors.Join(err, r.Close())
	}
	v, err := parseRecord(record)
	return v.ms, errors.Join(err, r.Close())
}

// findTimes samples the times of what is held. What can't be read counts to the part
// behind it: it is held longer then.
func (l *diskLog) findTimes() error {
	l.expiry.Store(noExpiry)
	first, last := l.log.First(), l.log.Last()
	if first > last || l.store.opts.AgeMax == 0 {
		return nil
	}
	step := max(1, (last-first+1)/ageMarks)
	for n := first + step - 1; ; n = min(n+step, last) {
		ms, err := timeAt(l.log, n)
		switch {
		case err == nil:
			l.mark(n, ms)
		case !damaged(err):
			return err
		}
		if n == last {
			return nil
		}
	}
}

// damaged says that a part of the files can't be read, now or ever; the rest may be.
func damaged(err error) bool {
	return errors.Is(err, seglog.ErrCorrupt) || errors.Is(err, errRecord)
}

// findKeys remembers the keys of the last KeyWindow: where it begins is searched for, by
// time, and what follows is read.
func (l *diskLog) findKeys(now time.Time) error {
	if l.store.opts.KeysMax == 0 {
		return nil
	}
	since := now.Add(-l.store.opts.KeyWindow).UnixMilli()
	first, last := l.log.First(), l.log.Last()
	var failed error
	from := first + uint64(sort.Search(int(last+1-first), func(i int) bool {
		ms, err := timeAt(l.log, first+uint64(i))
		if err != nil && !damaged(err) {
			failed = err
		}
		return err != nil || ms >= since // better to read too much than to miss a key
	}))
	for failed == nil && from <= last {
		from, failed = l.readKeys(from, now)
	}
	return failed
}

// readKeys remembers the keys from a number on, up to the end or a damaged place, and says
// where to go on.
func (l *diskLog) readKeys(from uint64, now time.Time) (next uint64, err error) {
	r, err := l.log.Reader(from)
	if err != nil {
		return from, err
	}
	defer r.Close()
	at := l.store.since(now)
	for {
		n, record, err := r.Next()
		var damage *seglog.CorruptError
		switch {
		case errors.Is(err, io.EOF):
			return l.log.Last() + 1, nil
		case errors.As(err, &damage):
			return damage.Resume, nil
		case err != nil:
			return from, err
		}
		v, err := parseRecord(record)
		if err != nil || v.key == nil {
			continue // what can't be read has no key, either
		}
		e := keyEntry{sum: v.sum(), minor: n, at: l.store.since(time.UnixMilli(v.ms))}
		if _, known := l.keys.find(v.hash(), at); !known && at-e.at <= l.store.opts.KeyWindow {
			l.keys.remember(v.hash(), e, at)
		}
	}
}
