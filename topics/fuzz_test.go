//go:build linux

package topics

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// naiveCheck is what Check and CheckFilter take, one rule a line.
func naiveCheck(s string, filter bool) bool {
	ok := s != "" && len(s) <= BytesMax && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
	levels := strings.Split(s, "/")
	for i, l := range levels {
		wild := filter && (l == "+" || l == "#" && i == len(levels)-1)
		ok = ok && l != "" && (wild || !strings.ContainsAny(l, "+#"))
	}
	return ok
}

// Any two texts: the checks agree with the rules, and when both pass, Match, Has and the
// naive matcher agree. Topics that no check has seen match nothing or the same in all
// three, and never panic.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"a/b", "a/b"}, {"a/#", "a"}, {"+/b/#", "a/b/c"}, {"#", "x"}, {"a//", "/"},
		{"a/+", "a/"}, {"a/#", "/a/b"}, {"+", "\xff"}, {strings.Repeat("+/", 127) + "#", strings.Repeat("/", 255)}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if got, want := Check(topic) == nil, naiveCheck(topic, false); got != want {
			t.Fatalf("Check(%q) is %v", topic, Check(topic))
		}
		if got, want := CheckFilter(filter) == nil, naiveCheck(filter, true); got != want {
			t.Fatalf("CheckFilter(%q) is %v", filter, CheckFilter(filter))
		}
		x := newIndex(t, LimitsFor(300)) // a fresh one: a failure must not spoil the next input
		chain, err := x.Join(1, filter, 7, 0)
		if err != nil {
			if err != CheckFilter(filter) || chain != 0 {
				t.Fatalf("Join(%q): %d, %v", filter, chain, err)
			}
			return
		}
		want := topic != "" && len(topic) <= BytesMax && naiveFits(filter, topic)
		sets := x.Match(1, []string{topic, topic}, nil)
		if got := len(sets) == 1; got != want || len(sets) > 1 {
			t.Fatalf("filter %q: Match(%q) gives %d sets", filter, topic, len(sets))
		}
		if got := x.Has(chain, 1, []string{topic}); got != want {
			t.Fatalf("filter %q: Has(%q) is %v", filter, topic, got)
		}
		if x.Has(chain, 2, []string{topic}) {
			t.Fatalf("filter %q reaches another namespace", filter)
		}
		x.Leave(chain)
		for _, s := range sets {
			x.Release(s)
		}
		mustBeEmpty(t, x)
	})
}
