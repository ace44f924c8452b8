package obs

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

// TestHistogram_BucketOfEveryDuration compares the quick search with a plain one, around
// each bound and at random.
func TestHistogram_BucketOfEveryDuration(t *testing.T) {
	plain := func(ns int64) int {
		return sort.Search(len(boundsNs), func(i int) bool { return ns <= boundsNs[i] })
	}
	values := []int64{0, 1, math.MaxInt64}
	for _, b := range boundsNs {
		values = append(values, b-1, b, b+1)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		values = append(values, rnd.Int64()>>rnd.IntN(63))
	}
	for _, ns := range values {
		if got, want := bucket(ns), plain(ns); got != want {
			t.Fatalf("%d ns is in bucket %d, want %d", ns, got, want)
		}
	}
}

// TestHistogram_CountsBatches: n at once is n times one; nonsense counts as 0 or not.
func TestHistogram_CountsBatches(t *testing.T) {
	h := NewHistogram()
	h.ObserveNs(1500, 3)
	h.Observe(1500)
	h.ObserveNs(1500, 0)
	h.ObserveNs(1500, -1)
	h.Observe(-time.Second)
	h.Observe(time.Hour)
	d := h.Read()
	if d.Buckets[1] != 4 || d.Buckets[0] != 1 || d.Buckets[bucketCount-1] != 1 || d.Count != 6 {
		t.Errorf("%+v", d)
	}
	if want := 6*time.Microsecond + time.Hour; d.Sum != want {
		t.Errorf("sum %v, want %v", d.Sum, want)
	}
}

// TestCounting_DoesNotAllocate: what the hot path calls.
func TestCounting_DoesNotAllocate(t *testing.T) {
	m := newTable()
	n := testing.AllocsPerRun(100, func() {
		m.EventsDelivered.Add(3)
		m.ConnectionsClosed[1].Inc()
		m.Connections[KindSSE].Add(-1)
		m.HTTPResponse(404).Inc()
		m.Published("default").Inc()
		m.DeliveryLag.ObserveNs(123_456, 7)
		m.AppendDuration.Observe(time.Millisecond)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
