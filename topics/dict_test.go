//go:build linux

package topics

import (
	"math/bits"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func newTestDict(t testing.TB, max int) *dict {
	t.Helper()
	chunks, err := newPool[chunk](max * chunksFor(BytesMax))
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDict(max, &chunks, errFullTopics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
		if err := chunks.close(); err != nil {
			t.Error(err)
		}
	})
	return &d
}

// Grows over several powers of two and back, one bucket for each entry on the way up and
// at least one for two entries on the way down; every name is found at every size.
func TestDict_GrowsAndShrinksSmoothly(t *testing.T) {
	const n = 300
	d := newTestDict(t, n)
	seed := rand.Uint64()
	hash := func(i int) uint32 { return bits.Reverse32(uint32(i)*0x9E3779B9 ^ uint32(seed)) }
	ids := make([]uint32, n)
	check := func(live func(i int) bool) {
		t.Helper()
		soundDict(t, "dict", d)
		for i := range n {
			want := uint32(0)
			if live(i) {
				want = ids[i]
			}
			if got := d.find(3, hash(i), strconv.Itoa(i)); got != want {
				t.Fatalf("seed %#x: name %d has number %d, want %d", seed, i, got, want)
			}
		}
	}
	for range 2 {
		for i := range n {
			before := d.n
			var err error
			if ids[i], err = d.add(3, hash(i), strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
			if d.n > before+1 {
				t.Fatalf("an add split %d buckets", d.n-before)
			}
			check(func(j int) bool { return j <= i })
		}
		if d.n != n {
			t.Errorf("%d buckets for %d entries", d.n, n)
		}
		if _, err := d.add(3, 0, "more"); err != errFullTopics {
			t.Errorf("add to a full dict: %v", err)
		}
		for i := range n {
			d.remove(ids[i])
			check(func(j int) bool { return j > i })
		}
		if d.n != bucketsMin || d.mask != bucketsMin-1 || d.chunks.live != 0 {
			t.Errorf("empty: %d buckets, mask %#x, %d chunks", d.n, d.mask, d.chunks.live)
		}
	}
}

// Merging undoes splitting bucket by bucket, however full the buckets get.
func TestDict_EveryBucketCount(t *testing.T) {
	const n = 200
	d := newTestDict(t, n)
	r := rand.New(rand.NewPCG(3, 4))
	hashes, ids := make([]uint32, n), make([]uint32, n)
	for i := range n {
		hashes[i] = r.Uint32()
		var err error
		if ids[i], err = d.add(0, hashes[i], strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		for i := range n {
			if got := d.find(0, hashes[i], strconv.Itoa(i)); got != ids[i] {
				t.Fatalf("%d buckets: name %d has number %d, want %d", d.n, i, got, ids[i])
			}
		}
	}
	for d.n > bucketsMin {
		d.merge()
		check()
	}
	for d.n < n {
		d.split()
		check()
	}
	soundDict(t, "dict", d)
}

// Names of every length, and neighbours that differ in one byte, key or length only.
func TestDict_NamesOfEveryLength(t *testing.T) {
	d := newTestDict(t, 4*(BytesMax+1))
	type name struct {
		key  uint32
		text string
	}
	ids := map[name]uint32{}
	for size := range BytesMax + 1 {
		text := strings.Repeat("0123456789", 26)[:size]
		names := []name{{1, text}, {2, text}}
		if size > 0 {
			names = append(names, name{1, text[:size-1] + "x"}, name{1, "x" + text[1:]})
		}
		for _, n := range names {
			if ids[n] != 0 {
				continue // both changes are the same for one byte
			}
			if got := d.find(n.key, 0, n.text); got != 0 {
				t.Fatalf("%v is found as %d", n, got)
			}
			var err error
			if ids[n], err = d.add(n.key, 0, n.text); err != nil {
				t.Fatal(err)
			}
		}
	}
	soundDict(t, "dict", d)
	var buf [BytesMax]byte
	for n, id := range ids {
		if got := d.find(n.key, 0, n.text); got != id {
			t.Errorf("%v is found as %d, not %d", n, got, id)
		}
		if got := string(d.name(id, &buf)); got != n.text {
			t.Errorf("%v reads back as %q", n, got)
		}
	}
}
