package replay

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

// SpoolOptions are the limits of a spool. The zero value is usable.
type SpoolOptions struct {
	FS       vfs.FS        // nil: the operating system's
	BytesMax int64         // of the spool's files; 0: 1 GiB, which is 5 million events of 200 bytes
	Fsync    seglog.Policy // of what is spooled
	Interval time.Duration // between flushes, for seglog.Interval; 0: seglog.FlushIntervalDefault

	RetryMin time.Duration // wait after the first failure; 0: 100 ms
	RetryMax time.Duration // longest wait, half of it is jitter; 0: 5 s, so that nodes do not come back all at once
	Timeout  time.Duration // for one batch; 0: 10 s

	Log  *slog.Logger                   // nil: nothing is logged
	Sent func(ns string, stored uint64) // told how many more of what waited are in the other store now; must not wait; nil: nobody is told
}

const (
	spoolBytesMax   = 1 << 30
	spoolSegments   = 16 // segments of a full spool: what was sent is given back in such parts
	spoolRetryMin   = 100 * time.Millisecond
	spoolRetryMax   = 5 * time.Second
	spoolTimeout    = 10 * time.Second
	spoolMarksBytes = 64 << 10 // a segment of marks: some 4,000 of them
)

// Reasons with which a Store may have kept an event that it did not acknowledge.
var spoolDoubtful = map[string]bool{reasonAnswerLost: true, reasonNotReplicated: true, reasonBehind: true}

// A Spool is a Store around another one that is not always there: what can't be appended
// now waits on this node's disk, in order, and is sent when the other is back. A namespace
// of which something waits queues behind it; the others go straight through.
//
// What waits has a key: the publisher's, or one made of the spool's identity and the event's
// number. So an event that was sent, and not yet forgotten here when the node was stopped,
// is sent twice and stored once, if the node is back within the other store's key window.
//
// An event is only spooled if it was surely not stored. Where an answer was lost, the
// publisher is told so (ErrUnavailable), and must repeat with its key: a key for every
// event beforehand would cost each publish the look-up, outage or not.
//
// Since readers are fed by the tail of a Shared store, that is what a Spool is for; with
// any other, readers that are connected do not hear of events that are sent late.
type Spool struct {
	Store // the other one: what is not spooled is its own

	opts     SpoolOptions
	identity string
	lock     io.Closer
	flusher  *seglog.Flusher
	log      *seglog.Log // events that wait, of all namespaces
	marks    *seglog.Log // up to where they were sent

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	kick   chan struct{} // holds one when there is something new to send
	done   sync.WaitGroup

	guard Guard         // the other store's; nil: none
	took  time.Duration // sending the last page; the sender's own

	writing sync.Mutex // held while numbers are given, so that they are those on disk

	mu      sync.Mutex // guards the rest
	waiting map[string]int
	count   int
	bytes   int64
	taken   uint64         // since the start: events that were put on disk,
	stored  uint64         // that the other store has now,
	dropped uint64         // and that were given up
	open    map[string]Log // logs that were given out
	sent    spoolSent
	closed  bool
}

// sharedSpool is a Spool around a Shared store.
type sharedSpool struct {
	*Spool
	shared Shared
}

// Feed implements Shared.
func (s sharedSpool) Feed(f Feed) { s.shared.Feed(f) }

// NewSpool opens the spool in dir and begins to send what is in it. The Store that it gives
// is Shared if inner is, closes inner with itself, and has a method Spooled. Errors: those of
// the file system; a spool of another process.
func NewSpool(inner Store, dir string, o SpoolOptions) (Store, error) {
	s := &Spool{Store: inner, opts: o.withDefaults(), kick: make(chan struct{}, 1),
		waiting: make(map[string]int), open: make(map[string]Log)}
	if g, ok := inner.(guarded); ok {
		s.guard = g.guard()
	}
	if err := s.start(dir); err != nil {
		return nil, fmt.Errorf("replay: spool %s: %w", dir, err)
	}
	if shared, ok := inner.(Shared); ok {
		return sharedSpool{s, shared}, nil
	}
	return s, nil
}

