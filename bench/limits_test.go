package bench

import (
	"testing"
	"time"
)

func smallLimits(server []string) Options {
	o := small(server)
	o.Streams, o.Connections, o.Duration = 80, fibRoom+limitsOwn, 10*time.Second
	o.Hold, o.Interval = 10*time.Millisecond, 5*time.Millisecond
	return o
}

func TestLimits_SmallWithRoomForAll(t *testing.T) {
	t.Parallel()
	r := runs(t, limits, smallLimits(built.peer))
	if v, _, _ := r.Value("attempts"); v != 80 {
		t.Errorf("%v attempts", v)
	}
}

// A node that is full refuses in both ways, and everybody is served all the same.
func TestLimits_RefusedClientsComeBack(t *testing.T) {
	t.Parallel()
	r := runs(t, limits, smallLimits(fibberServer("full")))
	for _, name := range []string{"refused with 503", "refused with 200, and come back"} {
		if v, _, _ := r.Value(name); v <= 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
	if v, _, _ := r.Value("attempts"); v <= 80 {
		t.Errorf("%v attempts", v)
	}
}

// A worker holds the tenants where there are not descriptors enough for all.
func TestLimits_TenantsInAWorker(t *testing.T) {
	t.Parallel()
	r, err := begin(t.Context(), limits, smallLimits(built.peer))
	if err == nil {
		err = r.newTeam(1)
	}
	if err == nil {
		err = runLimits(r)
	}
	report, err := r.end(err)
	if err != nil || !report.OK() {
		t.Errorf("%v, %+v", err, report.Checks)
	}
}

func TestLimits_FibbersAreFound(t *testing.T) {
	t.Parallel()
	o := smallLimits(built.peer)
	o.Connections = limitsGroups
	found(t, limits, o) // too few places to share out
	found(t, limits, smallLimits(liar("drop")))
}
