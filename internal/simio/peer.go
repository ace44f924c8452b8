package simio

import "net/netip"

// Peer is the client's end of a connection, moved by the test. It reads all it can get by
// itself, like a browser, until it is stalled. It keeps what it read for Read and
// Received, or shows it to a Sink (Count).
//
// After Close or Reset only ServerClosed may be asked, and closing again does nothing.
type Peer struct {
	k    *Kernel
	slot uint32
	gen  uint32
}

// sock is the socket of a peer that is still there; anything else is the test's mistake.
func (p *Peer) sock(call string) *socket {
	s := &p.k.socks[p.slot]
	if s.gen != p.gen || s.is(clientGone) {
		p.k.mistake("%s on a closed Peer", call)
		return &socket{fd: -1}
	}
	return s
}

// gone tells whether the peer was closed.
func (p *Peer) gone() bool {
	s := &p.k.socks[p.slot]
	return s.gen != p.gen || s.is(clientGone)
}

// Send gives b to the server. If the server has closed, the answer is a reset.
func (p *Peer) Send(b []byte) {
	s := p.sock("Send")
	switch {
	case p.gone() || len(b) == 0:
	case s.is(clientFIN):
		p.k.mistake("Send after CloseWrite")
	case s.fd < 0:
		p.k.resetClient(p.slot)
	default:
		p.k.bufs.push(&s.in, b)
		p.k.raise(p.slot)
	}
}

// Stall stops reading: the window fills up, then the server's writes are refused.
func (p *Peer) Stall() { p.sock("Stall").flags |= stalled }

// Resume reads all that waits and goes on reading.
func (p *Peer) Resume() {
	s := p.sock("Resume")
	s.flags &^= stalled
	s.queued = 0
	p.k.drained(p.slot)
}

// Drain lets a stalled client read n bytes at most, and tells how many it got.
func (p *Peer) Drain(n int) int {
	s := p.sock("Drain")
	n = min(n, int(s.queued))
	s.queued -= uint32(n)
	p.k.drained(p.slot)
	return n
}

// SetWindow sets how many bytes the server can write before the client has read any.
// What is on its way already stays, even if it is more.
func (p *Peer) SetWindow(bytes int) {
	p.sock("SetWindow").window = uint32(max(bytes, 0))
	p.k.drained(p.slot)
}

// Count makes the peer show its bytes to the sink instead of keeping them; state is where
// the sink starts. It is called before anything was received.
func (p *Peer) Count(id SinkID, state uint64) {
	s := p.sock("Count")
	if s.out != 0 || s.sent != 0 {
		p.k.mistake("Count on a Peer that has received bytes")
	}
	s.sink, s.state = id, state
}

// State is what the sink last returned for this peer.
func (p *Peer) State() uint64 { return p.sock("State").state }

// Bytes is the number of bytes the client has read.
func (p *Peer) Bytes() uint64 {
	s := p.sock("Bytes")
	return s.sent - uint64(s.queued)
}

// Queued is the number of bytes the server has written and the client not read.
func (p *Peer) Queued() int { return int(p.sock("Queued").queued) }

// Received is what the client has read and Read has not taken yet; valid until the
// kernel is next used.
func (p *Peer) Received() []byte {
	s := p.sock("Received")
	if s.out == 0 {
		return nil
	}
	b := p.k.bufs.view(s.out)
	return b[:len(b)-int(s.queued)]
}

// Read takes max bytes at most out of what was received, if need be reading them out
// of the window of a stalled client.
func (p *Peer) Read(max int) []byte {
	s := p.sock("Read")
	if s.out == 0 || max <= 0 {
		return nil
	}
	if missing := max - len(p.Received()); missing > 0 {
		p.Drain(missing)
	}
	b := p.Received()
	b = append([]byte(nil), b[:min(max, len(b))]...)
	p.k.bufs.skip(&s.out, len(b))
	return b
}

// CloseWrite sends the FIN; reading goes on.
func (p *Peer) CloseWrite() {
	s := p.sock("CloseWrite")
	if s.is(clientFIN) {
		return
	}
	s.flags |= clientFIN
	p.k.raise(p.slot)
}

// Close closes the client's end. With something unread, that is a reset; else a FIN, and
// whatever the server writes then is answered with a reset.
func (p *Peer) Close() {
	if p.gone() {
		return
	}
	if p.k.socks[p.slot].queued > 0 {
		p.Reset()
		return
	}
	p.CloseWrite()
	p.leave()
}

// Reset ends the connection at once in both directions.
func (p *Peer) Reset() {
	if p.gone() {
		return
	}
	p.k.resetServer(p.slot)
	p.leave()
}

// Vanish ends the connection without a word: the client is out of reach, and the server's
// kernel has waited for as long as it does. What was on its way is lost.
func (p *Peer) Vanish() {
	if p.gone() {
		return
	}
	s := p.sock("Vanish")
	s.flags |= dead | errTimeout
	p.k.destroyQueued(s)
	p.k.raise(p.slot)
	p.leave()
}

// FailWrites lets the server's writes to this client fail for a reason of its own machine
// (ErrNoBuffers), or no longer.
func (p *Peer) FailWrites(on bool) {
	s := p.sock("FailWrites")
	s.flags &^= unwritable
	if on {
		s.flags |= unwritable
	}
}

// SetAddress sets what the server sees as the client's address. Otherwise each client has
// one of its own.
func (p *Peer) SetAddress(a netip.Addr) {
	if !p.gone() {
		p.k.addrs[p.slot] = a
	}
}

func (p *Peer) leave() {
	p.k.socks[p.slot].flags |= clientGone
	p.k.release(p.slot)
}

// ServerClosed tells whether the server has closed its descriptor.
func (p *Peer) ServerClosed() bool {
	s := &p.k.socks[p.slot]
	return s.gen != p.gen || s.fd < 0
}

// SawFIN tells whether the client has read to the end of the server's stream.
func (p *Peer) SawFIN() bool {
	s := p.sock("SawFIN")
	return s.is(serverFIN) && !s.is(serverReset) && s.queued == 0
}

// SawReset tells whether the server's end was closed in a way that destroys what was on
// its way: with bytes unread, or before the client had sent its last ones.
func (p *Peer) SawReset() bool { return p.sock("SawReset").is(serverReset) }
