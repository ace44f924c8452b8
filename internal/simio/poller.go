package simio

import (
	"math"
	"sync/atomic"

	"throng/internal/invariant"
	"throng/poller"
)

var _ poller.Poller = (*Poller)(nil)

// Poller is an epoll set of a Kernel. Wake may be called by any goroutine; all else by
// the one that has the Kernel.
type Poller struct {
	k     *Kernel
	id    uint16 // 1 + index in k.pollers
	ready edges

	woken  atomic.Bool
	closed atomic.Bool
}

// NewPoller makes an empty set. A Kernel takes 65,535 of them in its life.
func (k *Kernel) NewPoller() *Poller {
	invariant.Check(len(k.pollers) < math.MaxUint16, "pollers of one simio.Kernel")
	p := &Poller{k: k, id: uint16(len(k.pollers) + 1)}
	k.pollers = append(k.pollers, p)
	return p
}

// Add implements poller.Poller. A descriptor is in one set at most.
func (p *Poller) Add(fd int, t poller.Token) error {
	k := p.k
	k.calls.Add++
	k.spend(k.opt.Cost.Other)
	k.note(opAdd, fd, int(t))
	if p.closed.Load() {
		k.mistake("Add of descriptor %d to a closed poller", fd)
		return ErrBadFD
	}
	slot, err := k.lookup("Add", fd)
	if err != nil {
		return err
	}
	s := &k.socks[slot]
	if s.poller != 0 {
		k.mistake("second Add of descriptor %d", fd)
		return ErrInvalid
	}
	s.poller, s.token = p.id, t
	s.reg++
	s.flags &^= pending | writers
	if s.level() != 0 {
		k.raise(slot)
	}
	return nil
}

// Mod implements poller.Poller.
func (p *Poller) Mod(fd int, t poller.Token) error {
	k := p.k
	k.calls.Mod++
	k.spend(k.opt.Cost.Other)
	k.note(opMod, fd, int(t))
	if p.closed.Load() {
		k.mistake("Mod of descriptor %d in a closed poller", fd)
		return ErrBadFD
	}
	slot, err := k.lookup("Mod", fd)
	if err != nil {
		return err
	}
	s := &k.socks[slot]
	if s.poller != p.id {
		k.mistake("Mod of descriptor %d, which this poller does not watch", fd)
		return ErrInvalid
	}
	s.token = t
	s.flags |= writers
	if s.level() != 0 {
		k.raise(slot)
	}
	return nil
}

// Remove implements poller.Poller.
func (p *Poller) Remove(fd int) error {
	k := p.k
	k.calls.Remove++
	k.spend(k.opt.Cost.Other)
	k.note(opRemove, fd, 0)
	if p.closed.Load() {
		k.mistake("Remove of descriptor %d from a closed poller", fd)
		return ErrBadFD
	}
	slot, err := k.lookup("Remove", fd)
	if err != nil {
		return err
	}
	s := &k.socks[slot]
	if s.poller != p.id {
		k.mistake("Remove of descriptor %d, which this poller does not watch", fd)
		return ErrInvalid
	}
	s.poller = 0
	s.flags &^= pending
	return nil
}

// WriteMany implements poller.Poller.
func (p *Poller) WriteMany(sends []poller.Send) {
	p.k.calls.WriteMany++
	for i := range sends {
		s := &sends[i]
		s.N, s.Err = p.k.Write(int(s.FD), s.P)
	}
}

// Wait implements poller.Poller on the virtual clock. It returns as soon as an event is
// ready or a Wake has come, moving the clock from one scheduled thing to the next, at
// most to the end of timeoutMs. With timeoutMs < 0 and nothing scheduled it returns 0
// at once: nothing could ever happen, and whoever drives the test decides what to do.
func (p *Poller) Wait(dst []poller.Event, timeoutMs int) (int, error) {
	k := p.k
	k.calls.Wait++
	k.spend(k.opt.Cost.Wait)
	if p.closed.Load() {
		k.mistake("Wait on a closed poller")
		return 0, ErrBadFD
	}
	if len(dst) == 0 {
		k.mistake("Wait for no event")
		return 0, ErrInvalid
	}
	end := int64(forever)
	if timeoutMs >= 0 {
		end = k.now + int64(timeoutMs)*1e6
	}
	for {
		k.runDue()
		woken := p.woken.Swap(false)
		n := p.collect(dst)
		if n > 0 || woken || !k.stepTo(end) {
			k.note(opWait, int(p.id), n)
			return n, nil
		}
	}
}

// Wake implements poller.Poller.
func (p *Poller) Wake() error {
	if p.closed.Load() {
		return ErrBadFD
	}
	p.woken.Store(true)
	return nil
}

// Close implements poller.Poller. Descriptors still in the set are watched no more.
func (p *Poller) Close() error {
	if p.closed.Swap(true) {
		p.k.mistake("second Close of a poller")
		return ErrBadFD
	}
	for i := range p.k.socks {
		if s := &p.k.socks[i]; s.poller == p.id {
			s.poller = 0
			s.flags &^= pending
		}
	}
	p.ready = edges{}
	return nil
}

// collect moves what is ready to dst.
func (p *Poller) collect(dst []poller.Event) int {
	k, n := p.k, 0
	for n < len(dst) && p.ready.len() > 0 {
		if k.chance(k.opt.Reorder) {
			p.ready.toFront(k.rng.IntN(p.ready.len()))
		}
		r := p.ready.pop()
		s := &k.socks[r.slot]
		if s.reg != r.reg || s.poller != p.id {
			continue // removed since
		}
		s.flags &^= pending
		if f := s.level(); f != 0 {
			dst[n] = poller.Event{Token: s.token, Flags: f}
			k.note(opWait, int(s.fd), int(f))
			n++
		}
	}
	if n < len(dst) && k.chance(k.opt.Spurious) {
		n = p.haunt(dst, n)
	}
	return n
}

// haunt adds an event without a cause: a flag that is not true for some watched socket
// that has no other event in dst.
func (p *Poller) haunt(dst []poller.Event, n int) int {
	k := p.k
	if len(k.socks) == 0 {
		return n
	}
	s := &k.socks[k.rng.IntN(len(k.socks))]
	if s.poller != p.id {
		return n
	}
	for _, e := range dst[:n] {
		if e.Token == s.token {
			return n
		}
	}
	f := s.level() | poller.Readable<<k.rng.IntN(2)
	dst[n] = poller.Event{Token: s.token, Flags: f}
	k.note(opWait, int(s.fd), int(f))
	return n + 1
}

// ref names a socket at one Add.
type ref struct{ slot, reg uint32 }

// edges is a queue of refs.
type edges struct {
	q    []ref
	head int
}

func (e *edges) len() int { return len(e.q) - e.head }

func (e *edges) push(r ref) {
	if e.head > 0 && e.head >= e.len() {
		e.q = e.q[:copy(e.q, e.q[e.head:])]
		e.head = 0
	}
	e.q = append(e.q, r)
}

func (e *edges) pop() ref {
	r := e.q[e.head]
	e.head++
	return r
}

// toFront lets the i-th of the queue change places with the first.
func (e *edges) toFront(i int) {
	q := e.q[e.head:]
	q[0], q[i] = q[i], q[0]
}