func (o SpoolOptions) withDefaults() SpoolOptions {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.BytesMax <= 0 {
		o.BytesMax = spoolBytesMax
	}
	if o.RetryMin <= 0 {
		o.RetryMin = spoolRetryMin
	}
	if o.RetryMax <= 0 {
		o.RetryMax = spoolRetryMax
	}
	o.RetryMax = max(o.RetryMin, o.RetryMax)
	if o.Timeout <= 0 {
		o.Timeout = spoolTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// start opens what is on disk, counts it, and starts the sender.
func (s *Spool) start(dir string) (err error) {
	fs := s.opts.FS
	if s.lock, err = seglog.Lock(fs, dir); err != nil {
		return err
	}
	s.flusher = seglog.NewFlusher(s.opts.Interval)
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if s.identity, err = spoolIdentity(fs, dir); err != nil {
		return err
	}
	o := seglog.Options{FS: fs, Fsync: s.opts.Fsync, Flusher: s.flusher, SegmentBytes: min(s.opts.BytesMax/spoolSegments, seglog.SegmentBytesDefault),
		Report: func(err error) { s.opts.Log.Error("spool", "error", err) }}
	var r seglog.Recovery
	if s.log, r, err = seglog.Open(fs.PathJoin(dir, "events"), o); err != nil {
		return err
	}
	o.SegmentBytes = spoolMarksBytes
	if s.marks, _, err = seglog.Open(fs.PathJoin(dir, "sent"), o); err != nil {
		return err
	}
	if err = s.recount(); err != nil {
		return err
	}
	s.opts.Log.Info("spool", "dir", dir, "waiting", s.count, "found", r.String())
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(s.send)
	s.nudge()
	return nil
}

// release lets go of everything but the other store.
func (s *Spool) release() error {
	var errs []error
	for _, l := range []*seglog.Log{s.log, s.marks} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	s.flusher.Close()
	return errors.Join(append(errs, s.lock.Close())...)
}

// spoolIdentity is a random name that stays with the directory.
func spoolIdentity(fs vfs.FS, dir string) (string, error) {
	path := fs.PathJoin(dir, "identity")
	var b [32]byte
	f, err := fs.Open(path)
	if err == nil {
		n, err := f.ReadAt(b[:], 0)
		switch closing := f.Close(); {
		case n == len(b):
			return string(b[:]), closing
		case err != nil && err != io.EOF:
			return "", err // another identity would send what waits a second time
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var random [len(b) / 2]byte
	rand.Read(random[:]) // never fails
	hex.Encode(b[:], random[:])
	identity := string(b[:]) // before Write: a vfs.File may change what it is given
	f, err = fs.Create(path, "throng-spool")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b[:])
	if err == nil {
		err = f.Sync()
	}
	return identity, errors.Join(err, f.Close()) // its name is on disk with the first segment's
}

// Open implements Store.
func (s *Spool) Open(ns string) (Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if l := s.open[ns]; l != nil {
		return l, nil
	}
	inner, err := s.Store.Open(ns)
	if err != nil {
		return nil, err
	}
	var l Log = &spoolLog{Log: inner, s: s, ns: ns}
	if f, ok := inner.(Followed); ok {
		l = sharedSpoolLog{l.(*spoolLog), f}
	}
	s.open[ns] = l
	return l, nil
}

// Evict implements Store. What waits goes on waiting. The other store may wait for a reader,
// and every publish needs mu.
func (s *Spool) Evict(ns string) error {
	s.mu.Lock()
	delete(s.open, ns)
	s.mu.Unlock()
	return s.Store.Evict(ns)
}

// Health implements Store: nil while the other store takes events, or the spool does.
func (s *Spool) Health() error {
	if err := s.Store.Health(); err == nil || s.log.Bytes() < s.opts.BytesMax {
		if errors.Is(err, ErrClosed) {
			return err
		}
		return nil
	}
	return errSpoolFull
}

// Stats implements Store.
func (s *Spool) Stats() Stats {
	st := s.Store.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Spooled, st.SpooledBytes = s.count, s.bytes
	st.SpoolTaken, st.SpoolSent, st.SpoolDropped = s.taken, s.stored, s.dropped
	return st
}

// Spooled counts the events that wait, and their bytes on disk.
func (s *Spool) Spooled() (events int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.bytes
}

// Close implements Store: what waits stays on disk for the next start.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.done.Wait()
	err := s.Store.Close()
	return errors.Join(err, s.release())
}

func (s *Spool) nudge() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}
