package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// placeFile is the file that has an upstream's position. What is read again after a crash is
// what came since the position in it, and is known by its keys if there are not more of it
// than keys are kept: so it is written after so much time, and after so many events.
type placeFile struct {
	path  string        // empty: there is none
	flush time.Duration // by then the log has flushed what it took
	least time.Duration // between two writings that no number of events asks for
	step  uint64        // events until it is to be written, whatever the time

	writing sync.Mutex    // held while it is written; guards the next two
	saved   place         // the one in it
	failed  seldom        // writings
	counted atomic.Uint64 // that of saved

	marked   place // the one that is saved next; guarded by the upstream's mu,
	markedAt time.Time
}

// place is where an upstream stands.
type place struct {
	id    string // the last one that is published; empty: there is none
	count uint64 // events of this run up to it
}

const (
	// placeEvery is how often the position is written while few events come.
	placeEvery = time.Second
	// placeKeysShare is for which part of the keys that are kept it is written. Up to
	// three such parts may be without one; other publishers have keys too.
	placeKeysShare = 4
)

// placeStep is after how many events a position is to be written, and how many are published
// at once, at most.
func (o *Options) placeStep() int { return max(o.IdempotencyMax/placeKeysShare, 1) }

// positionFile is the content.
type positionFile struct {
	Upstream string `json:"upstream"`
	After    string `json:"after"`
}

// positionsDir is the directory in which positions are kept; empty: there is none.
func (s *Server) positionsDir() string {
	if dir, disk := strings.CutPrefix(s.o.Store, "disk:"); disk {
		return dir
	}
	return s.o.Spool
}

// remember reads the position of an earlier run.
func (u *upstream) remember() error {
	dir := u.srv.positionsDir()
	if dir == "" {
		u.log.Warn("an upstream's position is kept in memory only: after a restart it goes on with what comes then", "better", "--store=disk:DIR, or --spool=DIR with Redis")
		return nil
	}
	o := &u.srv.o
	if o.Fsync == "interval" {
		u.place.flush = 3 * o.FsyncInterval
	}
	u.place.least = max(placeEvery, u.place.flush)
	u.place.step = uint64(o.placeStep())
	sum := sha256.Sum256([]byte(u.address + "/" + u.namespace))
	u.place.path = filepath.Join(dir, "upstream-"+hex.EncodeToString(sum[:8])+".json")
	text, err := os.ReadFile(u.place.path)
	if errors.Is(err, fs.ErrNotExist) {
		u.log.Info("an upstream is new: it begins with what comes now")
		return nil
	}
	if err != nil {
		return fmt.Errorf("--upstreams=%s: %w", u.url, err)
	}
	var f positionFile
	if err := json.Unmarshal(text, &f); err != nil || f.After == "" {
		return fmt.Errorf("--upstreams=%s: %s has no position (%v); remove it to go on with what comes now", u.url, u.place.path, err)
	}
	u.at.id, u.place.saved.id = f.After, f.After
	return nil
}

// keep writes the position that was reached when it was called before: by then the log's
// flush has had its time, and what the position says is not ahead of what a power cut leaves.
// It is called once a second, and does I/O.
func (u *upstream) keep(now time.Time) {
	if due, ok := u.due(now, u.place.least); ok {
		_ = u.save(due) // it was logged, and the next one is tried
	}
}

// keepUp is keep for who publishes: no more events are to be without a position than their
// keys are sure to be known of, so it waits for the log's flush if it must. A position that
// can't be written holds nothing up.
func (u *upstream) keepUp() {
	p := &u.place
	for p.path != "" && u.ctx.Err() == nil { // settle writes the last one
		u.mu.Lock()
		without := u.at.count - p.counted.Load()
		if without >= p.step && p.marked.count <= p.counted.Load() {
			p.marked, p.markedAt = u.at, time.Now()
		}
		marked, wait := p.marked, p.flush-time.Since(p.markedAt)
		u.mu.Unlock()
		switch {
		case without < p.step, wait > 0 && without < 2*p.step:
			return
		case wait > 0 && !sleep(u.ctx, wait):
			return
		case wait <= 0 && u.save(marked) != nil:
			return
		}
	}
}

// due marks the position, and gives the one that was marked at least so long ago.
func (u *upstream) due(now time.Time, least time.Duration) (due place, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := &u.place
	if p.path == "" || now.Sub(p.markedAt) < least {
		return place{}, false
	}
	due = p.marked
	p.marked, p.markedAt = u.at, now
	return due, due.id != ""
}

// settleUpstreams writes the last positions when the store is closed, if that went well: what
// a position says is in the log must be there.
func (s *Server) settleUpstreams(closed error) error {
	if closed != nil {
		return nil
	}
	var errs []error
	for _, u := range s.upstreams {
		errs = append(errs, u.settle())
	}
	return errors.Join(errs...)
}

// settle writes the last position, when run has ended and the store is closed.
func (u *upstream) settle() error {
	u.mu.Lock()
	at := u.at
	u.mu.Unlock()
	return u.save(at)
}

// save writes a position, unless that or a later one is written already. A source that has not
// named one yet has none to be written; its events are counted all the same.
func (u *upstream) save(at place) error {
	p := &u.place
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.path == "" || at.count < p.saved.count {
		return nil
	}
	if at.id != "" && at.id != p.saved.id {
		text, err := json.Marshal(positionFile{Upstream: u.url, After: at.id})
		if err == nil {
			err = replaceFile(p.path, append(text, '\n'))
		}
		if err != nil {
			p.failed.tell(func(times int) {
				u.log.Error("an upstream's position is not written", "file", p.path, "times", times, "error", err)
			})
			return err
		}
		p.failed.over(func(times int) { u.log.Info("an upstream's position is written again", "after_failures", times) })
	}
	p.saved = at
	p.counted.Store(at.count)
	return nil
}

// replaceFile writes a file so that after a crash there is the old one or the new one.
func replaceFile(path string, text []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
