package bench

import (
	"testing"
)

func TestConnect_SmallAtEveryRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 400} {
		o := small(built.peer)
		o.Connections, o.Rate, o.Topics = 0, rate, 3
		r := runs(t, connect, o)
		if got := checked(t, r, "events delivered, one to each attached stream"); got != "50" {
			t.Errorf("rate %v: %s events", rate, got)
		}
	}
}

func TestConnect_RefusalsAreCounted(t *testing.T) {
	t.Parallel()
	o := small(fibberServer("refuse"))
	o.Connections = 40
	r := runs(t, connect, o)
	if got := checked(t, r, "streams attached"); got != "40" {
		t.Errorf("%s attached", got)
	}
	if v, _, ok := r.Value("connects refused with 503 and Retry-After"); !ok || v != 10 {
		t.Errorf("%v refused", v)
	}
	o.Connections = 0 // now nobody may be refused
	found(t, connect, o)
}

// A 503 that does not say when to come back is no honest refusal, a stream that hears
// nothing is not attached, and a connection that is closed is no answer.
func TestConnect_FibbersAreFound(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"rude", "deaf", "hangup"} {
		o := small(fibberServer(how))
		o.Connections, o.Topics = 40, 3
		if how == "deaf" {
			o.Connections = 0
		}
		found(t, connect, o)
	}
}
