package breaker

import (
	"slices"
	"testing"
)

func quantile(of []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[int(q*float64(len(sorted)-1))]
}

// Clients that come back when they are told: three times what can be taken is held near the
// target, and who is let in hardly waits.
func TestLimiter_ObedientCrowdIsServed(t *testing.T) {
	for _, capacity := range []float64{500, 5000} {
		c := newCrowd(t, capacity, 0.8)
		c.run(10)
		t.Logf("capacity %.0f, 0.8: %.3f served, %d refused, waits %.3f s", capacity, c.goodput(10), c.refused, c.wait99())
		if refused := float64(c.refused) / float64(c.served+c.refused); refused > 0.06 { // of a few hundred a second that come at random
			t.Errorf("capacity %.0f: %.3f refused at 0.8", capacity, refused)
		}
		c.join(2.2)
		for _, seconds := range []float64{5, 10, 20, 25} {
			c.run(seconds)
			t.Logf("capacity %.0f, 3: for %.0f s %.3f served, %d refused, waits %.3f s, rate %.2f to %.2f",
				capacity, seconds, c.goodput(seconds), c.refused, c.wait99(), slices.Min(c.rates), slices.Max(c.rates))
		}
		if good := c.goodput(25); good < 0.75 {
			t.Errorf("capacity %.0f: goodput %.3f", capacity, good)
		}
		c.leave(2.2)
		for range 3 {
			c.run(5)
			t.Logf("capacity %.0f, 0.8: for 5 s %.3f served, %d refused, waits %.3f s", capacity, c.goodput(5), c.refused, c.wait99())
		}
	}
}

// The same without a moment's peace before: the crowd is there from the start.
func TestLimiter_ObedientCrowdFromTheStart(t *testing.T) {
	for _, capacity := range []float64{500, 5000} {
		c := newCrowd(t, capacity, 3)
		for _, seconds := range []float64{5, 10, 20, 25} {
			c.run(seconds)
			t.Logf("capacity %.0f, 3: for %.0f s %.3f served, %d refused, waits %.3f s, rate %.2f to %.2f",
				capacity, seconds, c.goodput(seconds), c.refused, c.wait99(), slices.Min(c.rates), slices.Max(c.rates))
		}
		if good := c.goodput(25); good < 0.75 {
			t.Errorf("capacity %.0f: goodput %.3f", capacity, good)
		}
	}
}

// A few hundred publishers, each of which sends again at once, and is silent for seconds when
// it was refused.
func TestLimiter_ObedientPublishersAreServed(t *testing.T) {
	c := newCrowd(t, 10000, 0)
	c.think, c.refusal = 0.03, 0.5
	c.join(0.8)
	c.run(10)
	t.Logf("0.8: %.3f served, %d refused, waits %.3f s", c.goodput(10), c.refused, c.wait99())
	if refused := float64(c.refused) / float64(c.served+c.refused); refused > 0.02 {
		t.Errorf("%.3f refused at 0.8", refused)
	}
	c.join(2.2)
	for _, seconds := range []float64{5, 10, 20, 25} {
		c.run(seconds)
		t.Logf("3: for %.0f s %.3f served, %d refused, waits %.3f s, rate %.2f to %.2f",
			seconds, c.goodput(seconds), c.refused, c.wait99(), slices.Min(c.rates), slices.Max(c.rates))
	}
	if good := c.goodput(25); good < 0.75 {
		t.Errorf("goodput %.3f", good)
	}
	c.leave(2.2)
	for range 4 {
		c.run(5)
		t.Logf("0.8: for 5 s %.3f served, %d refused, waits %.3f s", c.goodput(5), c.refused, c.wait99())
	}
	if good := c.goodput(5); good < 0.75 {
		t.Errorf("afterwards %.3f", good)
	}
}
