package simio

import "throng/poller"

// socket is both ends of one connection, without pointers and in 64 bytes, so that a
// million of them are one allocation the garbage collector does not look into.
type socket struct {
	token  poller.Token
	state  uint64 // the sink's
	sent   uint64 // bytes accepted from the server and not destroyed since
	window uint32 // bytes accepted and unread at most
	queued uint32 // bytes accepted and unread: the last ones of out, if bytes are kept
	in     uint32 // buffer: client to server, unread by the server
	out    uint32 // buffer: server to client; the client has read all but queued
	fd     int32  // server's descriptor, -1 when closed
	gen    uint32 // of the slot; a Peer of another one is stale
	reg    uint32 // counts Adds; an edge of another one is stale
	poller uint16 // 1 + index of the poller that watches, 0: none
	sink   SinkID // 1 + index of the sink, 0: bytes are kept
	flags  flag
}

type flag uint16

const (
	clientFIN   flag = 1 << iota // the client has finished sending
	clientGone                   // the client has closed or reset
	serverFIN                    // the server has finished sending
	serverReset                  // the server's end answered with a reset
	dead                         // a reset has reached the server
	errReset                     // the server has not yet been told ErrReset
	errPipe                      // the server has not yet been told ErrPipe
	stalled                      // the client does not read by itself
	noSpace                      // the server waits for a Writable edge
	pending                      // an edge is on its way
	writers                      // Writable is armed
	errTimeout                   // the server has not yet been told ErrTimeout
	unwritable                   // writes fail with ErrNoBuffers
)

func (s *socket) is(f flag) bool { return s.flags&f != 0 }

// takeError gives the error the server has not been told yet, once.
func (s *socket) takeError() error {
	defer func() { s.flags &^= errReset | errPipe | errTimeout }()
	switch {
	case s.is(errTimeout):
		return ErrTimeout
	case s.is(errReset):
		return ErrReset
	case s.is(errPipe):
		return ErrPipe
	}
	return nil
}

// free is the number of bytes a write could get rid of now.
func (s *socket) free() int { return int(s.window) - int(s.queued) }

// roomy tells whether so much is free that the kernel calls it writable: at least half
// of what is queued (Linux: sk_stream_is_writeable).
func (s *socket) roomy() bool { return s.free() > 0 && s.free() >= int(s.queued)/2 }

// level is what the socket is ready for. Like Linux's tcp_poll, asking about a full
// socket orders a Writable edge.
func (s *socket) level() poller.Flags {
	var f poller.Flags
	if s.in != 0 {
		f |= poller.Readable
	}
	if s.is(clientFIN | dead) {
		f |= poller.Readable | poller.Hangup
	}
	switch {
	case !s.is(writers):
	case s.is(serverFIN|dead) || s.roomy():
		f |= poller.Writable
	default:
		s.flags |= noSpace
	}
	if s.is(errReset | errPipe | errTimeout) {
		f |= poller.Failed
	}
	return f
}

// raise puts an edge of the socket on its way to whoever watches it. One that is on its
// way already takes the new one along: what Wait reports is the level at that time.
func (k *Kernel) raise(slot uint32) {
	s := &k.socks[slot]
	if s.poller == 0 || s.is(pending) {
		return
	}
	s.flags |= pending
	if k.chance(k.opt.Delay) {
		k.put(entry{at: k.now + 1 + k.rng.Int64N(int64(k.opt.DelayMax)), slot: slot, reg: s.reg})
		return
	}
	k.pollers[s.poller-1].ready.push(ref{slot, s.reg})
}

// drained raises the Writable edge if somebody waits for it and there is room.
func (k *Kernel) drained(slot uint32) {
	if s := &k.socks[slot]; s.is(noSpace) && s.roomy() {
		s.flags &^= noSpace
		if s.is(writers) {
			k.raise(slot)
		}
	}
}

// resetServer lets a reset reach the server's end. After a FIN Linux calls it a broken
// pipe, else a reset connection; what the client sent before can still be read.
func (k *Kernel) resetServer(slot uint32) {
	s := &k.socks[slot]
	if s.is(clientFIN) {
		s.flags |= dead | errPipe
	} else {
		s.flags |= dead | errReset
	}
	k.destroyQueued(s)
	k.raise(slot)
}

// resetClient lets a reset reach the client's end: what it has not read is lost.
func (k *Kernel) resetClient(slot uint32) {
	s := &k.socks[slot]
	s.flags |= serverReset
	k.destroyQueued(s)
}

func (k *Kernel) destroyQueued(s *socket) {
	if s.sink == 0 && s.queued > 0 {
		k.bufs.cut(&s.out, int(s.queued))
	}
	s.sent -= uint64(s.queued)
	s.queued = 0
}

// release frees the slot once both ends are closed.
func (k *Kernel) release(slot uint32) {
	s := &k.socks[slot]
	if s.fd >= 0 || !s.is(clientGone) {
		return
	}
	k.bufs.drop(&s.in)
	k.bufs.drop(&s.out)
	delete(k.addrs, slot)
	*s = socket{fd: -1, gen: s.gen + 1, reg: s.reg}
	k.freed = append(k.freed, slot)
}
