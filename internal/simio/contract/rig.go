package contract

import (
	"bytes"
	"testing"

	"throng/poller"
)

// waitsMax bounds how often an expected event is waited for, waitMs long each: many,
// so that a busy machine is no failure.
const (
	waitsMax = 300
	waitMs   = 100
	quietMs  = 20 // how long silence is listened to
)

// rig is a Harness in the hands of one test.
type rig struct {
	*testing.T
	Harness
	events [8]poller.Event
}

// watched gives a connected descriptor that the poller watches under t for everything.
func (r *rig) watched(t poller.Token) (int, Client) {
	r.Helper()
	fd, c := r.Connect()
	r.must("Add", r.Poller.Add(fd, t))
	r.must("Mod", r.Poller.Mod(fd, t))
	return fd, c
}

func (r *rig) must(what string, err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// done takes fd out of the poller and closes it.
func (r *rig) done(fd int) {
	r.Helper()
	r.must("Remove", r.Poller.Remove(fd))
	r.must("Close", r.Net.Close(fd))
}

func (r *rig) wait(ms int) []poller.Event {
	r.Helper()
	n, err := r.Poller.Wait(r.events[:], ms)
	r.must("Wait", err)
	return r.events[:n]
}

// await waits until an event for t has all of want, and gives its flags.
func (r *rig) await(t poller.Token, want poller.Flags) poller.Flags {
	r.Helper()
	for range waitsMax {
		for _, e := range r.wait(waitMs) {
			if e.Token == t && e.Flags&want == want {
				return e.Flags
			}
		}
	}
	r.Fatalf("no event with flags %04b came for token %#x", want, t)
	return 0
}

// silent fails if an event for t comes; it believes a calm machine only.
func (r *rig) silent(t poller.Token, why string) {
	r.Helper()
	if !r.Calm {
		return
	}
	for range 3 {
		for _, e := range r.wait(quietMs) {
			if e.Token == t {
				r.Fatalf("event %04b for token %#x though %s", e.Flags, t, why)
			}
		}
	}
}

// readSome reads until n bytes are there, waiting for edges of t in between.
func (r *rig) readSome(fd int, t poller.Token, n int) []byte {
	r.Helper()
	got := make([]byte, 0, n)
	for len(got) < n {
		m, err := r.Net.Read(fd, got[len(got):n])
		switch {
		case err == poller.ErrAgain:
			r.await(t, poller.Readable)
		case err != nil || m <= 0:
			r.Fatalf("Read gave %d, %v after %d of %d bytes", m, err, len(got), n)
		default:
			got = got[:len(got)+m]
		}
	}
	return got
}

// readEnd reads until there is an error other than ErrAgain, waiting for edges of t.
func (r *rig) readEnd(fd int, t poller.Token) ([]byte, error) {
	r.Helper()
	var got []byte
	buf := make([]byte, 256)
	for {
		n, err := r.Net.Read(fd, buf)
		got = append(got, buf[:n]...)
		switch {
		case err == poller.ErrAgain:
			r.await(t, poller.Readable)
		case err != nil:
			return got, err
		case n <= 0:
			r.Fatalf("Read gave %d without an error", n)
		}
	}
}

// writeAll writes b, waiting for Writable edges of t.
func (r *rig) writeAll(fd int, t poller.Token, b []byte) {
	r.Helper()
	for len(b) > 0 {
		n, err := r.Net.Write(fd, b)
		switch {
		case err == poller.ErrAgain:
			r.await(t, poller.Writable)
		case err != nil || n <= 0 || n > len(b):
			r.Fatalf("Write gave %d, %v for %d bytes", n, err, len(b))
		default:
			b = b[n:]
		}
	}
}

// writeFails writes until there is an error other than ErrAgain, and gives it.
func (r *rig) writeFails(fd int, t poller.Token) error {
	r.Helper()
	for range waitsMax {
		_, err := r.Net.Write(fd, []byte("into the void"))
		switch err {
		case nil, poller.ErrAgain:
			r.wait(waitMs / 10)
		default:
			return err
		}
	}
	r.Fatalf("%d writes to token %#x did not fail", waitsMax, t)
	return nil
}

// clientReads reads exactly len(want) bytes at the client and compares.
func (r *rig) clientReads(c Client, want []byte) {
	r.Helper()
	var got []byte
	for len(got) < len(want) {
		b := c.Read(len(want) - len(got))
		if len(b) == 0 {
			break
		}
		got = append(got, b...)
	}
	if !bytes.Equal(got, want) {
		r.Fatalf("the client got %d bytes, %d were sent; they differ at %d", len(got), len(want), differAt(got, want))
	}
}

func differAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// pattern is n bytes in which every place can be told from its neighbours.
func pattern(n int, salt uint32) []byte {
	b := make([]byte, n)
	x := salt*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}
