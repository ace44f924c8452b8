//go:build linux

package topics

import (
	"slices"
	"strings"
	"testing"
)

// naiveFits is the meaning of filters, written to be read.
func naiveFits(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i == len(t):
			return false
		case level != "+" && level != t[i]:
			return false
		}
		// "a/#" wants its parent "a" as well.
		if i == len(t)-1 && len(f) == i+2 && f[i+1] == "#" {
			return true
		}
	}
	return len(f) == len(t)
}

// naive is an Index made of maps and slices.
type naive struct {
	rows map[uint32][]place   // what each row has joined, in order
	sets map[place][]uint32   // rows, newest first
	at   map[*Cursor][]uint32 // rows that the cursor has not met yet
	on   map[*Cursor]place
}

type place struct {
	ns     uint32
	filter string
}

func newNaive() *naive {
	return &naive{rows: map[uint32][]place{}, sets: map[place][]uint32{},
		at: map[*Cursor][]uint32{}, on: map[*Cursor]place{}}
}

func (n *naive) join(p place, row uint32) {
	if slices.Contains(n.rows[row], p) {
		return
	}
	n.rows[row] = append(n.rows[row], p)
	n.sets[p] = slices.Insert(n.sets[p], 0, row)
}

func (n *naive) leave(row uint32) {
	is := func(r uint32) bool { return r == row }
	for _, p := range n.rows[row] {
		if n.sets[p] = slices.DeleteFunc(n.sets[p], is); len(n.sets[p]) == 0 {
			delete(n.sets, p)
		}
		for c, on := range n.on {
			if on == p {
				n.at[c] = slices.DeleteFunc(n.at[c], is)
			}
		}
	}
	delete(n.rows, row)
}

func wanted(filter string, topics []string) bool {
	return slices.ContainsFunc(topics, func(t string) bool { return naiveFits(filter, t) })
}

func (n *naive) match(ns uint32, topics []string) []string {
	var out []string
	for p := range n.sets {
		if p.ns == ns && wanted(p.filter, topics) {
			out = append(out, p.filter)
		}
	}
	slices.Sort(out)
	return out
}

func (n *naive) has(row, ns uint32, topics []string) bool {
	return slices.ContainsFunc(n.rows[row], func(p place) bool { return p.ns == ns && wanted(p.filter, topics) })
}

// filterOf reads the filter of a set back.
func filterOf(x *Index, s Set) string {
	var buf [BytesMax]byte
	return string(x.names.name(uint32(s), &buf))
}

// newIndex makes an Index that is closed with the test.
func newIndex(t testing.TB, lim Limits) *Index {
	t.Helper()
	x, err := New(lim)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// mustBeEmpty checks that nothing is left of anything.
func mustBeEmpty(t testing.TB, x *Index) {
	t.Helper()
	got := x.Stats()
	got.Bytes = 0
	if got != (Stats{}) {
		t.Errorf("left behind: %+v", got)
	}
	mustBeSound(t, x)
}

// mustBeSound checks what has to hold between the tables at any time.
func mustBeSound(t testing.TB, x *Index) {
	t.Helper()
	chunks := soundDict(t, "names", &x.names) + soundDict(t, "levels", &x.levels)
	if chunks != int(x.chunks.live) {
		t.Errorf("names take %d chunks, the pool counts %d", chunks, x.chunks.live)
	}
	members := 0
	for b := range x.names.n {
		for id := x.names.buckets[b]; id != 0; id = x.names.entries.rows[id].next {
			s := &x.sets[id]
			if s.state&marked != 0 || s.head == 0 && s.state < hold && s.walk == 0 {
				t.Errorf("set %q is marked or of no use: %+v", filterOf(x, Set(id)), *s)
			}
			for prev, m := uint32(0), s.head; m != 0; prev, m = m, x.members.rows[m].next {
				members++
				if got := x.members.rows[m]; got.prev != prev || got.set != Set(id) {
					t.Errorf("member %d: %+v in set %d after %d", m, got, id, prev)
				}
			}
		}
	}
	if members != int(x.members.live) {
		t.Errorf("%d members in sets, the pool counts %d", members, x.members.live)
	}
}

// soundDict checks a dict and gives the number of its chunks.
func soundDict(t testing.TB, what string, d *dict) (chunks int) {
	t.Helper()
	live := 0
	for b := range d.n {
		for id := d.buckets[b]; id != 0; id = d.entries.rows[id].next {
			live++
			if got := d.bucket(d.entries.rows[id].hash); got != b {
				t.Errorf("%s: entry %d is in bucket %d and looked for in %d", what, id, b, got)
			}
			for c := d.entries.rows[id].text; c != 0; c = d.chunks.rows[c].next {
				chunks++
			}
		}
	}
	if live != int(d.entries.live) {
		t.Errorf("%s: %d entries in buckets, the pool counts %d", what, live, d.entries.live)
	}
	if d.n < bucketsMin || d.n > max(bucketsMin, 2*d.entries.live) || d.entries.live > d.n || d.n-1 > d.mask || d.n-1 <= d.mask>>1 {
		t.Errorf("%s: %d buckets (mask %#x) for %d entries", what, d.n, d.mask, live)
	}
	return chunks
}
