package contract

import (
	"bytes"

	"throng/poller"
)

func readEmpty(r *rig) {
	fd, c := r.watched(7)
	buf := make([]byte, 16)
	if n, err := r.Net.Read(fd, buf); n != 0 || err != poller.ErrAgain {
		r.Errorf("Read of nothing gave %d, %v", n, err)
	}
	c.Close()
	r.done(fd)
}

func readFIN(r *rig) {
	fd, c := r.watched(7)
	c.Send([]byte("last words"))
	c.CloseWrite()
	r.await(7, poller.Readable|poller.Hangup)
	got, err := r.readEnd(fd, 7)
	if string(got) != "last words" || err != poller.ErrEOF {
		r.Errorf("read %q, then %v", got, err)
	}
	if _, err := r.Net.Read(fd, make([]byte, 1)); err != poller.ErrEOF {
		r.Errorf("the end of the stream did not last: %v", err)
	}
	c.Close()
	r.done(fd)
}

func readReset(r *rig) {
	fd, c := r.watched(7)
	c.Reset()
	r.await(7, poller.Readable|poller.Hangup|poller.Failed)
	if _, err := r.readEnd(fd, 7); err == poller.ErrEOF {
		r.Error("a reset looks like the end of the stream")
	}
	r.done(fd)
}

func writeFull(r *rig) {
	fd, c := r.watched(7)
	r.await(7, poller.Writable)
	sent := r.fill(fd)
	if len(sent) == 0 {
		r.Fatal("not one byte was accepted")
	}
	r.silent(7, "the client has read nothing")
	r.clientReads(c, sent)
	r.await(7, poller.Writable)
	r.writeAll(fd, 7, []byte("more"))
	r.clientReads(c, []byte("more"))
	c.Close()
	r.done(fd)
}

// fill writes until the socket takes no more, and gives what it took.
func (r *rig) fill(fd int) []byte {
	r.Helper()
	var sent []byte
	for salt, refused := uint32(0), 0; ; salt++ {
		chunk := pattern(64<<10, salt)
		n, err := r.Net.Write(fd, chunk)
		if err == poller.ErrAgain {
			if refused++; r.Calm || refused > 100 { // mischief may refuse for no reason
				return sent
			}
			continue
		}
		r.must("Write", err)
		if n <= 0 || n > len(chunk) {
			r.Fatalf("Write gave %d for %d bytes", n, len(chunk))
		}
		sent = append(sent, chunk[:n]...)
	}
}

func writeAfterPeerClosed(r *rig) {
	fd, c := r.watched(7)
	c.Close()
	r.await(7, poller.Readable|poller.Hangup)
	if err := r.writeFails(fd, 7); err == poller.ErrEOF {
		r.Error("Write gave ErrEOF")
	}
	r.done(fd)
}

func writeAfterReset(r *rig) {
	fd, c := r.watched(7)
	c.Reset()
	r.await(7, poller.Hangup)
	if _, err := r.Net.Write(fd, []byte("x")); err == nil || err == poller.ErrAgain {
		r.Errorf("Write after a reset gave %v", err)
	}
	if _, err := r.Net.Write(fd, []byte("x")); err == nil || err == poller.ErrAgain {
		r.Errorf("the second Write after a reset gave %v", err)
	}
	r.done(fd)
}

func writeAfterPeersFIN(r *rig) {
	fd, c := r.watched(7)
	c.CloseWrite()
	r.await(7, poller.Readable|poller.Hangup)
	r.writeAll(fd, 7, []byte("still here"))
	r.clientReads(c, []byte("still here"))
	c.Close()
	r.done(fd)
}

func writevOrder(r *rig) {
	fd, c := r.watched(7)
	var ps [][]byte
	for i := range poller.WritevMax {
		ps = append(ps, pattern(i, uint32(i))) // the first is empty
	}
	want := bytes.Join(ps, nil)
	for len(ps) > 0 {
		n, err := r.Net.Writev(fd, ps)
		if err == poller.ErrAgain {
			r.await(7, poller.Writable)
			continue
		}
		r.must("Writev", err)
		ps = after(ps, n)
	}
	r.clientReads(c, want)
	c.Close()
	r.done(fd)
}

