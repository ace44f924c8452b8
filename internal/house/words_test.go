package house

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestTree_HasNoForbiddenWords(t *testing.T) {
	for _, x := range texts(t) {
		report(t, wordFaults(x))
	}
}

var forbidden = func() *regexp.Regexp {
	var all []string
	for _, w := range forbiddenWords {
		word := regexp.QuoteMeta(w.word)
		if strings.ToUpper(w.word) == w.word && !strings.Contains(w.word, "/") {
			word = `\b` + word + `\b` // a mark, not a part of a longer name
		}
		all = append(all, word)
	}
	return regexp.MustCompile(strings.Join(all, "|"))
}()

func wordFaults(x text) (out []fault) {
	switch path.Base(x.path) {
	case "go.sum", "LICENSE", "package-lock.json":
		return nil
	}
	for i, line := range strings.Split(x.body, "\n") {
		for _, found := range forbidden.FindAllString(line, -1) {
			out = append(out, fault{fmt.Sprintf("%s:%d", x.path, i+1), fmt.Sprintf("%q does not belong in the tree", found), whyForbidden(found)})
		}
	}
	return out
}

func whyForbidden(word string) string {
	for _, w := range forbiddenWords {
		if w.word == word {
			return w.why
		}
	}
	return ""
}
