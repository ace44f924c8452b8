package simio

import (
	"net/netip"
	"time"

	"throng/poller"
)

var _ poller.Net = (*Kernel)(nil)

// Read implements poller.Net.
func (k *Kernel) Read(fd int, dst []byte) (int, error) {
	k.calls.Read++
	k.spend(k.opt.Cost.Read)
	n, err := k.read(fd, dst)
	k.calls.BytesIn += uint64(n)
	return k.answer(opRead, fd, n, err)
}

func (k *Kernel) read(fd int, dst []byte) (int, error) {
	slot, err := k.lookup("Read", fd)
	if err != nil {
		return 0, err
	}
	if len(dst) == 0 {
		k.mistake("Read of descriptor %d into nothing", fd)
		return 0, ErrInvalid
	}
	s := &k.socks[slot]
	if s.in == 0 {
		// Linux: the end of the stream comes before an error, an error before the
		// end a reset brings.
		if s.is(clientFIN) {
			return 0, poller.ErrEOF
		}
		if err := s.takeError(); err != nil {
			return 0, err
		}
		if s.is(dead) {
			return 0, poller.ErrEOF
		}
		return 0, poller.ErrAgain
	}
	if k.stormy() {
		k.raise(slot)
		return 0, poller.ErrAgain
	}
	from := k.bufs.view(s.in)
	n := k.portion(min(len(dst), len(from)))
	copy(dst, from[:n])
	short := n < len(dst) && n < len(from)
	k.bufs.skip(&s.in, n)
	if short {
		k.raise(slot) // the rest arrives after what was read
	}
	return n, nil
}

// Write implements poller.Net.
func (k *Kernel) Write(fd int, p []byte) (int, error) {
	k.calls.Write++
	n, err := k.write("Write", fd, [][]byte{p})
	return k.answer(opWrite, fd, n, err)
}

// Writev implements poller.Net.
func (k *Kernel) Writev(fd int, ps [][]byte) (int, error) {
	k.calls.Writev++
	if len(ps) > poller.WritevMax {
		k.mistake("Writev of %d slices to descriptor %d", len(ps), fd)
		return k.answer(opWritev, fd, 0, ErrInvalid)
	}
	n, err := k.write("Writev", fd, ps)
	return k.answer(opWritev, fd, n, err)
}

func (k *Kernel) write(call string, fd int, ps [][]byte) (int, error) {
	k.spend(k.opt.Cost.Write)
	slot, err := k.lookup(call, fd)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, p := range ps {
		total += len(p)
	}
	if total == 0 {
		k.mistake("%s of nothing to descriptor %d", call, fd)
		return 0, ErrInvalid
	}
	n, err := k.admit(slot, total)
	if err != nil {
		return 0, err
	}
	k.spend(k.opt.Cost.WriteKiB * time.Duration(n) / 1024)
	k.calls.BytesOut += uint64(n)
	k.deliver(slot, ps, n)
	return n, nil
}

// admit decides how many of total bytes the socket takes.
func (k *Kernel) admit(slot uint32, total int) (int, error) {
	s := &k.socks[slot]
	if err := s.takeError(); err != nil {
		return 0, err
	}
	if s.is(serverFIN | dead) {
		return 0, ErrPipe
	}
	if s.is(unwritable) {
		return 0, ErrNoBuffers
	}
	if k.stormy() {
		k.raise(slot)
		return 0, poller.ErrAgain
	}
	n := min(total, s.free())
	if n <= 0 {
		s.flags |= noSpace
		return 0, poller.ErrAgain
	}
	if n < total {
		s.flags |= noSpace
	}
	if part := k.portion(n); part < n {
		n = part
		k.raise(slot)
	}
	return n, nil
}

// deliver gives the first n bytes of ps to the client.
func (k *Kernel) deliver(slot uint32, ps [][]byte, n int) {
	s := &k.socks[slot]
	if s.is(clientGone) {
		k.resetServer(slot) // it has closed: whatever comes is answered with a reset
		return
	}
	s.sent += uint64(n)
	if s.is(stalled) {
		s.queued += uint32(n)
	}
	for _, p := range ps {
		p = p[:min(len(p), n)]
		n -= len(p)
		if s.sink != 0 {
			s.state = k.sinks[s.sink-1](s.state, p)
		} else {
			k.bufs.push(&s.out, p)
		}
		if n == 0 {
			break
		}
	}
	k.drained(slot)
}

