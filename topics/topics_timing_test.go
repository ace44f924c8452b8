//go:build linux

package topics

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

const million = 1_000_000

// ownTopics joins n rows to a topic of 24 bytes of its own each.
func ownTopics(t testing.TB, x *Index, n int) {
	t.Helper()
	for row := range n {
		if _, err := x.Join(1, ownTopic(row), uint32(row), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func ownTopic(row int) string { return fmt.Sprintf("user/%013d/inbox", row) }

// What a million subscribers with topics of their own cost in bytes each; every 997th is
// looked up.
func TestIndex_MillionOwnTopics(t *testing.T) {
	x := newIndex(t, LimitsFor(million))
	ownTopics(t, x, million)
	st := x.Stats()
	each := float64(st.Bytes) / million
	t.Logf("%d members, %d topics: %.1f bytes each", st.Members, st.Topics, each)
	if each > 110 {
		t.Errorf("%.1f bytes for a subscriber with a topic of %d bytes; 110 are allowed", each, len(ownTopic(0)))
	}
	var sets []Set
	for row := 0; row < million; row += 997 {
		if sets = x.Match(1, []string{ownTopic(row)}, sets[:0]); len(sets) != 1 {
			t.Fatalf("row %d: %d sets", row, len(sets))
		}
		var c Cursor
		x.Start(sets[0], &c)
		if got, ok := c.Next(); got != uint32(row) || !ok {
			t.Fatalf("row %d: %d, %v", row, got, ok)
		}
		x.Stop(&c)
		x.Release(sets[0])
	}
}

// benchMatch matches random ones of a million topics, and checks at the end that they bring their rows. patterns hang in
// the trie besides.
func benchMatch(b *testing.B, each int, patterns ...string) {
	x := newIndex(b, LimitsFor(million))
	ownTopics(b, x, million)
	for _, p := range patterns {
		if _, err := x.Join(1, p, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	topics := make([]string, 1<<16)
	for i := range topics {
		topics[i] = ownTopic(r.IntN(million))
	}
	sets := make([]Set, 0, 16)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		at := i & (len(topics) - 1)
		sets = x.Match(1, topics[at:at+1], sets[:0])
		if len(sets) != each {
			b.Fatalf("%d sets, want %d", len(sets), each)
		}
		for _, s := range sets {
			x.Release(s)
		}
	}
	b.ReportMetric(float64(x.Stats().Bytes)/million, "B/row")
	for row := 0; row < million; row += 997 {
		requireRow(b, x, row)
	}
}

// requireRow fails unless an event for the row's own topic brings that row.
func requireRow(t testing.TB, x *Index, row int) {
	t.Helper()
	found := false
	for _, s := range x.Match(1, []string{ownTopic(row)}, nil) {
		var c Cursor
		x.Start(s, &c)
		for got, ok := c.Next(); ok; got, ok = c.Next() {
			found = found || got == uint32(row)
		}
		x.Stop(&c)
		x.Release(s)
	}
	if !found {
		t.Fatalf("row %d is not among those that its topic brings", row)
	}
}

func BenchmarkMatch_Exact(b *testing.B) { benchMatch(b, 1) }

func BenchmarkMatch_ExactAndPatterns(b *testing.B) {
	benchMatch(b, 5, "user/+/inbox", "user/#", "+/+/inbox", "#", "label/region/+", "user/+/sent")
}

// Every row has a pattern of its own; one of them and no other fits.
func BenchmarkMatch_OwnPatterns(b *testing.B) {
	x := newIndex(b, LimitsFor(million))
	for row := range million {
		if _, err := x.Join(1, ownTopic(row)+"/#", uint32(row), 0); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	topics := make([]string, 1<<16)
	for i := range topics {
		topics[i] = ownTopic(r.IntN(million))
	}
	sets := make([]Set, 0, 16)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		at := i & (len(topics) - 1)
		if sets = x.Match(1, topics[at:at+1], sets[:0]); len(sets) != 1 {
			b.Fatalf("%d sets", len(sets))
		}
		x.Release(sets[0])
	}
	b.ReportMetric(float64(x.Stats().Bytes)/million, "B/row")
	for row := 0; row < million; row += 997 {
		requireRow(b, x, row)
	}
}

func BenchmarkJoinLeave_OwnTopic(b *testing.B) {
	x := newIndex(b, LimitsFor(2*million))
	chains := make([]Chain, million)
	var err error
	for row := range chains {
		if chains[row], err = x.Join(1, ownTopic(row), uint32(row), 0); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	fresh := make([]string, 1<<16)
	for i := range fresh {
		fresh[i] = ownTopic(million + i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		row := r.IntN(million)
		x.Leave(chains[row])
		if chains[row], err = x.Join(1, fresh[i&(len(fresh)-1)], uint32(row), 0); err != nil {
			b.Fatal(err)
		}
	}
}

// The two questions of a lagging reader: an event for others, one for itself.
func BenchmarkHas(b *testing.B) {
	x := newIndex(b, LimitsFor(1000))
	chain, err := x.Join(1, "user/42/inbox", 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	if chain, err = x.Join(1, "label/+/eu", 1, chain); err != nil {
		b.Fatal(err)
	}
	other, own := []string{"user/43/inbox"}, []string{"user/42/inbox"}
	b.ReportAllocs()
	for b.Loop() {
		if x.Has(chain, 1, other) || !x.Has(chain, 1, own) {
			b.Fatal("wrong answer")
		}
	}
}

// A walk over a crowd, in ns for each member.
func BenchmarkCursor_Next(b *testing.B) {
	x := newIndex(b, LimitsFor(million))
	for row := range million {
		if _, err := x.Join(1, "all", uint32(row), 0); err != nil {
			b.Fatal(err)
		}
	}
	s := x.Match(1, []string{"all"}, nil)[0]
	var c Cursor
	x.Start(s, &c)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Next(); !ok {
			x.Start(s, &c)
		}
	}
	x.Stop(&c)
	x.Release(s)
}
