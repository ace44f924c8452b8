//go:build linux

package topics

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestNew_RefusesImpossibleLimits(t *testing.T) {
	good := Limits{Members: 1, Topics: 1, NameBytes: chunkBytes}
	newIndex(t, good)
	for _, spoil := range []func(l *Limits){
		func(l *Limits) { l.Members = 0 },
		func(l *Limits) { l.Members = 1 << 31 },
		func(l *Limits) { l.Topics = -1 },
		func(l *Limits) { l.NameBytes = chunkBytes - 1 },
		func(l *Limits) { l.PatternNodes = -1 },
	} {
		l := good
		spoil(&l)
		if x, err := New(l); err == nil {
			t.Errorf("%+v: taken", l)
			_ = x.Close()
		}
	}
}

func TestJoin_SameFilterTwiceIsNothing(t *testing.T) {
	x := newIndex(t, Limits{Members: 2, Topics: 2, NameBytes: 1024, PatternNodes: 3})
	var chain Chain
	for range 3 {
		for _, f := range []string{"a/b", "a/+"} { // also when the tables are full
			var err error
			if chain, err = x.Join(5, f, 9, chain); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := x.Filters(chain, nil); !slices.Equal(got, []string{"a/b", "a/+"}) {
		t.Errorf("%q", got)
	}
	x.Leave(chain)
	mustBeEmpty(t, x)
}

func TestJoin_RefusesWhatCheckFilterRefuses(t *testing.T) {
	x := newIndex(t, LimitsFor(10))
	if chain, err := x.Join(0, "a//b", 1, 77); chain != 77 || !errors.Is(err, ErrEmptyLevel) {
		t.Errorf("%d, %v", chain, err)
	}
	mustBeEmpty(t, x)
}

// Every table is made too small in turn; a Join that fails must change nothing.
func TestJoin_ErrFullLeavesNothing(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	texts := map[string]int{}
	for range 300 {
		x := newIndex(t, Limits{Members: 1 + r.IntN(12), Topics: 1 + r.IntN(12),
			NameBytes: chunkBytes * (1 + r.IntN(40)), PatternNodes: r.IntN(12)})
		s := &story{t: t, r: r}
		chains := map[uint32]Chain{}
		for range 40 {
			row, before := uint32(r.IntN(3)), x.Stats()
			filter := s.topic(true)
			chain, err := x.Join(0, filter, row, chains[row])
			if err == nil {
				chains[row] = chain
				continue
			}
			before.Bytes = x.Stats().Bytes
			if !errors.Is(err, ErrFull) || chain != chains[row] || x.Stats() != before {
				t.Fatalf("seed %#x: Join(%q): %v; chain %d was %d; %+v was %+v",
					seed, filter, err, chain, chains[row], x.Stats(), before)
			}
			if slices.Contains(x.Filters(chain, nil), filter) {
				t.Fatalf("seed %#x: %q was refused and joined", seed, filter)
			}
			texts[err.Error()]++
			mustBeSound(t, x)
		}
		for _, c := range chains {
			x.Leave(c)
		}
		mustBeEmpty(t, x)
	}
	if len(texts) != 4 {
		t.Errorf("not every table was full once: %v", texts)
	}
}

func TestMatch_NamespacesNeverMix(t *testing.T) {
	x := newIndex(t, LimitsFor(100))
	for _, mask := range []uint32{1<<32 - 1, 0} {
		x.hashMask = mask
		var chains []Chain
		for ns := range uint32(4) {
			for _, f := range []string{"a", "+", "#", "a/#"} {
				c, err := x.Join(ns, f, ns, 0)
				if err != nil {
					t.Fatal(err)
				}
				chains = append(chains, c)
			}
		}
		for ns := range uint32(4) {
			sets := x.Match(ns, []string{"a"}, nil)
			if len(sets) != 4 {
				t.Errorf("namespace %d: %d sets", ns, len(sets))
			}
			for _, s := range sets {
				var c Cursor
				x.Start(s, &c)
				if got := rest(&c); !slices.Equal(got, []uint32{ns}) {
					t.Errorf("namespace %d: rows %d", ns, got)
				}
				x.Release(s)
			}
		}
		for _, c := range chains {
			x.Leave(c)
		}
		mustBeEmpty(t, x)
	}
}

// Every mixture of "a" and "+" over ten levels: each pattern that fits is found once.
// The tails reach the deepest level that a topic can have.
func TestMatch_ManyWildcards(t *testing.T) {
	const wide = 10
	x := newIndex(t, LimitsFor(50_000))
	tail := strings.Repeat("/+", 127-wide) + "/b"
	chains := make([]Chain, 1<<wide)
	for bits := range chains {
		levels := slices.Repeat([]string{"a"}, wide)
		for i := range levels {
			if bits>>i&1 != 0 {
				levels[i] = "+"
			}
		}
		for _, end := range []string{"", "/#", tail} {
			var err error
			chains[bits], err = x.Join(0, strings.Join(levels, "/")+end, uint32(bits), chains[bits])
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	short := strings.Repeat("a/", wide-1) + "a"
	deep := short + strings.Repeat("/x", 127-wide) + "/b"
	for _, c := range []struct {
		topics []string
		sets   int
	}{
		{[]string{short}, 2 << wide}, // "" and "/#"
		{[]string{deep}, 2 << wide},  // "/#" and the tail
		{[]string{short, deep, short}, 3 << wide},
		{[]string{deep[:len(deep)-1] + "c"}, 1 << wide},
		{[]string{"b" + short[1:]}, 1 << wide}, // half of them
	} {
		sets := x.Match(0, c.topics, nil)
		if len(sets) != c.sets {
			t.Errorf("%q: %d sets, want %d", c.topics, len(sets), c.sets)
		}
		for _, s := range sets {
			x.Release(s)
		}
	}
	for _, c := range chains {
		x.Leave(c)
	}
	mustBeEmpty(t, x)
}

// Topics that no check has seen must neither hit what is not theirs nor walk the trie
// along more than one path for each node: 2^100 steps would never end.
func TestMatch_UncheckedTopics(t *testing.T) {
	x := newIndex(t, LimitsFor(1000))
	deep := strings.Repeat("+/", 100) + "x"
	filters := []string{deep, "a/#", "b"}
	for n := range 100 { // a child besides '+' at every level, so that texts are looked up
		filters = append(filters, strings.Repeat("+/", n)+"z")
	}
	var chain Chain
	for _, f := range filters {
		var err error
		if chain, err = x.Join(0, f, 1, chain); err != nil {
			t.Fatal(err)
		}
	}
	for topic, want := range map[string]int{
		deep: 1, strings.Repeat("/", 255): 0, strings.Repeat("/", 100) + "x": 1, strings.Repeat("/", 256): 0,
		"": 0, "/a/b": 0, "a/": 1, "a/#": 1, "b/": 0, "\x00": 0, strings.Repeat("a/", 200): 0,
	} {
		sets := x.Match(0, []string{topic}, nil)
		if len(sets) != want || x.Has(chain, 0, []string{topic}) != (want > 0) {
			t.Errorf("%q: %d sets, want %d; Has %v", topic, len(sets), want, x.Has(chain, 0, []string{topic}))
		}
		for _, s := range sets {
			x.Release(s)
		}
	}
	x.Leave(chain)
	mustBeEmpty(t, x)
}

func TestMatchPath_DoesNotAllocate(t *testing.T) {
	x := newIndex(t, LimitsFor(2000))
	var chain Chain
	for i := range 1000 {
		c, err := x.Join(0, fmt.Sprintf("user/%d/inbox-with-a-long-name-in-two-pieces", i), uint32(i), 0)
		if err != nil {
			t.Fatal(err)
		}
		chain = c
	}
	for _, f := range []string{"user/+/#", "a-pattern/that-needs/two-pieces/of-text/+", "#"} {
		var err error
		if chain, err = x.Join(0, f, 999, chain); err != nil {
			t.Fatal(err)
		}
	}
	topics := []string{"user/7/inbox-with-a-long-name-in-two-pieces", "other", "a-pattern/that-needs/two-pieces/of-text/x"}
	sets := make([]Set, 0, 8)
	var c Cursor // in a table of the caller's; it is linked by its address
	if n := testing.AllocsPerRun(100, func() {
		sets = x.Match(0, topics, sets[:0])
		if len(sets) != 4 {
			t.Fatalf("%d sets", len(sets))
		}
		for _, s := range sets {
			x.Start(s, &c)
			for _, ok := c.Next(); ok; _, ok = c.Next() {
			}
			x.Release(s)
		}
		if !x.Has(chain, 0, topics) || x.Has(chain, 1, topics) {
			t.Fatal("Has")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestJoinLeave_DoNotAllocate(t *testing.T) {
	x := newIndex(t, LimitsFor(100))
	if n := testing.AllocsPerRun(100, func() {
		chain, _ := x.Join(0, "user/42/with-a-long-name-in-two-pieces", 1, 0)
		chain, err := x.Join(0, "user/+/with-a-long-name-in-two-pieces/#", 1, chain)
		if err != nil {
			t.Fatal(err)
		}
		x.Leave(chain)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
