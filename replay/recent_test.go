package replay

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"throng/sse"
)

// seedOf is the seed of a random test: of the flag, or a new one. It prints how to repeat it.
func seedOf(t *testing.T, test string) uint64 {
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("go test -run %s -seed %d", test, n)
	return n
}

// sealedAt makes sealed events with these IDs.
func sealedAt(ids ...sse.ID) []*sse.Event {
	events := make([]*sse.Event, len(ids))
	for i, id := range ids {
		events[i] = &sse.Event{ID: id, Topics: []string{"t"}, Data: fmt.Append(nil, id)}
	}
	sse.SealAll(events)
	return events
}

// TestRecent_AnswersLikeASlice plays random IDs with holes against a plain slice.
func TestRecent_AnswersLikeASlice(t *testing.T) {
	n := seedOf(t, "TestRecent_AnswersLikeASlice")
	for round := range uint64(50) {
		rnd := rand.New(rand.NewPCG(n, round))
		eventsMax := rnd.IntN(150)
		pool := newRecentPool(recentLimits{eventsMax: eventsMax, bytesMax: 1 << 20}, 1<<20)
		next := sse.ID{Major: 5, Minor: 10}
		r := pool.open(next)
		var all []sse.ID
		for range 60 {
			var ids []sse.ID
			for range rnd.IntN(100) {
				next.Minor += 1 + uint64(rnd.IntN(2)*rnd.IntN(3))
				if rnd.IntN(40) == 0 {
					next = sse.ID{Major: next.Major + 1, Minor: uint64(rnd.IntN(3))}
				}
				ids = append(ids, next)
			}
			r.add(sealedAt(ids...))
			all = append(all, ids...)
			checkRecent(t, rnd, r, all, eventsMax)
			if t.Failed() {
				t.Fatalf("round %d", round)
			}
		}
	}
}

// checkRecent asks for the same range in both.
func checkRecent(t *testing.T, rnd *rand.Rand, r *recent, all []sse.ID, eventsMax int) {
	held := all[max(0, len(all)-eventsMax):]
	from := r.floor()
	if len(held) > 0 && rnd.IntN(3) > 0 {
		from = held[rnd.IntN(len(held))]
		from.Minor += uint64(rnd.IntN(2))
	}
	upTo := from
	upTo.Minor += uint64(rnd.IntN(100))
	dst := make([]*sse.Event, rnd.IntN(70))
	n, ok := r.after(from, upTo, dst)
	if !ok {
		t.Errorf("after(%v) with floor %v is not known", from, r.floor())
	}
	want := 0
	for _, id := range held {
		if from.Less(id) && !upTo.Less(id) && want < min(len(dst), dequePage) {
			if want < n && dst[want].ID != id {
				t.Errorf("after(%v)[%d] is %v, want %v", from, want, dst[want].ID, id)
			}
			want++
		}
	}
	if n != want {
		t.Errorf("after(%v, %v) gave %d, want %d", from, upTo, n, want)
	}
	if len(all) > len(held) {
		before := all[len(all)-len(held)-1]
		if r.floor() != before {
			t.Errorf("floor %v, want %v", r.floor(), before)
		}
		if _, ok := r.after(sse.ID{Major: before.Major - 1, Minor: before.Minor}, upTo, dst); ok {
			t.Errorf("claims to know what came before %v", before)
		}
	}
}

// TestRecent_BytesAreBounded: by one log's limit, and by that of all.
func TestRecent_BytesAreBounded(t *testing.T) {
	size := int64(sealedAt(sse.ID{Major: 1, Minor: 100})[0].Size())
	pool := newRecentPool(recentLimits{eventsMax: 1000, bytesMax: 20 * size}, 50*size)
	var logs []*recent
	for range 5 {
		r := pool.open(sse.ID{Major: 1, Minor: 99})
		logs = append(logs, r)
		for i := range uint64(60) {
			r.add(sealedAt(sse.ID{Major: 1, Minor: 100 + i}))
			if got := r.bytes.Load(); got > 20*size {
				t.Fatalf("%d bytes held, %d allowed", got, 20*size)
			}
			if got := pool.bytes.Load(); got > 50*size {
				t.Fatalf("%d bytes held by all, %d allowed", got, 50*size)
			}
		}
	}
	for _, r := range logs {
		r.close()
		if _, ok := r.after(sse.ID{Major: 1, Minor: 1 << 40}, sse.ID{Major: 2}, nil); ok {
			t.Error("a closed one knows something")
		}
		r.add(sealedAt(sse.ID{Major: 9, Minor: 1}))
	}
	if got := pool.bytes.Load(); got != 0 || len(pool.members) != 0 {
		t.Errorf("%d bytes and %d members after all are closed", got, len(pool.members))
	}
}

// TestRecent_ForgetsWhatTheLogLetGo: forget and reset move the floor.
func TestRecent_ForgetsWhatTheLogLetGo(t *testing.T) {
	pool := newRecentPool(recentLimits{eventsMax: 1000, bytesMax: 1 << 20}, 1<<20)
	id := func(minor uint64) sse.ID { return sse.ID{Major: 1, Minor: minor} }
	r := pool.open(id(0))
	for i := range uint64(200) {
		r.add(sealedAt(id(i + 1)))
	}
	r.forget(id(150))
	if got := r.floor(); got != id(150) {
		t.Errorf("floor %v, want 150", got)
	}
	dst := make([]*sse.Event, 100)
	if n, ok := r.after(id(150), id(1000), dst); n != 50 || !ok {
		t.Errorf("%d, %v after the floor, want 50", n, ok)
	}
	r.reset(id(500))
	if n, ok := r.after(id(500), id(1000), dst); n != 0 || !ok || pool.bytes.Load() != 0 {
		t.Errorf("%d, %v with %d bytes after a reset", n, ok, pool.bytes.Load())
	}
	if _, ok := r.after(id(499), id(1000), dst); ok {
		t.Error("knows what came before the reset")
	}
}

// TestRecent_ReadersDuringAdd: no hole, whatever is removed meanwhile; and no allocation.
func TestRecent_ReadersDuringAdd(t *testing.T) {
	pool := newRecentPool(recentLimits{eventsMax: 300, bytesMax: 1 << 20}, 1<<20)
	id := func(minor uint64) sse.ID { return sse.ID{Major: 1, Minor: minor} }
	r := pool.open(id(0))
	const total = 20_000
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			dst := make([]*sse.Event, 40)
			for at := id(0); at != id(total); {
				n, ok := r.after(at, id(total), dst)
				if !ok {
					at = r.floor()
				}
				for _, e := range dst[:n] {
					if e.ID != at.Next() {
						t.Errorf("%v follows %v", e.ID, at)
						return
					}
					at = e.ID
				}
			}
		})
	}
	for i := range uint64(total) {
		r.add(sealedAt(id(i + 1)))
	}
	readers.Wait()
	dst, from := make([]*sse.Event, 40), r.floor()
	if n := testing.AllocsPerRun(100, func() { r.after(from, id(total), dst) }); n != 0 {
		t.Errorf("after allocates %v times", n)
	}
}
