package replay

import (
	"context"
	"errors"

	"throng/replay/seglog"
)

// errSpoolFull refuses what would not fit.
var errSpoolFull = &UnavailableError{Reason: "spool_full", Err: errors.New("the store is away, and as much waits on disk as may")}

// A spoolLog is a Log of a Spool.
type spoolLog struct {
	Log // the other store's
	s   *Spool
	ns  string
}

// A sharedSpoolLog is one around a Followed.
type sharedSpoolLog struct {
	*spoolLog
	followed Followed
}

// Follow implements Followed.
func (l sharedSpoolLog) Follow(ctx context.Context) error { return l.followed.Follow(ctx) }

// Unfollow implements Followed.
func (l sharedSpoolLog) Unfollow() { l.followed.Unfollow() }

// Append implements Log. While something of the namespace waits, everything does. Of a batch
// only those records wait that were surely not stored. If a part of a batch was stored and a
// later part could not be, the later part waits; the other way round, the order of that one
// batch is lost.
func (l *spoolLog) Append(ctx context.Context, batch []Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range batch {
		batch[i].Duplicate, batch[i].Err, batch[i].Spooled = false, nil, 0
	}
	if l.s.queue(l.ns, len(batch), true) {
		return l.s.spool(l.ns, batch, nil)
	}
	err := l.Log.Append(ctx, batch)
	late := notStored(batch, err)
	if len(late) == 0 || !l.s.queue(l.ns, len(late), false) {
		return err
	}
	full := l.s.spool(l.ns, batch, late)
	if full != nil && len(late) == len(batch) {
		return full
	}
	for i := range batch {
		if err != nil && batch[i].Err == nil && batch[i].Spooled == 0 {
			batch[i].Err = err
		}
	}
	if full != nil {
		for _, i := range late {
			batch[i].Err = full // the others have their own fate
		}
	}
	return nil
}

// notStored are the places of the records that were surely not stored, after an Append that
// ended with err. Those that have no Err share this one.
func notStored(batch []Record, err error) (late []int) {
	for i := range batch {
		own := batch[i].Err
		if own == nil {
			own = err
		}
		if surelyNotStored(own) {
			late = append(late, i)
		}
	}
	return late
}

// surelyNotStored says whether an event that failed so may be sent again without a key.
func surelyNotStored(err error) bool {
	u, ok := errors.AsType[*UnavailableError](err)
	return ok && !spoolDoubtful[u.Reason]
}

// queue notes that n events of a namespace are about to wait; with behind, only if others
// do. Until they are on disk the namespace counts as waiting, so that nobody overtakes.
func (s *Spool) queue(ns string, n int, behind bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || behind && s.waiting[ns] == 0 {
		return false
	}
	s.waiting[ns] += n
	s.count += n
	return true
}

// settle undoes it for events that were sent, dropped, or never got to the disk.
func (s *Spool) settle(ns string, n int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count -= n
	s.bytes -= bytes
	if s.waiting[ns] -= n; s.waiting[ns] <= 0 {
		delete(s.waiting, ns)
	}
}

// spool writes the records at the places in which, or all of them, to the disk.
func (s *Spool) spool(ns string, batch []Record, which []int) error {
	if which == nil {
		which = make([]int, len(batch))
		for i := range which {
			which[i] = i
		}
	}
	var bytes int64
	encoded := make([][]byte, len(which))
	for i, at := range which {
		encoded[i] = appendSpooled(nil, s.log.Epoch(), ns, &batch[at])
		bytes += int64(len(encoded[i]))
	}
	s.writing.Lock()
	first := s.log.Last() + 1
	var err error = errSpoolFull
	if s.log.Bytes()+bytes <= s.opts.BytesMax {
		err = s.log.Append(encoded)
		if err != nil {
			err = &UnavailableError{Reason: seglog.Reason(err), Err: err}
		}
	}
	if err == nil {
		s.mu.Lock()
		s.bytes += bytes
		s.taken += uint64(len(which))
		s.mu.Unlock()
	}
	s.writing.Unlock()
	if err != nil {
		s.settle(ns, len(which), 0)
		return err
	}
	for i, at := range which {
		batch[at].Err, batch[at].Spooled = nil, first+uint64(i)
	}
	s.nudge()
	return nil
}
