package loops

import (
	"testing"

	"throng/replay"
	"throng/sse"
)

// Clients that come back with IDs of a history that is lost are told within the budget of a
// turn, however many there are.
func TestAhead_TurnedBackWithinTheBudget(t *testing.T) {
	const rows = 3000
	s := calm()
	s.RowsMax, s.MailboxMax, s.kernel.FDsMax = 2*rows, 4096, 2*rows
	s.wrap = func(log replay.Log) *cold { last := log.Last(); return &cold{Log: log, tail: &last} }
	r := newRig(t, s)
	ns := r.space("a")
	for range 5 {
		r.publish(ns, []string{"t"}, "x")
	}
	r.settle()
	for range rows {
		fd, _ := r.connect()
		for !r.g.TryAttach(fd, &Attach{NS: ns, Topics: []string{"t"}, From: FromID, ID: sse.ID{Major: 1, Minor: 99}, Requested: "1-99", Head: []byte(headOK)}) {
			r.turn(0)
		}
	}
	l := r.g.Loops()[0]
	for range 1000 {
		l.Turn(0)
	}
	most := uint64(0)
	for range 1000 {
		r.g.pager.serve(false)
		before := r.k.Calls()
		l.Turn(0)
		after := r.k.Calls()
		most = max(most, after.Writev+after.Write-before.Writev-before.Write)
	}
	if int(most) > 2*s.TurnWritesMax {
		t.Errorf("a turn makes %d writes, its budget is %d", most, s.TurnWritesMax)
	}
	r.stop()
}
