package loops

import (
	"sync/atomic"
	"testing"
)

// Streams are counted into the mailbox and out of it; refused requests, and what a full mailbox
// did not take, are not.
func TestGroup_CountsStreamsThatAreHandedOver(t *testing.T) {
	s := calm()
	s.MailboxMax = 4
	r := newRig(t, s)
	ns := r.space("default")
	counts := func(wantCame, wantLeft uint64, wantAll int) {
		t.Helper()
		if came, left := r.g.StreamHandOvers(); came != wantCame || left != wantLeft || r.g.HandOvers() != wantAll {
			t.Errorf("%d streams came and %d left, %d wait with the refused; want %d, %d, %d", came, left, r.g.HandOvers(), wantCame, wantLeft, wantAll)
		}
	}
	hand := func(stream bool) {
		fd, _ := r.connect()
		if stream && r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"t"}}) || !stream && r.g.TryRefuse(fd, []byte("no"), nil) {
			return
		}
		_ = r.k.Close(fd) // it is still the caller's
	}
	hand(false)
	counts(0, 0, 1)
	for range 4 { // there is room for three
		hand(true)
	}
	counts(3, 0, 4)
	r.settle()
	counts(3, 3, 0)
	hand(true)
	hand(false)
	counts(4, 3, 2)
	r.stop()
	counts(4, 4, 0)
}

// A hand-over leaves its sender's books when it is a row, before the loop sees it, so whoever
// has got its answer is counted once; what a full mailbox did not take is the sender's still.
func TestGroup_HandOverIsInOneOfTheBooks(t *testing.T) {
	s := calm()
	s.MailboxMax = 2
	r := newRig(t, s)
	ns := r.space("default")
	var books atomic.Int64
	books.Store(4)
	for i := range 4 {
		fd, _ := r.connect()
		taken := i == 0 && r.g.TryRefuse(fd, []byte("no"), &books) ||
			i > 0 && r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"t"}, Books: &books})
		if !taken {
			_ = r.k.Close(fd)
		}
		if rows, left := r.g.Rows(), books.Load(); taken != (i < 2) || rows != min(i+1, 2) || rows+int(left) != 4 {
			t.Errorf("hand-over %d, taken: %v; %d rows, %d in the sender's books", i, taken, rows, left)
		}
	}
	r.stop()
	fd, _ := r.connect()
	r.g.Attach(fd, &Attach{NS: ns, Topics: []string{"t"}, Books: &books})
	if books.Load() != 1 {
		t.Errorf("%d in the sender's books after one that came too late", books.Load())
	}
}
