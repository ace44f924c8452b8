package contract

import (
	"bytes"

	"throng/poller"
)

// manySends is more than any batch of a kernel, so that a call is made of several.
const manySends = 150

// line is a connection of a WriteMany's test.
type line struct {
	fd     int
	client Client
	token  poller.Token
}

func (r *rig) lines(n int) []line {
	r.Helper()
	all := make([]line, n)
	for i := range all {
		t := poller.MakeToken(uint32(i+1), 1)
		fd, c := r.watched(t)
		all[i] = line{fd, c, t}
	}
	return all
}

func (r *rig) hangUp(all []line) {
	r.Helper()
	for _, l := range all {
		l.client.Close()
		r.done(l.fd)
	}
}

// sent checks what came of a write that nothing stands in the way of, and sends the rest
// of it where mischief cut it short.
func (r *rig) sent(s poller.Send, t poller.Token) {
	r.Helper()
	switch {
	case s.Err == nil && s.N > 0 && s.N <= len(s.P):
	case s.Err == poller.ErrAgain && s.N == 0 && !r.Calm:
	default:
		r.Fatalf("the write tagged %d gave %d, %v for %d bytes", s.Tag, s.N, s.Err, len(s.P))
	}
	if r.Calm && s.N != len(s.P) {
		r.Errorf("the write tagged %d took %d of %d bytes of an empty socket", s.Tag, s.N, len(s.P))
	}
	r.writeAll(int(s.FD), t, s.P[s.N:])
}

func manyToMany(r *rig) {
	r.Poller.WriteMany(nil)
	all := r.lines(manySends)
	for _, n := range []int{1, 2, 3, 4, 5, 63, 64, 65, 128, manySends} {
		sends := make([]poller.Send, n)
		for i := range sends {
			sends[i] = poller.Send{FD: int32(all[i].fd), Tag: uint32(i), P: pattern(1+i*7, uint32(n*1000+i)), N: -1, Err: poller.ErrEOF}
		}
		r.Poller.WriteMany(sends)
		for i, s := range sends {
			if int(s.Tag) != i || int(s.FD) != all[i].fd {
				r.Fatalf("send %d came back as tag %d, descriptor %d", i, s.Tag, s.FD)
			}
			r.sent(s, all[i].token)
			r.clientReads(all[i].client, s.P)
		}
	}
	r.hangUp(all)
}

// manyMixed: one socket is full, one peer has reset, one descriptor never was; the others
// get what is theirs.
func manyMixed(r *rig) {
	all := r.lines(9)
	full, gone := all[2], all[5]
	filled := r.fill(full.fd)
	gone.client.Reset()
	r.await(gone.token, poller.Hangup)
	sends := make([]poller.Send, len(all))
	for i, l := range all {
		sends[i] = poller.Send{FD: int32(l.fd), Tag: uint32(i), P: pattern(100, uint32(i))}
	}
	r.Poller.WriteMany(sends)
	for i, s := range sends {
		switch {
		case i == 2:
			if s.N != 0 || s.Err != poller.ErrAgain {
				r.Errorf("a full socket gave %d, %v", s.N, s.Err)
			}
		case i == 5:
			if s.N != 0 || s.Err == nil || s.Err == poller.ErrAgain || !poller.PeerGone(s.Err) {
				r.Errorf("a reset connection gave %d, %v", s.N, s.Err)
			}
		default:
			r.sent(s, all[i].token)
			r.clientReads(all[i].client, s.P)
		}
	}
	r.clientReads(full.client, filled)
	r.await(full.token, poller.Writable)
	r.hangUp(all)
}

// manyCut: what the sockets don't take whole is cut somewhere, and goes on from there.
func manyCut(r *rig) {
	size := 16 << 20 // more than a kernel's socket buffers grow to
	if !r.Calm {
		size = 1 << 20
	}
	all := r.lines(6)
	sends := make([]poller.Send, len(all))
	for i, l := range all {
		sends[i] = poller.Send{FD: int32(l.fd), P: pattern(size, uint32(i))}
	}
	r.Poller.WriteMany(sends)
	for i, s := range sends {
		if s.N >= len(s.P) || s.N <= 0 && (r.Calm || s.Err != poller.ErrAgain) || s.N > 0 && s.Err != nil {
			r.Fatalf("send %d gave %d, %v for %d bytes", i, s.N, s.Err, len(s.P))
		}
		if s.N > 0 {
			r.clientReads(all[i].client, s.P[:s.N])
		}
		r.writeAll(int(s.FD), all[i].token, []byte("rest"))
		r.clientReads(all[i].client, []byte("rest"))
	}
	r.hangUp(all)
}

func manyToOne(r *rig) {
	if !r.Calm {
		return // a refused write in the middle would put the others out of order: the caller's business
	}
	all := r.lines(1)
	sends := make([]poller.Send, manySends)
	var want []byte
	for i := range sends {
		sends[i] = poller.Send{FD: int32(all[0].fd), P: pattern(i+1, uint32(i))}
		want = append(want, sends[i].P...)
	}
	r.Poller.WriteMany(sends)
	for _, s := range sends {
		if s.N != len(s.P) || s.Err != nil {
			r.Fatalf("%d of %d bytes, %v", s.N, len(s.P), s.Err)
		}
	}
	r.clientReads(all[0].client, bytes.Clone(want))
	r.hangUp(all)
}
