package replay

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// spoolPage is how many events are read, and sent, in one go.
	spoolPage = 512
	// spoolPageBytes ends a page of large events.
	spoolPageBytes = 4 << 20
	// spoolBlockedMax: a round ends when so many namespaces have failed and none got through,
	// since then the store is away as a whole.
	spoolBlockedMax = 8
)

// send is the sender: rounds over what waits, with waits in between while it fails.
func (s *Spool) send() {
	wait := time.Duration(0)
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.kick:
		}
		if wait > 0 && !s.sleep(wait/2+rand.N(wait/2+1)) {
			return
		}
		sent, failed := s.round()
		s.mark()
		switch {
		case failed == nil || sent > 0:
			wait = 0
		case wait == 0:
			wait = s.opts.RetryMin
			s.opts.Log.Warn("spooled events can't be sent yet", "error", failed)
		default:
			wait = min(2*wait, s.opts.RetryMax)
		}
		if failed != nil {
			wait = max(wait, s.opts.RetryMin)
			s.nudge()
		}
	}
}

// sleep waits; false: the spool is closed.
func (s *Spool) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// A spoolRound is one walk over what waits.
type spoolRound struct {
	s       *Spool
	blocked map[string]bool // namespaces that failed in this round
	order   []string        // namespaces of the page
	pages   map[string][]spooled
	n       int
	bytes   int
	sent    int
	err     error // the last failure
}

// A spooled is an event that waits.
type spooled struct {
	number uint64
	bytes  int64
	keyed  bool // by its publisher
	record Record
}

// round sends what can be sent, the oldest first.
func (s *Spool) round() (sent int, failed error) {
	r := &spoolRound{s: s, blocked: make(map[string]bool), pages: make(map[string][]spooled)}
	s.mu.Lock()
	head := s.sent.head
	s.mu.Unlock()
	err := s.read(max(head, s.log.First()), r.add)
	r.flush()
	if err == nil {
		err = r.err
	}
	return r.sent, err
}

// add takes one more event into the page; false ends the round.
func (r *spoolRound) add(number uint64, b []byte) bool {
	s := r.s
	if s.ctx.Err() != nil {
		return false
	}
	s.mu.Lock()
	known := s.sent.has(number)
	s.mu.Unlock()
	if known {
		return true
	}
	ns, err := spooledNamespace(b)
	if err == nil && r.blocked[ns] {
		return true
	}
	var record Record
	if err == nil {
		record, err = parseSpooled(b, s.identity, number)
	}
	if err != nil {
		s.drop(number, err)
		if ns != "" {
			s.settle(ns, 1, int64(len(b)))
		}
		return true
	}
	if r.pages[ns] == nil {
		r.order = append(r.order, ns)
	}
	r.pages[ns] = append(r.pages[ns], spooled{number, int64(len(b)), b[1]&spooledKeyed != 0, record})
	r.n++
	r.bytes += len(b)
	if r.n < spoolPage && r.bytes < spoolPageBytes {
		return true
	}
	r.flush()
	return r.sent > 0 || len(r.blocked) < spoolBlockedMax
}

// flush sends the page.
func (r *spoolRound) flush() {
	if r.n == 0 || !r.s.turn() {
		return
	}
	begun := time.Now()
	defer func() { r.s.took = time.Since(begun) }()
	for _, ns := range r.order {
		if err := r.append(ns, r.pages[ns]); err != nil {
			r.blocked[ns] = true
			r.err = err
		}
		delete(r.pages, ns)
	}
	if r.sent > 0 {
		r.s.mark()
	}
	r.order, r.n, r.bytes = r.order[:0], 0, 0
}

// append sends events of one namespace, and forgets those that are stored. The error is why
// some have to wait.
func (r *spoolRound) append(ns string, page []spooled) error {
	s := r.s
	l, err := s.Store.Open(ns)
	if err != nil {
		return err
	}
	batch := make([]Record, len(page))
	for i := range page {
		batch[i] = page[i].record
		if i > 0 {
			batch[i].behind = batch[i-1].Key
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
	defer cancel()
	send := l.Append
	if x, ok := l.(leaveAsked); ok {
		send = x.appendAllowed
	}
	if err := send(ctx, batch); err != nil {
		return err
	}
	if n := fresh(page, batch); n > 0 && s.opts.Sent != nil {
		s.opts.Sent(ns, n)
	}
	var failed error
	for i := range batch {
		switch err := batch[i].Err; {
		case errors.Is(err, ErrKeyReused):
			s.drop(page[i].number, err)
		case err != nil:
			failed = err
			continue // and with Redis so are those behind it; of another store, later ones may be stored
		default:
			s.mu.Lock()
			s.sent.add(page[i].number)
			s.stored++
			s.mu.Unlock()
		}
		r.sent++
		s.settle(ns, 1, page[i].bytes)
	}
	s.leave(ns)
	return failed
}

// fresh is how many events the store has now that nobody has counted yet. One that it had
// already was stored by a turn of the sender whose answer was lost, if the key is the spool's;
// under a key of its publisher it is taken for one that he had sent before.
func fresh(page []spooled, batch []Record) (n uint64) {
	for i := range batch {
		if batch[i].Err == nil && !(batch[i].Duplicate && page[i].keyed) {
			n++
		}
	}
	return n
}

// leave closes a namespace of the other store that only the sender had opened.
func (s *Spool) leave(ns string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[ns] == 0 && s.open[ns] == nil {
		_ = s.Store.Evict(ns)
	}
}
