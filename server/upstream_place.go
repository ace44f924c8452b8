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
	"time"
)

// placeFile is the file that has an upstream's position.
type placeFile struct {
	path     string // empty: there is none
	saved    string // the position in it
	marked   string // the one that is saved next,
	markedAt time.Time
}

// placeEvery is how often the position is written, at most. What is read again after a crash
// is known by its keys, if it is not older than they are.
const placeEvery = time.Second

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
	u.at, u.place.saved = f.After, f.After
	return nil
}

// keep writes the position that was reached when it was called before: by then the log's
// flush has had its time, and what the position says is not ahead of what a power cut leaves.
// It is called once a second, and does I/O.
func (u *upstream) keep(now time.Time) {
	u.mu.Lock()
	p := &u.place
	due := ""
	if p.path != "" && now.Sub(p.markedAt) >= max(placeEvery, 3*u.srv.o.FsyncInterval) {
		due = p.marked
		p.marked, p.markedAt = u.at, now
	}
	u.mu.Unlock()
	_ = u.save(due) // it was logged, and the next one is tried
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

// save writes a position, unless it is written already. One goroutine calls it.
func (u *upstream) save(at string) error {
	p := &u.place
	if p.path == "" || at == "" || at == p.saved {
		return nil
	}
	text, err := json.Marshal(positionFile{Upstream: u.url, After: at})
	if err == nil {
		err = replaceFile(p.path, append(text, '\n'))
	}
	if err != nil {
		u.log.Error("an upstream's position was not written", "file", p.path, "error", err)
		return err
	}
	p.saved = at
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
