package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
)

// guardedOutage is a store with a guard that it asks as it should.
type guardedOutage struct {
	*outage
	g *testGuard
}

func (o *guardedOutage) guard() Guard { return o.g }

func (o *guardedOutage) Open(ns string) (Log, error) {
	l, err := o.outage.Open(ns)
	return &guardedLog{l, o.g}, err
}

type guardedLog struct {
	Log
	g *testGuard
}

func (l *guardedLog) Append(ctx context.Context, batch []Record) error {
	if !l.g.Allow() {
		return errIsolated
	}
	return l.appendAllowed(ctx, batch)
}

func (l *guardedLog) appendAllowed(ctx context.Context, batch []Record) error {
	return l.Log.Append(ctx, batch)
}

// TestSpoolGuard_SendsWhatItMayAndInOrder: what the guard refuses waits, the sender asks once
// a page, and one that is closed while it waits for leave ends.
func TestSpoolGuard_SendsWhatItMayAndInOrder(t *testing.T) {
	o := &guardedOutage{newOutage(), &testGuard{}}
	s := newSpool(t, o, vfs.NewMem(), seglog.Never)
	l := mustOpen(t, s, "a")
	var want []string
	publishTo := func(n int) {
		for len(want) < n {
			data := fmt.Sprint(len(want))
			if r, err := publish(t, l, "", data); err != nil || r[0].Spooled == 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			want = append(want, data)
		}
	}
	publishTo(3 * spoolPage)
	time.Sleep(5 * time.Millisecond) // the sender asks, and is refused
	if got := o.texts(t, "a"); len(got) > 0 {
		t.Fatalf("%d were sent", len(got))
	}
	o.g.nth.Store(4)
	publishTo(4 * spoolPage) // behind what waits: none overtakes
	o.drained(t, s)
	if got := o.texts(t, "a"); !slices.Equal(got, want) {
		t.Errorf("%d came, of %d, or in another order", len(got), len(want))
	}
	if n := o.g.allowed.Load(); n < 4 || n > 40 {
		t.Errorf("%d pages of %d were sent for %d events", n, spoolPage, len(want))
	}
	o.g.nth.Store(0)
	publishTo(len(want) + 1)
	begun := time.Now()
	if err := s.Close(); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("Close: %v, after %v", err, time.Since(begun))
	}
}