// after is ps without its first n bytes; no bytes left is no slices.
func after(ps [][]byte, n int) [][]byte {
	for len(ps) > 0 && n >= len(ps[0]) {
		n -= len(ps[0])
		ps = ps[1:]
	}
	if len(ps) > 0 {
		ps[0] = ps[0][n:]
	}
	return ps
}

func writevCuts(r *rig) {
	fd, c := r.watched(7)
	r.await(7, poller.Writable)
	var sent []byte
	for salt, refused := uint32(0), 0; ; salt++ {
		ps := [][]byte{pattern(999, salt), pattern(40_000, salt+1), pattern(3, salt+2), pattern(70_001, salt+3)}
		whole := bytes.Join(ps, nil)
		n, err := r.Net.Writev(fd, ps)
		if err == poller.ErrAgain {
			if refused++; r.Calm || refused > 100 {
				break
			}
			continue
		}
		r.must("Writev", err)
		if n <= 0 || n > len(whole) {
			r.Fatalf("Writev gave %d for %d bytes", n, len(whole))
		}
		sent = append(sent, whole[:n]...)
	}
	r.clientReads(c, sent)
	r.await(7, poller.Writable)
	c.Close()
	r.done(fd)
}

func shutdownWrite(r *rig) {
	fd, c := r.watched(7)
	r.writeAll(fd, 7, []byte("the answer"))
	r.must("ShutdownWrite", r.Net.ShutdownWrite(fd))
	r.clientReads(c, []byte("the answer"))
	if b := c.Read(1); b != nil {
		r.Errorf("the client read %q after the end", b)
	}
	c.Send([]byte("thanks"))
	if got := r.readSome(fd, 7, 6); string(got) != "thanks" {
		r.Errorf("read %q after ShutdownWrite", got)
	}
	c.Close()
	r.done(fd)
}

func shutdownThenWrite(r *rig) {
	fd, c := r.watched(7)
	r.must("ShutdownWrite", r.Net.ShutdownWrite(fd))
	if _, err := r.Net.Write(fd, []byte("x")); err == nil || err == poller.ErrAgain || err == poller.ErrEOF {
		r.Errorf("Write after ShutdownWrite gave %v", err)
	}
	c.Close()
	r.done(fd)
}

func closeDelivers(r *rig) {
	fd, c := r.watched(7)
	want := pattern(20_000, 5)
	r.writeAll(fd, 7, want)
	r.done(fd)
	r.clientReads(c, want)
	if b := c.Read(1); b != nil {
		r.Errorf("the client read %q after the end", b)
	}
	c.Close()
}

// streamBothWays moves bytes in both directions at once, by edges alone: a lost edge is
// a hang, a lost or doubled byte a difference.
func streamBothWays(r *rig) {
	const total = 200_000
	fd, c := r.watched(7)
	down, up := pattern(total, 1), pattern(total, 2)
	var got []byte
	buf := make([]byte, 3000)
	written, sent, clientGot := 0, 0, 0
	for round := 0; len(got) < total || clientGot < total; round++ {
		if n := min(total-sent, 1+round*37%5000); n > 0 {
			c.Send(up[sent : sent+n])
			sent += n
		}
		for written < total {
			n, err := r.Net.Write(fd, down[written:min(total, written+7001)])
			if err == poller.ErrAgain {
				break
			}
			r.must("Write", err)
			written += n
		}
		if n := min(written-clientGot, 1+round*91%9000); n > 0 {
			r.clientReads(c, down[clientGot:clientGot+n])
			clientGot += n
		}
		for len(got) < total {
			n, err := r.Net.Read(fd, buf)
			if err == poller.ErrAgain {
				break
			}
			r.must("Read", err)
			got = append(got, buf[:n]...)
		}
		if written == clientGot && sent == total && written < total {
			r.await(7, poller.Writable)
		} else if written == total && clientGot == total && len(got) < total && sent == total {
			r.await(7, poller.Readable)
		}
	}
	if !bytes.Equal(got, up) {
		r.Fatalf("the server got %d bytes; they differ at %d", len(got), differAt(got, up))
	}
	c.Close()
	r.done(fd)
}