// ShutdownWrite implements poller.Net.
func (k *Kernel) ShutdownWrite(fd int) error {
	k.calls.ShutdownWrite++
	k.spend(k.opt.Cost.Other)
	slot, err := k.lookup("ShutdownWrite", fd)
	if err == nil {
		if s := &k.socks[slot]; s.is(dead) {
			err = ErrNotConnected
		} else {
			s.flags |= serverFIN
			k.raise(slot)
		}
	}
	_, err = k.answer(opShutdown, fd, 0, err)
	return err
}

// Close implements poller.Net. A watched descriptor leaves its poller, as with epoll.
// Closing with something unread resets the connection.
func (k *Kernel) Close(fd int) error {
	k.calls.Close++
	k.spend(k.opt.Cost.Other)
	slot, err := k.lookup("Close", fd)
	if err == nil {
		s := &k.socks[slot]
		k.fds.drop(fd)
		s.fd, s.poller = -1, 0
		s.flags |= serverFIN
		s.flags &^= pending
		if s.in != 0 {
			k.resetClient(slot)
		}
		k.release(slot)
	}
	_, err = k.answer(opClose, fd, 0, err)
	return err
}

// Failure implements poller.Net.
func (k *Kernel) Failure(fd int) error {
	k.spend(k.opt.Cost.Other)
	slot, err := k.lookup("Failure", fd)
	if err == nil {
		err = k.socks[slot].takeError()
	}
	_, err = k.answer(opFailure, fd, 0, err)
	return err
}

// Peer implements poller.Net.
func (k *Kernel) Peer(fd int) netip.Addr {
	slot, err := k.lookup("Peer", fd)
	if err != nil {
		return netip.Addr{}
	}
	if addr, is := k.addrs[slot]; is {
		return addr
	}
	return netip.AddrFrom4([4]byte{10, byte(slot >> 16), byte(slot >> 8), byte(slot)})
}

// Outstanding implements poller.Net. As one buffer stands for both ends', a byte is
// acknowledged when the client has read it.
func (k *Kernel) Outstanding(fd int) (int, error) {
	slot, err := k.lookup("Outstanding", fd)
	if err != nil {
		return 0, err
	}
	return int(k.socks[slot].queued), nil
}

// Acknowledged implements poller.Net.
func (k *Kernel) Acknowledged(fd int) (uint64, error) {
	slot, err := k.lookup("Acknowledged", fd)
	if err != nil {
		return 0, err
	}
	s := &k.socks[slot]
	return s.sent - uint64(s.queued), nil
}

// answer notes what a call gives back.
func (k *Kernel) answer(op, fd, n int, err error) (int, error) {
	code := n
	switch err {
	case nil:
	case poller.ErrAgain:
		k.calls.Again++
		code = -1
	default:
		code = -2
	}
	k.note(op, fd, code)
	return n, err
}

// portion is n, or by bad luck less.
func (k *Kernel) portion(n int) int {
	if n > 1 && k.chance(k.opt.Partial) {
		return 1 + k.rng.IntN(n-1)
	}
	return n
}

// stormy tells whether this call is refused.
func (k *Kernel) stormy() bool {
	if k.storm == 0 && k.chance(k.opt.Again) {
		k.storm = 1 + k.rng.IntN(k.opt.AgainMax)
	}
	if k.storm == 0 {
		return false
	}
	k.storm--
	return true
}

// lookup finds an open descriptor's slot; anything else is a mistake of the caller.
func (k *Kernel) lookup(call string, fd int) (uint32, error) {
	slot, ok := k.fds.slot(fd)
	if !ok {
		k.mistake("%s of descriptor %d, which is not open", call, fd)
		return 0, ErrBadFD
	}
	return slot, nil
}
