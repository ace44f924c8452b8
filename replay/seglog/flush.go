package seglog

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// restTicks is after how many ticks without an Append a log lets go of its file and its
	// buffers: a second, at the default interval.
	restTicks = 10
	// flushesMax is how many logs are flushed at once. File systems write what waits together,
	// so some take hardly longer than one; with more it gets no faster.
	flushesMax = 16
)

// A Flusher forces to the disk what was appended to any number of Logs with Interval, in
// rounds over all that were appended to, and lets Logs rest that are idle. The interval lies
// between two rounds. So what was acknowledged is on the disk after the interval and two
// rounds at the latest: the one that has just passed its Log by, and the next one. Close it
// after its Logs.
type Flusher struct {
	interval time.Duration
	wake     chan struct{} // holds one when active is not empty
	stop     chan struct{}
	done     sync.WaitGroup

	mu     sync.Mutex
	active map[*Log]struct{}
}

// FlushIntervalDefault is short enough that a publisher's retry covers what a power cut takes,
// and long enough that a disk is not kept busy.
const FlushIntervalDefault = 100 * time.Millisecond

// NewFlusher starts one. interval 0 is FlushIntervalDefault.
func NewFlusher(interval time.Duration) *Flusher {
	if interval <= 0 {
		interval = FlushIntervalDefault
	}
	f := &Flusher{interval: interval, wake: make(chan struct{}, 1), stop: make(chan struct{}), active: make(map[*Log]struct{})}
	f.done.Go(f.run)
	return f
}

// Close ends the rounds and waits for the last one. It flushes nothing.
func (f *Flusher) Close() {
	close(f.stop)
	f.done.Wait()
}

// run ticks while there is somebody to tick for.
func (f *Flusher) run() {
	var logs []*Log
	for {
		select {
		case <-f.stop:
			return
		case <-f.wake:
		}
		select {
		case <-f.stop:
			return
		case <-time.After(f.interval):
		}
		f.mu.Lock()
		for l := range f.active {
			logs = append(logs, l)
		}
		f.mu.Unlock()
		round(logs)
		clear(logs)
		logs = logs[:0]
		f.mu.Lock()
		if len(f.active) > 0 {
			f.nudge()
		}
		f.mu.Unlock()
	}
}

// round ticks all logs, some of them at once.
func round(logs []*Log) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1); i <= int64(len(logs)); i = next.Add(1) {
			logs[i-1].tick()
		}
	}
	var others sync.WaitGroup
	for range min(len(logs), flushesMax) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

func (f *Flusher) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// add has a log ticked from now on. Its appending is held.
func (f *Flusher) add(l *Log) {
	l.fresh.Store(true)
	if l.active {
		return
	}
	l.active = true
	f.mu.Lock()
	f.active[l] = struct{}{}
	f.mu.Unlock()
	f.nudge()
}

// remove undoes it. Its appending is held.
func (f *Flusher) remove(l *Log) {
	l.active = false
	f.mu.Lock()
	delete(f.active, l)
	f.mu.Unlock()
}

// tick is called by the Flusher, in every round after an Append until the log rests.
func (l *Log) tick() {
	if l.fresh.Swap(false) {
		l.idle = 0
	} else {
		l.idle++
	}
	if l.o.Fsync == Interval {
		l.report(l.flush())
	}
	if l.idle < restTicks || !l.appending.TryLock() {
		return
	}
	defer l.appending.Unlock()
	if l.fresh.Load() {
		return
	}
	l.rest()
	l.o.Flusher.remove(l)
}

// Sync forces all that was appended to the disk. It holds up Append only with Never.
// Errors: a *SyncError, those of the file system.
func (l *Log) Sync() error {
	if l.o.Fsync != Never {
		return l.flush()
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	return l.syncAll()
}

// syncAll forces all segments to the disk that are not there for sure. appending is held.
func (l *Log) syncAll() error {
	if err := l.flush(); err != nil {
		return err
	}
	l.mu.RLock()
	segs := slices.Clone(l.segs)
	l.mu.RUnlock()
	for _, s := range segs {
		if !s.unsynced || s == l.tail && l.file != nil {
			continue
		}
		if err := l.syncFile(s.path); err != nil {
			return err
		}
		s.unsynced = s == l.tail // more may come to it
	}
	return syncDir(l.o.FS, l.dir)
}

// Close forces all that was appended to the disk, and marks the log as closed properly: the
// next start goes on in the same epoch, unless records are missing in between. Readers that are open go on. On an error the log is
// closed too, but the next start will be as after a crash.
func (l *Log) Close() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.closed = true
	err := l.syncAll()
	failed := l.failed.Load()
	l.rest()
	if l.o.Flusher != nil {
		l.o.Flusher.remove(l)
	}
	if err != nil {
		return err
	}
	if l.lossy || failed {
		return errors.New("seglog: " + l.dir + ": a flush had failed, so the next start will look for damage")
	}
	if l.holes() > 0 {
		return nil // they would have to be looked for again anyhow
	}
	m := marker{epoch: l.epoch, last: l.last.Load()}
	if s := l.held(); s != nil {
		m.seq, m.end = s.seq, s.end
	}
	return writeMarker(l.o.FS, l.dir, m)
}
