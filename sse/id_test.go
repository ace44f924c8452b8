package sse

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestParseID_TextIsCanonical(t *testing.T) {
	good := map[string]ID{
		"0-0":                    {},
		"1-2":                    {1, 2},
		"0-7":                    {0, 7},
		"1700000000000-0":        {1700000000000, 0},
		"10-100":                 {10, 100},
		"9-18446744073709551615": {9, math.MaxUint64},
		"18446744073709551615-18446744073709551615": {math.MaxUint64, math.MaxUint64},
	}
	for text, want := range good {
		id, err := ParseID(text)
		if err != nil || id != want || id.String() != text {
			t.Errorf("ParseID(%q) = %v, %v; want %v", text, id, err, want)
		}
		if id, err = ParseID([]byte(text)); err != nil || id != want {
			t.Errorf("ParseID([]byte(%q)) = %v, %v; want %v", text, id, err, want)
		}
		if want.textBytes() != len(text) {
			t.Errorf("textBytes of %q = %d", text, want.textBytes())
		}
	}
}

func TestParseID_OtherTextIsRefused(t *testing.T) {
	bad := []string{
		"", "-", "1", "1-", "-1", "1-2-3", "1--2", "01-2", "1-02", "00-0", "+1-2", "1-+2", " 1-2", "1-2 ",
		"1-2\n", "1\x00-2", "a-b", "1-a", "1_2", "0x1-2", "1.0-2", "١-٢", "18446744073709551616-0",
		"0-18446744073709551616", "99999999999999999999-0", "0-99999999999999999999", "$", "earliest",
		strings.Repeat("0", 41), strings.Repeat("1", 5000) + "-1",
	}
	for _, text := range bad {
		if id, err := ParseID(text); !errors.Is(err, ErrID) || !id.IsZero() {
			t.Errorf("ParseID(%q) = %v, %v; want ErrID", text, id, err)
		}
	}
}

func TestID_OrderIsMajorThenMinor(t *testing.T) {
	sorted := []ID{{}, {0, 1}, {0, math.MaxUint64}, {1, 0}, {1, 9}, {2, 1}, {math.MaxUint64, 0}}
	for i, a := range sorted {
		for j, b := range sorted {
			want := min(max(i-j, -1), 1)
			if a.Compare(b) != want || a.Less(b) != (want < 0) {
				t.Errorf("%v against %v: Compare %d, Less %v", a, b, a.Compare(b), a.Less(b))
			}
		}
	}
	if !slices.IsSortedFunc(sorted, ID.Compare) {
		t.Error("the list is not in order")
	}
}

func TestIDNext_IsAlwaysLater(t *testing.T) {
	for from, want := range map[ID]ID{
		{}:                               {0, 1},
		{4, 5}:                           {4, 6},
		{4, math.MaxUint64}:              {5, 0},
		{math.MaxUint64, math.MaxUint64}: {math.MaxUint64, math.MaxUint64},
		{math.MaxUint64, 3}:              {math.MaxUint64, 4},
	} {
		if got := from.Next(); got != want {
			t.Errorf("%v.Next() = %v, want %v", from, got, want)
		}
	}
}

func TestID_NothingAllocates(t *testing.T) {
	text, bytes := "1700000000000-42", []byte("1700000000000-42")
	dst := make([]byte, 0, IDBytesMax)
	n := testing.AllocsPerRun(100, func() {
		a, _ := ParseID(text)
		b, _ := ParseID(bytes)
		dst = a.Next().AppendTo(dst[:0])
		if a != b {
			t.Fatal("two readings of one text differ")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseID_RoundTrip(f *testing.F) {
	for _, s := range []string{"0-0", "1-2", "01-2", "18446744073709551615-18446744073709551615", "1--2", "18446744073709551616-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		other, otherErr := ParseID([]byte(s))
		if id != other || err != otherErr {
			t.Fatalf("string and bytes disagree on %q", s)
		}
		if err == nil && id.String() != s {
			t.Fatalf("ParseID(%q).String() = %q", s, id.String())
		}
	})
}
