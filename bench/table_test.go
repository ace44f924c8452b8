package bench

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuantity_IsShort(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "us", "0 us"}, {0.0219, "%", "0.0219 %"}, {0.000123, "%", "0.0001 %"}, {1.2345, "us", "1.23 us"}, {12.345, "us", "12.3 us"},
		{99.96, "us", "100 us"}, {9.996, "us", "10.0 us"}, {123.456, "us", "123 us"}, {1234.5, "us", "1,234 us"}, {12345.6, "us", "12.3 ms"}, {9_999_000, "us", "9,999 ms"},
		{123e6, "us", "123 s"}, {44, "B", "44 B"}, {446548, "KiB", "436 MiB"}, {102257, "1/s", "102,257 1/s"}, {-1234567, "", "-1,234,567"},
		{-123, "", "-123"}, {1000, "", "1,000"},
	} {
		if got := quantity(c.value, c.unit); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.value, c.unit, got, c.want)
		}
	}
	if got := Quantity(1.0393, ratioUnit); got != "1.039" {
		t.Errorf("a ratio is %q", got)
	}
}

func TestTable_LinesUpAndKeepsToTheLine(t *testing.T) {
	tab := newTable(2)
	tab.row("short", "1", "us")
	tab.row("µ, as wide as it looks", "12,345", "KiB")
	tab.row(strings.Repeat("a long name ", 9), "7", "B")
	lines := strings.Split(strings.TrimSuffix(tab.String(), "\n"), "\n")
	want := []string{
		"short                        1  us",
		"µ, as wide as it looks  12,345  KiB",
		strings.TrimRight(strings.Repeat("a long name ", 9), " ") + " ",
		"                             7  B",
	}
	for i, line := range lines {
		if i >= len(want) || line != want[i] {
			t.Errorf("line %d: %q", i, line)
		}
	}
}

func TestReport_FitsATerminal(t *testing.T) {
	r := reported(1)
	r.figure(strings.Repeat("word ", 30), 1, "B")
	r.note("%s", strings.Repeat("a note of many words ", 20))
	s := Summarize([]Report{r, r})
	for _, line := range strings.Split(r.Print()+s.Print(), "\n") {
		if n := utf8.RuneCountInString(line); n > lineWidth && !strings.HasPrefix(line, "word word") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestCheckTable_TellsRepeatedChecksOnce(t *testing.T) {
	var r Report
	r.check("events", 5, 5)
	r.check("faults", 0, 0)
	r.check("events", 5, 5)
	r.check("events", 5, 4)
	got := strings.Join(strings.Fields(checkTable(r.Checks)), " ")
	if want := "check want got events 5 5 ok, 2 times faults 0 0 ok events 5 4 WRONG"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestContests_StandSideBySide(t *testing.T) {
	var r Report
	r.compareAll("cost", "ns", []measured{{"us", []float64{4000, 3000}}, {"them", []float64{2000, 30000}}, {"others", []float64{8000, 6000}}})
	r.compare("cost", "us", "late", "ns", []float64{1, 2}, []float64{1, 1})
	all := contests(r.Comparisons)
	if len(all) != 2 || len(all[0]) != 2 {
		t.Fatalf("%+v", all)
	}
	want := `cost, us                 us            them          others
  turn 1                  4               2               8
  turn 2                  3              30               6
  ratio to each, median               1.050           0.500
  min to max                 0.100 to 2.000  0.500 to 0.500
`
	if got := all[0].table(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
