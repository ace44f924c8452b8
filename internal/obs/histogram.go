package obs

import (
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

// boundsNs are the upper bounds (le, inclusive) of the buckets in nanoseconds: 1, 2 and 5
// of each decade from a microsecond to 50 seconds. Round numbers, because alerts name them
// ("99 % under 0.1"); the last bucket, +Inf, has no entry.
var boundsNs = [...]int64{
	1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6,
	1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9, 2e9, 5e9, 1e10, 2e10, 5e10,
}

// bucketCount counts the buckets with +Inf.
const bucketCount = len(boundsNs) + 1

// bucketOf[k] is the bucket of the smallest number with k bits: the search starts there
// and takes a step or two at most.
var bucketOf = func() (start [65]uint8) {
	for k := 1; k <= 64; k++ {
		smallest := uint64(1) << (k - 1)
		for int(start[k]) < len(boundsNs) && smallest > uint64(boundsNs[start[k]]) {
			start[k]++
		}
	}
	return start
}()

// shardsMax bounds the copies of a histogram: 8 make waiting for a line rare on the
// largest machines, and cost 2 KiB.
const shardsMax = 8

// A Histogram counts durations. Any goroutine may use it; several do not wait for each
// other, as each observation goes to a random one of several copies. Make it with
// NewHistogram.
type Histogram struct {
	shards []shard
	mask   uint32 // len(shards) is a power of two
}

// A shard is one copy of the counts, in whole cache lines.
type shard struct {
	buckets [bucketCount]atomic.Uint64
	sumNs   atomic.Int64
	_       [(cacheLine - (bucketCount+1)*8%cacheLine) % cacheLine]byte
}

// NewHistogram makes an empty one, with a copy for each processor up to shardsMax.
func NewHistogram() *Histogram {
	n := 1
	for n < min(runtime.GOMAXPROCS(0), shardsMax) {
		n *= 2
	}
	return &Histogram{shards: make([]shard, n), mask: uint32(n - 1)}
}

// Observe counts one duration. A negative one, from clocks that disagree, counts as 0.
func (h *Histogram) Observe(d time.Duration) { h.ObserveNs(int64(d), 1) }

// ObserveNs counts n times the same duration in nanoseconds, for work done in batches; n
// that is not positive counts nothing.
func (h *Histogram) ObserveNs(ns int64, n int) {
	if n <= 0 {
		return
	}
	ns = max(ns, 0)
	b := bucket(ns)
	s := &h.shards[0]
	if h.mask != 0 {
		s = &h.shards[rand.Uint32()&h.mask]
	}
	s.buckets[b].Add(uint64(n))
	s.sumNs.Add(ns * int64(n))
}

// bucket is the index of the first bound that is not less than ns.
func bucket(ns int64) int {
	b := int(bucketOf[bits.Len64(uint64(ns))])
	for b < len(boundsNs) && ns > boundsNs[b] {
		b++
	}
	return b
}

// A Distribution is what a histogram counted up to one moment. Observations that come
// during the reading may be in Buckets and not yet in Sum.
type Distribution struct {
	Buckets [bucketCount]uint64 // observations by bucket, not cumulated
	Count   uint64              // their sum
	Sum     time.Duration       // of all observed
}

// Read adds the copies up. Any goroutine may call it.
func (h *Histogram) Read() (d Distribution) {
	for i := range h.shards {
		s := &h.shards[i]
		d.Sum += time.Duration(s.sumNs.Load())
		for b := range s.buckets {
			n := s.buckets[b].Load()
			d.Buckets[b] += n
			d.Count += n
		}
	}
	return d
}

// write prints the series of the histogram.
func (h *Histogram) write(w io.Writer, name string) {
	d := h.Read()
	var cumulated uint64
	for b, n := range d.Buckets {
		cumulated += n
		le := "+Inf"
		if b < len(boundsNs) {
			le = seconds(boundsNs[b])
		}
		fmt.Fprintf(w, "%s_bucket{le=%q} %d\n", name, le, cumulated)
	}
	fmt.Fprintf(w, "%s_sum %s\n%s_count %d\n", name, seconds(int64(d.Sum)), name, d.Count)
}

// seconds is the shortest text of ns in seconds.
func seconds(ns int64) string { return strconv.FormatFloat(float64(ns)/1e9, 'g', -1, 64) }
