package loops

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"throng/internal/simio"
)

// watched is a rig whose failures are kept.
func watched(t *testing.T, stall time.Duration) (*rig, *[]Failure) {
	t.Helper()
	var told []Failure
	s := calm()
	s.Heartbeat, s.StallTimeout, s.MailboxMax = time.Hour, stall, 256
	random := rand.New(rand.NewPCG(1, 2))
	s.Random = random.Uint32
	s.Failed = func(f Failure) { told = append(told, f) }
	return newRig(t, s), &told
}

func (r *rig) join(ns *Namespace, count int, topics ...string) (all []*simio.Peer) {
	for range count {
		fd, p := r.connect()
		r.g.Attach(fd, &Attach{NS: ns, Topics: topics})
		all = append(all, p)
	}
	r.settle()
	return all
}

// Forty clients are out of reach, and their sockets take whatever comes; one reads.
func TestWitness_IsFoundAmongMany(t *testing.T) {
	r, _ := watched(t, 30*time.Second)
	ns := r.space("a")
	for _, p := range r.join(ns, 40, "all") {
		p.Stall()
	}
	for range 40 {
		r.publish(ns, []string{"all"}, "x")
		r.pass(250 * time.Millisecond)
	}
	if at := ns.proven(); at != 0 {
		t.Errorf("nobody has acknowledged anything, and something was at %v", time.Duration(at))
	}
	r.join(ns, 1, "all")
	begun := r.k.Now()
	for range 100 { // 25 s
		r.publish(ns, []string{"all"}, "x")
		r.pass(250 * time.Millisecond)
	}
	if at := ns.proven(); at < begun {
		t.Error("one reads, and was not found in 25 s")
	}
	r.stop()
}

// A stream that is always being sent something is a witness too; one that has not
// acknowledged anything since is none.
func TestWitness_ThatIsBusyCounts(t *testing.T) {
	r, _ := watched(t, 30*time.Second)
	ns := r.space("a")
	p := r.join(ns, 1, "all")[0]
	p.Stall()
	for range 12 {
		r.publish(ns, []string{"all"}, "some bytes are always on their way")
		r.pass(250 * time.Millisecond)
		p.Drain(20)
	}
	at := ns.proven()
	if at == 0 {
		t.Error("it reads, slowly, and that was not seen")
	}
	for range 12 {
		r.publish(ns, []string{"all"}, "and now nobody acknowledges them")
		r.pass(250 * time.Millisecond)
	}
	if late := ns.proven(); late > at+int64(3*witnessTicks*tickLength) {
		t.Errorf("it went silent at %v, and is a witness for %v", time.Duration(at), time.Duration(late))
	}
	r.stop()
}

// A success just before a failure is known to it.
func TestWitness_IsHeardAtAFailure(t *testing.T) {
	r, told := watched(t, 4*time.Second)
	ns := r.space("a")
	bad := r.join(ns, 1, "busy")[0]
	r.join(ns, 1, "quiet")
	bad.Stall()
	bad.SetWindow(60)
	r.publish(ns, []string{"busy"}, "more than the window has room for, which is what makes it a laggard")
	r.pass(3900 * time.Millisecond)
	r.publish(ns, []string{"quiet"}, "x")
	published := r.k.Now()
	r.pass(time.Second)
	if len(*told) != 1 || !errors.Is((*told)[0].Cause, errStalled) || (*told)[0].Proven < published {
		t.Errorf("published at %v, told was %+v", time.Duration(published), *told)
	}
	r.stop()
}

// They are few, and none is left when its row is gone, or nobody wants to know.
func TestWitness_AreFew(t *testing.T) {
	r, _ := watched(t, 30*time.Second)
	l, ns := r.g.Loops()[0], r.space("a")
	all := r.join(ns, 200, "all")
	for range 20 {
		r.publish(ns, []string{"all"}, "x")
		r.settle()
		if n := l.witnesses.len(); n == 0 || n > witnessesMax || n != l.ns[ns.Index].witnesses {
			t.Fatalf("%d witnesses, %d counted", n, l.ns[ns.Index].witnesses)
		}
	}
	for _, p := range all {
		p.Reset()
	}
	r.pass(time.Second)
	if n := l.witnesses.len(); n != 0 || l.ns[ns.Index].witnesses != 0 {
		t.Errorf("%d are left, %d counted", n, l.ns[ns.Index].witnesses)
	}
	r.stop()

	silent := newRig(t, calm())
	ns = silent.space("a")
	silent.join(ns, 3, "all")
	silent.publish(ns, []string{"all"}, "x")
	silent.settle()
	if n := silent.g.Loops()[0].witnesses.len(); n != 0 {
		t.Errorf("%d witnesses of what nobody asks for", n)
	}
	silent.stop()
}
