//go:build linux

package topics

import (
	"slices"
	"testing"
)

// crowd joins rows 1..n to filter "a" and gives their chains by row.
func crowd(t testing.TB, x *Index, n int) []Chain {
	t.Helper()
	chains := make([]Chain, n+1)
	for row := 1; row <= n; row++ {
		var err error
		if chains[row], err = x.Join(0, "a", uint32(row), 0); err != nil {
			t.Fatal(err)
		}
	}
	return chains
}

func rest(c *Cursor) (rows []uint32) {
	for {
		row, ok := c.Next()
		if !ok {
			return rows
		}
		rows = append(rows, row)
	}
}

func TestCursor_MembersComeAndGo(t *testing.T) {
	x := newIndex(t, LimitsFor(100))
	chains := crowd(t, x, 6) // visited 6, 5, ... 1
	s := x.Match(0, []string{"a"}, nil)[0]
	var before, under Cursor
	x.Start(s, &before)
	x.Start(s, &under)
	for _, want := range []uint32{6, 5} {
		if row, ok := under.Next(); row != want || !ok {
			t.Fatalf("row %d, %v, want %d", row, ok, want)
		}
	}
	for _, row := range []int{6, 4, 3} { // visited; the next one; the one after it
		x.Leave(chains[row])
	}
	again, err := x.Join(0, "a", 4, 0) // takes a freed row of the table
	if err != nil {
		t.Fatal(err)
	}
	if got := rest(&under); !slices.Equal(got, []uint32{2, 1}) {
		t.Errorf("a cursor under way then met %d", got)
	}
	if got := rest(&before); !slices.Equal(got, []uint32{5, 2, 1}) {
		t.Errorf("a cursor that had not begun met %d", got)
	}
	for _, c := range []Chain{chains[1], chains[2], chains[5], again} {
		x.Leave(c)
	}
	x.Release(s)
	mustBeEmpty(t, x)
}

func TestCursor_KeepsEmptySetUntilStop(t *testing.T) {
	x := newIndex(t, LimitsFor(100))
	chains := crowd(t, x, 1)
	s := x.Match(0, []string{"a"}, nil)[0]
	var c Cursor
	x.Start(s, &c)
	x.Release(s)
	x.Leave(chains[1])
	if st := x.Stats(); st.Topics != 1 || st.Walked != 1 || st.Members != 0 {
		t.Errorf("%+v", st)
	}
	x.Stop(&c)
	x.Stop(&c) // does nothing
	mustBeEmpty(t, x)
	if _, ok := c.Next(); ok {
		t.Error("a stopped cursor gives a row")
	}
}

func TestCursor_EndStops(t *testing.T) {
	x := newIndex(t, LimitsFor(100))
	x.Leave(crowd(t, x, 1)[1])
	chains := crowd(t, x, 2)
	s := x.Match(0, []string{"a"}, nil)[0]
	x.Leave(chains[1])
	x.Leave(chains[2])
	var c Cursor
	x.Start(s, &c) // empty, but held
	x.Release(s)
	if _, ok := c.Next(); ok {
		t.Error("an empty set has a row")
	}
	mustBeEmpty(t, x)
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic: " + what)
		}
	}()
	f()
}

func TestProgrammerErrors_Panic(t *testing.T) {
	x := newIndex(t, LimitsFor(100))
	crowd(t, x, 1)
	s := x.Match(0, []string{"a"}, nil)[0]
	var c Cursor
	x.Start(s, &c)
	mustPanic(t, "Start twice", func() { x.Start(s, &c) })
	x.Release(s)
	mustPanic(t, "Release twice", func() { x.Release(s) })
}
