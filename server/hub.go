package server

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"throng/internal/obs"
	"throng/replay"
	"throng/ringbuf"
	"throng/server/loops"
)

var (
	errTooManyNamespaces = errors.New("too many namespaces")
	errWouldWait         = errors.New("this takes I/O, and the caller must not wait")
)

// hub keeps the namespaces. Any goroutine may call its methods.
type hub struct {
	o     *Options
	store replay.Store
	group *loops.Group
	table *obs.Table
	log   *slog.Logger
	clock func() int64
	share int // ring slots one namespace may hold unread

	queue   *queue
	gates   *gateways
	trouble trouble

	mu    sync.RWMutex
	named map[string]*namespace
	busy  map[string]chan struct{} // being opened or evicted, which may take I/O; closed when that is over
	free  []uint32                 // indexes of evicted namespaces
	next  uint32

	pool       sync.Pool // *pending
	batches    sync.Pool // *batch
	background sync.WaitGroup
}

func newHub(o *Options, store replay.Store, group *loops.Group, table *obs.Table, queue *queue, log *slog.Logger, clock func() int64) *hub {
	share := o.NamespaceRingShare
	if share == 0 {
		share = o.RingEvents / 4
	}
	return &hub{o: o, store: store, group: group, table: table, log: log, clock: clock, share: share, queue: queue,
		trouble: trouble{log: log}, named: make(map[string]*namespace), busy: make(map[string]chan struct{})}
}

// acquire gives a namespace and keeps it from being evicted until release. It is made
// when it is first asked for. Where that would mean waiting for I/O and mayWait is false,
// the error is errWouldWait.
func (h *hub) acquire(name string, mayWait bool) (*namespace, error) {
	h.mu.RLock()
	n := h.named[name]
	if n != nil {
		n.users.Add(1)
	}
	h.mu.RUnlock()
	switch {
	case n != nil:
		return n, nil
	case !mayWait && !h.store.Resident():
		return nil, errWouldWait
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for { // again after each time that mu was not held
		if n = h.named[name]; n != nil {
			n.users.Add(1)
			return n, nil
		}
		if done, busy := h.busy[name]; busy {
			h.mu.Unlock()
			<-done
			h.mu.Lock()
			continue
		}
		if len(h.named)+len(h.busy) < h.o.NamespacesMax {
			break
		}
		if !h.evictOldest() {
			return nil, errTooManyNamespaces
		}
	}
	n, err := h.open(name)
	if err != nil {
		return nil, err
	}
	n.users.Add(1)
	return n, nil
}

func (n *namespace) release() {
	n.used.Store(n.hub.clock())
	n.users.Add(-1)
}

// unlocked does what may take long without mu, while nobody else opens or evicts the
// namespace. The caller holds mu, and holds it again afterwards.
func (h *hub) unlocked(name string, do func()) {
	done := make(chan struct{})
	h.busy[name] = done
	h.mu.Unlock()
	do()
	h.mu.Lock()
	delete(h.busy, name)
	close(done)
}

// open makes a namespace, for which there is room. The caller holds mu; it is not held all
// the time.
func (h *hub) open(name string) (n *namespace, err error) {
	var log replay.Log
	h.unlocked(name, func() { log, err = h.store.Open(name) })
	if errors.Is(err, replay.ErrNamespaces) {
		return nil, errTooManyNamespaces
	}
	if err != nil {
		return nil, err
	}
	mailbox, err := ringbuf.NewMailbox[*pending](h.o.MailboxPublishMax)
	if err != nil {
		return nil, err
	}
	index := h.next
	if last := len(h.free) - 1; last >= 0 {
		index, h.free = h.free[last], h.free[:last]
	} else {
		h.next++
	}
	n = &namespace{hub: h, mailbox: mailbox, policy: h.o.policyOf(name), stored: h.table.Published(name), Namespace: h.group.NewNamespace(index, name, log)}
	n.tail, _ = log.(replay.Followed)
	lag := h.o.QueueLag
	if h.queue.circuit == nil {
		lag = 0
	}
	n.flow.prepare(h.share, h.o.MailboxPublishMax, lag, n.policy == policyBlock)
	n.used.Store(h.clock())
	h.named[name] = n
	return n, nil
}

// idle says whether nobody uses a namespace: no stream, no request, nothing on its way.
func (n *namespace) idle() bool {
	return n.users.Load() == 0 && n.Streams() == 0 && n.Unread() == 0 &&
		n.mailbox.Len() == 0 && !n.committing.Load()
}

// evictAfterMin is how long a namespace must have been idle before another one may have
// its place: a client that lost its connection comes back within it. Its idempotency keys
// go with it, so it is kept for their window at least.
const evictAfterMin = 2 * time.Minute

// evictOldest makes room for another namespace, if one has been idle long enough. Its
// IDs are never given again. The caller holds mu, and again afterwards; who wants the
// namespace meanwhile waits.
func (h *hub) evictOldest() bool {
	var oldest *namespace
	for _, n := range h.named {
		if n.idle() && (oldest == nil || n.used.Load() < oldest.used.Load()) {
			oldest = n
		}
	}
	if oldest == nil || h.clock()-oldest.used.Load() < int64(max(evictAfterMin, h.o.IdempotencyWindow)) {
		return false
	}
	delete(h.named, oldest.Name)
	h.gates.drop(oldest.Namespace)
	var err error
	h.unlocked(oldest.Name, func() { err = h.store.Evict(oldest.Name) })
	if err != nil { // its log is closed all the same
		h.log.Error("an idle namespace was not evicted in good order", "namespace", oldest.Name, "error", err)
	}
	if oldest.Unread() == 0 { // else something of it came late, and another one must not get its place
		h.free = append(h.free, oldest.Index)
	}
	return true
}

// pendingFor takes a pending publish with room for so many records out of the pool.
func (h *hub) pendingFor(records int) *pending {
	p, ok := h.pool.Get().(*pending)
	if !ok {
		p = &pending{done: make(chan struct{}, 1)}
	}
	if cap(p.records) < records {
		p.records = make([]replay.Record, 0, records)
	}
	return p
}

// recycle puts a pending publish back; nobody else may hold it.
func (h *hub) recycle(p *pending) {
	clear(p.records)
	p.records, p.priorities, p.live = p.records[:0], p.priorities[:0], 0
	if cap(p.records) > batchEventsMax {
		p.records = nil
	}
	h.pool.Put(p)
}

// namespaces is how many there are.
func (h *hub) namespaces() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.named)
}
